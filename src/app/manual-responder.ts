// Blocks and lifts by hand, beside a guard that may be running: the same rules, the same table, the same history.
import { systemClock } from "../core/clock.ts";
import type { EventBody } from "../core/events.ts";
import { showable } from "../core/hostile.ts";
import type { Backend } from "../respond/backend.ts";
import { Responder } from "../respond/responder.ts";
import type { Store } from "../store/store.ts";
import { Bus } from "./bus.ts";
import { makeBackend } from "./firewall.ts";
import { allowList, factsReader } from "./protected.ts";
import type { Settings } from "./settings.ts";

/** A responder that acts only when it is told to, and writes what it did into the history. */
export async function manualResponder(
  settings: Settings,
  store: Store,
): Promise<{ responder: Responder; backend: Backend }> {
  const bus = new Bus(settings.host, systemClock);
  const facts = factsReader();
  await facts.prepare();
  const backend = makeBackend(settings, true);
  const allow = allowList(settings, store, {
    onFault: (entry, why) =>
      process.stderr.write(`telltale: respond.allow: ${showable(entry)} ${showable(why)}\n`),
  });
  await allow.refresh();
  const responder = new Responder({
    mode: "observe",
    allow: allow.current,
    backend,
    history: store.blocks,
    facts: () => facts.current(),
    emit: (body: EventBody) => {
      const event = bus.stamp(body);
      store.append(event);
      return event;
    },
  });
  return { responder, backend };
}
