// The questions that the engine asks about ports in use and about who uses them. Cheap ones are answered from the last
// picture of the socket tables; those that decide something go to the kernel, as long as a flood does not buy too many.
import type { Clock } from "../core/clock.ts";
import { isAmbiguous } from "./classify.ts";
import type { Listeners } from "./listeners.ts";
import type { LocalAddresses } from "./local.ts";
import type { Contact, Suspects } from "./suspects.ts";
import { isConnected } from "./tables.ts";
import { KIND, type Packet, PROTOCOL } from "./types.ts";
import { Visits } from "./visits.ts";

// Whoever runs the engine renews the picture more often than this; recordings and tests do not.
const STALE_MS = 5_000;
// At 4 microseconds each, and up to 20 where a flood has emptied the caches, together at most 1 % of a core in ordinary
// times. A look that is not taken costs no one a verdict: before that everything is asked for.
const QUESTIONS_PER_SECOND = 1_500;
const LOOKS_PER_SECOND = 250;
// A question that walks over all connections, at up to a few milliseconds.
const WALKS_PER_SECOND = 8;

// Of connections that are passed on (to a container) this host's socket tables know nothing. A SYN alone may be a scanner's,
// so that several count as one success, and give two at most. Of those that are sampled each stands for the ones not seen.
const PASSED_ON_VISITS = 4;
const PASSED_ON_AT_MOST = 2;

/** What a source holds open here at this moment, and what that says for it. */
export type Standing = {
  readonly connections: number;
  /** Different ports among them, and visits to ports that are passed on, by fours. */
  readonly successes: number;
};

export class Served {
  /** SYNs to ports in use. */
  visited = 0;
  /** Of so many SYNs to ports in use one is seen, because there are too many. */
  oneIn = 1;
  readonly #listeners: Listeners;
  readonly #locals: LocalAddresses;
  readonly #clock: Clock;
  readonly #onOrdinary: () => void;
  readonly #visits: Visits;
  #asked = 0;
  #looked = 0;
  #walked = 0;
  #second = 0;
  #packetSecond = 0;

  constructor(options: {
    listeners: Listeners;
    locals: LocalAddresses;
    clock: Clock;
    seed: number;
    onOrdinary?: () => void;
  }) {
    this.#listeners = options.listeners;
    this.#locals = options.locals;
    this.#clock = options.clock;
    this.#onOrdinary = options.onOrdinary ?? (() => {});
    this.#visits = new Visits(options.seed);
  }

  /** Notes a SYN|ACK that this host sent, or passed on for somebody behind it. */
  answered(sent: Packet): void {
    this.#listeners.noteAnswer(sent.family, sent.sourcePort);
    this.#onOrdinary();
  }

  /**
   * Whether a packet to `target` goes to a port in use; notes a SYN to one as a visit.
   * @param isKnown it comes from a known scanner: a service that started a moment ago makes no difference to him, and a
   *   flood of his would spend on it what others need
   */
  takes(p: Packet, kind: number, target: number, isKnown = false): boolean {
    const { protocol, targetPort: port } = p;
    const listeners = this.#listeners;
    if (!hasPorts(protocol)) return false;
    const isStale = this.#beginsSecond(p.atMs) && listeners.ageMs() > STALE_MS;
    if (isStale) listeners.refresh();
    if (listeners.inUse(p.family, protocol, p.target0, p.target1, p.target2, p.target3, port)) {
      if (isStale) this.#onOrdinary();
    } else {
      const wasTaken = isAmbiguous(kind)
        ? listeners.isBusy(p.family, port)
        : listeners.wasInUse(p.family, protocol, port);
      if (!wasTaken && (isKnown || !this.#mayLook() || !this.#isTaken(p))) return false;
    }
    if (kind === KIND.syn) {
      this.visited++;
      this.#visits.remember(p, target);
    }
    return true;
  }

  /**
   * Whether the kernel has a socket for the packet after all: a service that started since the last picture, or a
   * connection of this host's own from a port below the ephemeral ones, as NFS likes them.
   */
  #isTaken(p: Packet): boolean {
    const local = [p.target0, p.target1, p.target2, p.target3] as const;
    const remote = [p.source0, p.source1, p.source2, p.source3] as const;
    const { family, protocol, targetPort, sourcePort, interfaceIndex } = p;
    const state = this.#listeners.ask(
      family,
      protocol,
      local,
      targetPort,
      remote,
      sourcePort,
      interfaceIndex,
    );
    if (state !== 0) this.#onOrdinary();
    return state !== 0;
  }

