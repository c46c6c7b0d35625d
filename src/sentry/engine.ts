// The way of a packet through the sentry: decoded, classified, compared with what is in use, weighed. Live capture and
// recordings share it; it touches no socket, and time comes with the packets or from the clock it is given.
import type { Address, PrefixSet } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { Probe, Scan } from "../core/events.ts";
import { classify, isAmbiguous, isImpossible, nameFlags } from "./classify.ts";
import { Conversations } from "./conversations.ts";
import { decode, emptyPacket, REFUSALS } from "./decode.ts";
import { DEFAULT_THRESHOLDS, judge, levelOf, scoreToReach, type Thresholds, weightOf } from "./detect.ts";
import { finish, mix } from "./hash.ts";
import { ephemeralPorts, type Listeners } from "./listeners.ts";
import { addressOfWords, type LocalAddresses } from "./local.ts";
import { PrefixMatcher } from "./prefixes.ts";
import { estimate, mark, type Record, Scanners } from "./scanners.ts";
import { CALM, type Contact, PAROLE, SCANNER, Suspects } from "./suspects.ts";
import { type Frame, KIND, KINDS, type Packet, PROTOCOL } from "./types.ts";
import { Visits } from "./visits.ts";

export type EngineOptions = {
  readonly listeners: Listeners;
  readonly locals: LocalAddresses;
  readonly clock: Clock;
  readonly thresholds?: Partial<Thresholds>;
  /** One touch of these ports, TCP or UDP, is a scan. */
  readonly tripwirePorts?: readonly number[];
  /** Probes of these ports never count. */
  readonly excludePorts?: readonly number[];
  /** Sources that never count. */
  readonly ignore?: PrefixSet;
  readonly maxStateBytes: number;
  /** Secret of the hash tables. */
  readonly seed: number;
  readonly nameOf: (interfaceIndex: number) => string;
  /** A scan to be told. Returns false when it could not be told now; it is offered again at the next probe. */
  readonly onScan: (scan: Scan) => boolean;
  /** Called when a port turned out to be in use that the kernel's filter still hands over. */
  readonly onOrdinary?: () => void;
};

/** What became of the packets; every one is in exactly one of these, refusals by reason. */
export type Counters = {
  packets: number;
  /** Probes counted: of strangers, of known scanners, and repeated ones. */
  probes: number;
  repeats: number;
  ofScanners: number;
  /** Not probes: answers, traffic to ports in use, other hosts' traffic, ignored sources and ports. */
  answers: number;
  inUse: number;
  /** SYNs to ports in use; counted in inUse too. */
  visits: number;
  notOurs: number;
  ignored: number;
  sent: number;
  /** Sources no honest packet has: multicast, unspecified, loopback from outside, our own address. */
  impossibleSources: number;
  refused: { [reason: string]: number };
  scans: number;
};

const STALE_MS = 5_000;
// At 4 microseconds each, at most 1 % of a core.
const QUESTIONS_PER_SECOND = 2_500;
// A SYN and the ACK that completes its handshake lie a round trip apart; whoever goes on probing brings the next chance.
const HANDSHAKE_MS = 2;

const TRIPWIRE = 1;
const EXCLUDED = 2;

