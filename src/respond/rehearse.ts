// Plays verdicts and blocks through the very path that a real one takes, before the first is needed: decision, history, channel,
// warden, kernel. The first scanner of the day would otherwise wait until all that code is loaded and compiled, some fifteen
// milliseconds, and be through with five hundred ports.
import {
  type Address,
  familyOf,
  formatPrefix,
  type Prefix,
  type PrefixSet,
  prefixOf,
} from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import { EVENT_SCHEMA_VERSION, type Event } from "../core/events.ts";
import type { Backend } from "./backend.ts";
import { QUIET } from "./backend.ts";
import { wholeAddress } from "./guardrails.ts";
import { Responder } from "./responder.ts";
import type { BlockHistory, FirewallChange, HostFacts } from "./types.ts";

// Addresses that are nobody's: of the IETF's own block, never assigned (RFC 6890), and of the prefix for packets that are thrown
// away (RFC 6666). Each is blocked for as long as it takes to lift it.
const NOBODY = ["192.0.0.127", "100::7f"] as Address[];
const LOOPBACK: Record<4 | 6, Address> = { 4: "127.0.0.1" as Address, 6: "::1" as Address };
// After so many turns V8 has compiled the path, for some 0.2 s of CPU in each process. Six times as many make no difference.
const ROUNDS = 50;
// The facts about who is protected are asked for at each verdict, and within some milliseconds remembered.
const PAUSE_MS = 6;
// A reminder has nothing to compile; it touches what would be taken away from a process that waits for days: pages of the
// runtime, which cost a disk access each, and code.
const REMINDER_ROUNDS = 2;
const FOR_MS = 1_000;

export type Rehearsal = {
  /** The real one: it blocks and lifts addresses that nobody has. */
  readonly backend: Backend;
  /** Only asked; nothing is written to it. */
  readonly history: BlockHistory;
  readonly facts: () => HostFacts;
  readonly allow: PrefixSet;
  readonly clock: Clock;
  /** Ends it early. */
  readonly signal: AbortSignal;
  /** Not the first: a short one, that goes as far as the firewall and changes nothing in it. */
  readonly isReminder?: boolean;
};

/** Whether this is one of the addresses that rehearsals block: a limit on blocks need not count it. */
export function isRehearsed(target: Prefix): boolean {
  return REHEARSED.has(formatPrefix(target));
}

const REHEARSED = new Set(NOBODY.flatMap((address) => [address, formatPrefix(targetOf(address))]));

/** Ends when all is warm. What a backend refuses is told when the first real block is refused, and not here. */
export async function rehearse({
  backend,
  history,
  facts,
  allow,
  clock,
  signal,
  isReminder = false,
}: Rehearsal): Promise<void> {
  let n = 0;
  const stamped = (body: Parameters<Responder["onFinding"]>[0] | object): Event =>
    ({ v: EVENT_SCHEMA_VERSION, id: `rehearsal ${++n}`, host: "", at: "", ...body }) as Event;
  const responder = new Responder({
    mode: "block",
    blockMs: FOR_MS,
    maxPerMinute: Number.POSITIVE_INFINITY,
    allow,
    backend: stage(backend, isReminder ? toNothing : toFresh),
    history: { ...history, put: () => {}, lift: () => true },
    facts,
    clock,
    emit: stamped,
  });
  try {
    const rounds = isReminder ? REMINDER_ROUNDS : ROUNDS;
    for (let round = 0; round < rounds && !signal.aborted; round++) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      for (const source of NOBODY) {
        const at = clock.now().toISOString();
        const probe = { at, source, target: source, protocol: "tcp", port: round, kind: "syn" } as const;
        await responder.onFinding(
          stamped({
            type: "scan.detected",
            scan: {
              source,
              shape: "vertical",
              grade: "spoofable",
              firstAt: at,
              lastAt: at,
              distinct: 4,
              reason: "rehearsal",
              probes: [probe],
            },
          }),
        );
        await responder.lift(formatPrefix(targetOf(source)));
      }
    }
  } finally {
    await responder.close();
  }
}

function targetOf(address: Address): Prefix {
  return address.includes(":") ? prefixOf(address, 64) : wholeAddress(address);
}

type Play = (changes: readonly FirewallChange[]) => FirewallChange[];

// Nobody's connections need not be forgotten.
const toFresh: Play = (changes) =>
  changes.map((change) => (change.do === "block" ? { ...change, fresh: true } : change));
const toNothing: Play = () => [];

// Nobody is blocked, and the way is the same.
const toOurselves = (change: FirewallChange): FirewallChange => ({
  ...change,
  target: wholeAddress(LOOPBACK[familyOf(change.target.base)]),
});

// Changes are real, as far as `play` leaves any; all else is the real responder's business.
function stage(backend: Backend, play: Play): Backend {
  return {
    ...QUIET,
    name: backend.name,
    early: (change) => backend.early?.(play([change])[0] ?? toOurselves(change)),
    apply: async (changes) => {
      const played = await backend.apply(play(changes));
      return changes.map((change, i) => played[i] ?? { change, why: null, mend: "", packetsStopped: 0 });
    },
    open: async () => ({ what: "a rehearsal", throttles: true, tripwire: false }),
    setAllow: async () => {},
    held: async () => [],
    clear: async () => {},
    close: async () => {},
  };
}