  /** The contacts of a suspect that are failures still, now that the kernel is asked. */
  failuresOf(suspects: Suspects, entry: number, contacts: readonly Contact[]): Contact[] {
    const { family, words } = suspects.source(entry);
    const interfaceIndex = suspects.interfaceIndex(entry);
    const failed = contacts.filter(({ target, port, protocol }) => {
      const local = this.#locals.wordsOf(target);
      const isOpen = this.#mayAsk()
        ? this.#listeners.ask(family, protocol, local, port, words, 0, interfaceIndex) !== 0
        : this.#listeners.inUse(family, protocol, ...local, port);
      return !isOpen && !this.#listeners.wasInUse(family, protocol, port);
    });
    if (failed.length < contacts.length) this.#onOrdinary();
    return failed;
  }

  /** The connections to ports in use that a suspect holds right now. */
  standingOf(suspects: Suspects, entry: number): Standing {
    const { family, words } = suspects.source(entry);
    const visits = this.#visits.of(family, words[0], words[1]);
    if (this.oneIn > 1 && this.#mayWalk()) {
      const served = this.#listeners
        .connectionsOf(family, words)
        .filter((port) => this.#listeners.isServed(family, port));
      const passed = visits.filter(({ port }) => this.#listeners.isPassedOn(family, port)).length;
      return { connections: served.length, successes: new Set(served).size + this.#successesOf(passed) };
    }
    const ports = new Set<number>();
    let connections = 0;
    let passedOn = 0;
    for (const visit of visits) {
      if (!this.#mayAsk()) break;
      const { port, source, sourcePort, interfaceIndex } = visit;
      const local = this.#locals.wordsOf(visit.target);
      const state = this.#listeners.ask(
        family,
        PROTOCOL.tcp,
        local,
        port,
        source,
        sourcePort,
        interfaceIndex,
      );
      if (state === 0 && this.#listeners.isPassedOn(family, port)) passedOn++;
      if (!isConnected(state)) continue;
      connections++;
      ports.add(port);
    }
    return { connections, successes: ports.size + this.#successesOf(passedOn) };
  }

  #successesOf(passedOn: number): number {
    return Math.min(PASSED_ON_AT_MOST, Math.floor((passedOn * this.oneIn) / PASSED_ON_VISITS));
  }

  /** For the questions before a verdict. */
  #mayAsk(): boolean {
    this.#beginSecond();
    return this.#asked++ < QUESTIONS_PER_SECOND;
  }

  /** For the first look at a probe: a flood of those must not use up the questions that decide. */
  #mayLook(): boolean {
    return this.#looked++ < LOOKS_PER_SECOND;
  }

  /** True once a second. By the packets' own time: asking the clock for each would cost as much as all the rest. */
  #beginsSecond(atMs: number): boolean {
    const second = Math.floor(atMs / 1_000);
    if (second === this.#packetSecond) return false;
    this.#packetSecond = second;
    this.#looked = 0;
    return true;
  }

  #mayWalk(): boolean {
    this.#beginSecond();
    return this.#walked++ < WALKS_PER_SECOND;
  }

  #beginSecond(): void {
    const second = Math.floor(this.#clock.monotonicMs() / 1_000);
    if (second === this.#second) return;
    this.#second = second;
    this.#asked = 0;
    this.#walked = 0;
  }
}

/** Whether the protocol has ports. */
export function hasPorts(protocol: number): boolean {
  return protocol === PROTOCOL.tcp || protocol === PROTOCOL.udp || protocol === PROTOCOL.sctp;
}