export class Engine {
  readonly counters: Counters = {
    packets: 0,
    probes: 0,
    repeats: 0,
    ofScanners: 0,
    answers: 0,
    inUse: 0,
    visits: 0,
    notOurs: 0,
    ignored: 0,
    sent: 0,
    impossibleSources: 0,
    refused: Object.fromEntries(REFUSALS.slice(1).map((reason) => [reason, 0])),
    scans: 0,
  };
  readonly suspects: Suspects;
  readonly #options: EngineOptions;
  readonly #thresholds: Thresholds;
  readonly #scoreToReach: number;
  readonly #scanners = new Scanners();
  readonly #conversations: Conversations;
  readonly #visits: Visits;
  readonly #ignore: PrefixMatcher;
  readonly #portMarks = new Uint8Array(65_536);
  readonly #packet: Packet = emptyPacket();
  readonly #ephemeralFirst = ephemeralPorts()[0];
  #asked = 0;
  #askedInSecond = 0;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#thresholds = { ...DEFAULT_THRESHOLDS, ...options.thresholds };
    this.#scoreToReach = scoreToReach(this.#thresholds);
    this.suspects = new Suspects(options.maxStateBytes, options.seed);
    this.#conversations = new Conversations(options.seed);
    this.#visits = new Visits(options.seed);
    this.#ignore = new PrefixMatcher(options.ignore);
    for (const port of options.tripwirePorts ?? []) this.#portMarks[port]! |= TRIPWIRE;
    for (const port of options.excludePorts ?? []) this.#portMarks[port]! |= EXCLUDED;
  }

  /** Takes one packet; the frame may be used again afterwards. */
  observe(frame: Frame): void {
    const counters = this.counters;
    const packet = this.#packet;
    counters.packets++;
    const refusal = decode(frame, packet);
    if (refusal !== 0) {
      counters.refused[REFUSALS[refusal]!]!++;
      return;
    }
    if (packet.sent) {
      counters.sent++;
      if (packet.protocol === PROTOCOL.udp) this.#conversations.remember(packet);
      return;
    }
    const kind = classify(packet);
    if (kind === KIND.none) {
      counters.answers++;
      return;
    }
    if (kind === KIND.protocol) packet.targetPort = packet.protocol;
    const entry = this.suspects.find(packet);
    if (entry >= 0 && this.suspects.state(entry) === SCANNER) this.#observeScanner(entry, kind);
    else this.#observeStranger(entry, kind);
  }

  /** Notes a datagram as one that was sent, for recordings that do not say who recorded them. */
  overhear(frame: Frame): void {
    const packet = this.#packet;
    if (decode(frame, packet) === 0 && packet.protocol === PROTOCOL.udp) this.#conversations.remember(packet);
  }

  /**
   * Ends what is held against a source, or a prefix, whose block was lifted: after `parole` one more probe is enough for
   * a scan; without, it is a stranger again.
   */
  release(family: 4 | 6, words: readonly [number, number, number, number], parole: boolean): void {
    const packet = emptyPacket();
    packet.family = family;
    [packet.source0, packet.source1, packet.source2, packet.source3] = words;
    const entry = this.suspects.find(packet);
    if (entry < 0) return;
    this.#scanners.remove(entry);
    if (parole) this.suspects.setState(entry, PAROLE);
    else this.suspects.remove(entry);
  }

  #observeScanner(entry: number, kind: number): void {
    const packet = this.#packet;
    const { counters, suspects } = this;
    counters.ofScanners++;
    suspects.touch(entry, packet.atMs);
    const record = this.#scanners.get(entry);
    if (record === undefined) return;
    const target = this.#targetOf();
    if (target < 0 || (!isImpossible(kind) && this.#isInUse(kind, target))) {
      if (kind === KIND.syn && target >= 0) record.visitAtMs = packet.atMs;
      return;
    }
    counters.probes++;
    record.probes++;
    if (mark(record, contactHash(target, packet.targetPort, packet.protocol))) {
      const level = levelOf(estimate(record), this.#thresholds);
      if (level > record.level && this.#tell(entry, record, knownBy(record))) record.level = level;
    }
    if (packet.atMs - record.toldAtMs > this.#thresholds.repeatMs) {
      const again = record.toldAtMs === Number.NEGATIVE_INFINITY ? "" : ", still at it";
      this.#tell(entry, record, `${knownBy(record)}${again}`);
    }
    if (!record.proven && record.visitAtMs > 0 && packet.atMs - record.visitAtMs > HANDSHAKE_MS) {
      record.visitAtMs = 0;
      record.proven = this.#standingOf(entry).connections > 0;
      if (record.proven) this.#tell(entry, record, `${knownBy(record)}; it completed a handshake`);
    }
  }

  #observeStranger(found: number, kind: number): void {
    const { counters, suspects } = this;
    const packet = this.#packet;
    if (isImpossibleSource(packet, this.#options.locals)) {
      counters.impossibleSources++;
      return;
    }
    const target = this.#targetOf();
    if (target < 0) {
      counters.notOurs++;
      return;
    }
    const marks = this.#portMarks[packet.targetPort]!;
    if (
      (marks & EXCLUDED) !== 0 ||
      this.#ignore.has(packet.family, packet.source0, packet.source1, packet.source2, packet.source3)
    ) {
      counters.ignored++;
      return;
    }
    if (kind === KIND.udp && this.#conversations.has(packet)) {
      counters.answers++;
      return;
    }
    if (found >= 0 && suspects.hasContact(found, target, packet.targetPort)) {
      const state = suspects.state(found);
      if (state === CALM && !isImpossible(kind)) {
        counters.repeats++;
        counters.probes++;
        suspects.touch(found, packet.atMs);
        return;
      }
    }
    if (!isImpossible(kind) && this.#isInUse(kind, target)) {
      counters.inUse++;
      return;
    }
    counters.probes++;
    if (isImpossible(kind)) {
      const entry = this.#note(found, kind, target);
      const what = packet.tiny ? "a first fragment too short for its flags" : nameFlags(packet.flags & 0x3f);
      this.#accuse(entry, "flags", `TCP flags no stack sends: ${what}`);
    } else if ((marks & TRIPWIRE) !== 0 && hasPorts(packet)) {
      const entry = this.#note(found, kind, target);
      this.#accuse(entry, "tripwire", `tripwire port ${packet.targetPort}`);
    } else if (found >= 0 && suspects.state(found) === PAROLE) {
      const entry = this.#note(found, kind, target);
      this.#accuse(entry, "vertical", "probes again after its block was lifted");
    } else if (this.#isWeak(kind)) {
      const entry = found >= 0 ? found : this.#claim();
      const bits = suspects.addWeak(
        entry,
        contactHash(target, packet.targetPort, packet.protocol),
        packet.atMs,
        this.#thresholds.weakFadeMs,
      );
      suspects.touch(entry, packet.atMs);
      if (bits < this.#thresholds.weakBits) return;
      suspects.addContact(entry, target, kind, packet);
      const shape = kind === KIND.ping ? "sweep" : "vertical";
      this.#accuse(entry, shape, `${bits} of 32 bits of weak evidence within ten minutes`);
    } else {
      const elsewhere = found >= 0 && suspects.hasPortElsewhere(found, packet.targetPort);
      const entry = this.#note(found, kind, target);
      const score = suspects.score(entry) + weightOf(kind, elsewhere);
      suspects.setScore(entry, score);
      if (score >= this.#scoreToReach) this.#consider(entry);
    }
  }

  /** Looks again at everything held against a source, asking the kernel, and accuses it if that still is enough. */
  #consider(entry: number): void {
    const { suspects } = this;
    const contacts = suspects.contacts(entry);
    const failed = contacts.filter((contact) => !this.#isServed(entry, contact));
    if (failed.length < contacts.length) {
      suspects.setContacts(entry, failed);
      this.#options.onOrdinary?.();
    }
    const { connections, ports } = this.#standingOf(entry);
    const judgement = judge({ failed, connections, connectedPorts: ports }, this.#thresholds);
    if (judgement.scanner) this.#accuse(entry, judgement.shape, judgement.reason, connections > 0);
    // Successes count against the score only while they last: the next failure asks again.
    else suspects.setScore(entry, failed.length < contacts.length ? judgement.score : this.#scoreToReach);
  }

  #isServed(entry: number, { target, port, protocol }: Contact): boolean {
    const { listeners, locals } = this.#options;
    const { family, words } = this.suspects.source(entry);
    const local = locals.wordsOf(target);
    const isOpen = this.#mayAsk()
      ? listeners.ask(family, protocol, local, port, words, 0, this.suspects.interfaceIndex(entry)) !== 0
      : listeners.inUse(family, protocol, ...local, port);
    return isOpen || listeners.wasInUse(family, protocol, port);
  }

  /** The connections to ports in use that the source holds right now, and how many ports that are. */
  #standingOf(entry: number): { connections: number; ports: number } {
    const { listeners, locals } = this.#options;
    const { family, words } = this.suspects.source(entry);
    const ports = new Set<number>();
    let connections = 0;
    for (const visit of this.#visits.of(family, words[0], words[1])) {
      if (!this.#mayAsk()) break;
      const { port, source, sourcePort, interfaceIndex } = visit;
      const local = locals.wordsOf(visit.target);
      const state = listeners.ask(family, PROTOCOL.tcp, local, port, source, sourcePort, interfaceIndex);
      if (!isConnected(state)) continue;
      connections++;
      ports.add(port);
    }
    return { connections, ports: ports.size };
  }

  /** A flood must not buy a question to the kernel with every packet. */
  #mayAsk(): boolean {
    const second = Math.floor(this.#options.clock.monotonicMs() / 1_000);
    if (second !== this.#askedInSecond) {
      this.#askedInSecond = second;
      this.#asked = 0;
    }
    return this.#asked++ < QUESTIONS_PER_SECOND;
  }

  #accuse(
    entry: number,
    shape: Scan["shape"],
    reason: string,
    proven = this.#standingOf(entry).connections > 0,
  ): void {
    const contacts = this.suspects.contacts(entry);
    const record = this.#scanners.add(entry, {
      probes: contacts.length,
      level: 0,
      toldAtMs: Number.NEGATIVE_INFINITY,
      visitAtMs: 0,
      proven,
      shape,
    });
    this.suspects.setState(entry, SCANNER);
    for (const contact of contacts) mark(record, contactHash(contact.target, contact.port, contact.protocol));
    this.#tell(entry, record, reason);
  }

  #tell(entry: number, record: Record, reason: string): boolean {
    const packet = this.#packet;
    const contacts = this.suspects.contacts(entry);
    const source = this.#sourceOf(entry);
    const told = this.#options.onScan({
      source,
      shape: record.shape,
      grade: record.proven ? "proven" : "spoofable",
      firstAt: new Date(this.suspects.firstAtMs(entry)).toISOString(),
      lastAt: new Date(packet.atMs).toISOString(),
      distinct: Math.max(contacts.length, estimate(record)),
      reason,
      probes: contacts.map((contact) => this.#probeOf(source, contact, entry)),
    });
    if (told) {
      this.counters.scans++;
      record.toldAtMs = packet.atMs;
    }
    return told;
  }

  /** For an IPv6 source the address that probed last: the block covers its /64 anyway. */
  #sourceOf(entry: number): Address {
    const packet = this.#packet;
    const { family, words } = this.suspects.source(entry);
    if (family === 4) return addressOfWords(4, words[0], 0, 0, 0);
    return addressOfWords(6, packet.source0, packet.source1, packet.source2, packet.source3);
  }

  #probeOf(source: Address, contact: Contact, entry: number): Probe {
    const kind = KINDS[contact.kind] || "protocol";
    return {
      at: new Date(contact.atMs).toISOString(),
      source,
      target: this.#options.locals.addressOf(contact.target),
      protocol: nameProtocol(contact.protocol),
      port: kind === "ping" ? 0 : contact.port,
      kind,
      ...(contact.protocol === PROTOCOL.tcp && contact.kind === KIND.flags
        ? { flags: nameFlags(contact.flags & 0x3f) }
        : {}),
      interface: this.#options.nameOf(this.suspects.interfaceIndex(entry)),
    };
  }

  #claim(): number {
    const entry = this.suspects.claim(this.#packet);
    this.#scanners.remove(entry);
    return entry;
  }

  #note(found: number, kind: number, target: number): number {
    const entry = found >= 0 ? found : this.#claim();
    this.suspects.addContact(entry, target, kind, this.#packet);
    this.suspects.touch(entry, this.#packet.atMs);
    return entry;
  }

  #targetOf(): number {
    const p = this.#packet;
    return this.#options.locals.numberOf(p.family, p.target0, p.target1, p.target2, p.target3);
  }

  #isInUse(kind: number, target: number): boolean {
    const { listeners } = this.#options;
    const p = this.#packet;
    if (!hasPorts(p)) return false;
    // Whoever runs the engine renews the picture more often than this; recordings and tests do not.
    if (listeners.ageMs() > STALE_MS) listeners.refresh();
    if (listeners.inUse(p.family, p.protocol, p.target0, p.target1, p.target2, p.target3, p.targetPort)) {
      if (kind === KIND.syn) {
        this.counters.visits++;
        this.#visits.remember(p, target);
      }
      return true;
    }
    if (!isAmbiguous(kind)) return listeners.wasInUse(p.family, p.protocol, p.targetPort);
    if (listeners.isBusy(p.family, p.targetPort)) return true;
    if (!this.#mayAsk()) return false;
    // A connection of this host's own from a port below the ephemeral ones: NFS and rsh like them.
    const local = [p.target0, p.target1, p.target2, p.target3] as const;
    const remote = [p.source0, p.source1, p.source2, p.source3] as const;
    const state = listeners.ask(
      p.family,
      p.protocol,
      local,
      p.targetPort,
      remote,
      p.sourcePort,
      p.interfaceIndex,
    );
    if (state !== 0) this.#options.onOrdinary?.();
    return state !== 0;
  }

  /** Echo requests, and datagrams that look like a late answer to one of ours. */
  #isWeak(kind: number): boolean {
    const packet = this.#packet;
    if (kind === KIND.ping) return true;
    return kind === KIND.udp && packet.sourcePort < 1_024 && packet.targetPort >= this.#ephemeralFirst;
  }
}

