// What the tests of the responder begin with.
import { PrefixSet } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";
import { RecordBackend } from "../backends/record.ts";
import { Responder, type ResponderOptions } from "../responder.ts";
import type { HostFacts } from "../types.ts";
import { MemoryHistory, recorder } from "./samples.ts";

export const NOBODY: HostFacts = { guards: [], unread: [] };

export class HandClock implements Clock {
  wallMs = Date.parse("2026-11-22T20:00:00Z");
  sinceMs = 1_000;
  now = () => new Date(this.wallMs);
  monotonicMs = () => this.sinceMs;
  pass(ms: number): void {
    this.wallMs += ms;
    this.sinceMs += ms;
  }
}

/** A responder whose firewall only writes down, whose clock stands until `pass`, and all that it says. */
export function scene(options: Partial<ResponderOptions> = {}) {
  const clock = new HandClock();
  const backend = options.backend ?? new RecordBackend(clock);
  const history = (options.history as MemoryHistory | undefined) ?? new MemoryHistory();
  const heard = recorder();
  const responder = new Responder({
    mode: "block",
    allow: new PrefixSet([]),
    facts: () => NOBODY,
    chance: () => 0.5,
    ...options,
    clock,
    backend,
    history,
    emit: heard.emit,
  });
  const held = async () => (await backend.held()).map(({ target }) => `${target.base}/${target.bits}`).sort();
  return {
    clock,
    backend,
    history,
    responder,
    held,
    ...heard,
    [Symbol.asyncDispose]: () => responder.close(),
  };
}
