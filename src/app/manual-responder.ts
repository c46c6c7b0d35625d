// Blocks and lifts by hand, beside a guard that may be running: the same rules, the same table, the same history.
import { systemClock } from "../core/clock.ts";
import type { EventBody } from "../core/events.ts";
import type { Backend } from "../respond/backend.ts";
import { Responder } from "../respond/responder.ts";
import type { Store } from "../store/store.ts";
import { Bus } from "./bus.ts";
import { makeBackend } from "./firewall.ts";
import { allowedBy, factsReader } from "./protected.ts";
import type { Settings } from "./settings.ts";

/** A responder that acts only when it is told to, and writes what it did into the history. */
export function manualResponder(
  settings: Settings,
  store: Store,
): { responder: Responder; backend: Backend } {
  const bus = new Bus(settings.host, systemClock);
  const facts = factsReader();
  const backend = makeBackend(settings);
  const responder = new Responder({
    mode: "observe",
    allow: allowedBy(settings),
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