function knownBy(record: Record): string {
  return `known scanner: about ${estimate(record)} different contacts in ${record.probes} probes`;
}

/** Established, closing or in TIME_WAIT: whoever got there has answered our SYN|ACK (net/tcp_states.h). */
function isConnected(state: number): boolean {
  return (
    state === 1 || state === 4 || state === 5 || state === 6 || state === 8 || state === 9 || state === 11
  );
}

function contactHash(target: number, port: number, protocol: number): number {
  return finish(mix(mix(target, port), protocol));
}

function hasPorts(packet: Packet): boolean {
  const { protocol } = packet;
  return protocol === PROTOCOL.tcp || protocol === PROTOCOL.udp || protocol === PROTOCOL.sctp;
}

function nameProtocol(protocol: number): Probe["protocol"] {
  if (protocol === PROTOCOL.tcp) return "tcp";
  if (protocol === PROTOCOL.udp) return "udp";
  if (protocol === PROTOCOL.sctp) return "sctp";
  return protocol === PROTOCOL.icmp || protocol === PROTOCOL.icmp6 ? "icmp" : "ip";
}

/** Multicast, unspecified, class E, loopback to a target that is not, and our own addresses from outside. */
function isImpossibleSource(p: Packet, locals: LocalAddresses): boolean {
  if (p.family === 4) {
    const first = p.source0 >>> 24;
    if (first === 0 || first >= 224) return true;
    if (first === 127) return p.target0 >>> 24 !== 127;
    return !locals.any && p.source0 !== p.target0 && locals.numberOf(4, p.source0, 0, 0, 0) >= 0;
  }
  if (p.source0 >>> 24 === 0xff) return true;
  if (p.source0 === 0 && p.source1 === 0 && p.source2 === 0 && p.source3 <= 1) {
    return p.source3 === 0 || p.target0 !== 0 || p.target3 !== 1;
  }
  return false;
}
