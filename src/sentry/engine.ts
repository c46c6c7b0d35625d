// The way of a packet through the sentry: decoded, classified, compared with what is in use, weighed. Live capture and
// recordings share it; it touches no socket, and time comes with the packets or from the clock it is given.
import type { PrefixSet } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import { formatDuration } from "../core/duration.ts";
import type { DistributedScan, Scan } from "../core/events.ts";
import { Admission } from "./admission.ts";
import { classify, isAmbiguous, isImpossible, nameFlags } from "./classify.ts";
import { Conversations } from "./conversations.ts";
import { newCounters } from "./counters.ts";
import { decode, emptyPacket, REFUSALS } from "./decode.ts";
import { DEFAULT_THRESHOLDS, judge, levelOf, scoreToReach, type Thresholds, weightOf } from "./detect.ts";
import { distributedScanOf, knownBy, scanOf, sourceOf } from "./evidence.ts";
import { hintOf } from "./hints.ts";
import { ephemeralPorts, type Listeners } from "./listeners.ts";
import type { LocalAddresses } from "./local.ts";
import { recallSuspects, saveSuspects } from "./memory.ts";
import { Neighbourhoods } from "./neighbourhoods.ts";
import { isImpossibleSource } from "./plausible.ts";
import { PrefixMatcher } from "./prefixes.ts";
import { type KeptPacket, Recorder } from "./recorder.ts";
import { contactHash, estimate, mark, type Record, Scanners } from "./scanners.ts";
import { hasPorts, Served } from "./served.ts";
import { Spread, type SpreadFinding } from "./spread.ts";
import { CALM, PAROLE, SCANNER, Suspects } from "./suspects.ts";
import type { Source } from "./tables.ts";
import { type Frame, KIND, type Packet, PROTOCOL } from "./types.ts";

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
  /** Ports that the guarded host takes for its own connections; this machine's unless given. */
  readonly ephemeral?: readonly [first: number, last: number];
  /** Secret of the hash tables. */
  readonly seed: number;
  readonly nameOf: (interfaceIndex: number) => string;
  /** A scan to be told. Returns false when it could not be told now; it is offered again at the next probe. */
  readonly onScan: (scan: Scan) => boolean;
  /** A pattern of many sources to be told. */
  readonly onDistributed?: (scan: DistributedScan) => void;
  /** Called with each scan told and the packets kept of it; nothing is kept without it. */
  readonly onEvidence?: (scan: Scan, packets: readonly KeptPacket[]) => void;
  /** Called for a target that is not ours; true when our addresses were read anew and it is worth asking again. */
  readonly onForeign?: () => boolean;
  /** Called when a port turned out to be in use that the kernel's filter still hands over. */
  readonly onOrdinary?: () => void;
};

// A SYN and the ACK that completes its handshake lie a round trip apart; whoever goes on probing brings the next chance.
const HANDSHAKE_MS = 2;

const NFS_PORT = 2_049;
// sunrpc.min_resvport, Documentation/admin-guide/kernel-parameters.txt
const LEAST_RESERVED_PORT = 665;

// RFC 1858: filters that look at first fragments only are passed by that way.
const TINY = "a first fragment that is too short to hold a TCP header";

const TRIPWIRE = 1;
const EXCLUDED = 2;

export class Engine {
  readonly counters = newCounters();
  readonly suspects: Suspects;
  readonly #locals: LocalAddresses;
  /** Of one shape whoever gave it: code that the rehearsal compiled fits. */
  readonly #ask: Pick<EngineOptions, "nameOf" | "onScan" | "onDistributed" | "onEvidence" | "onForeign">;
  readonly #thresholds: Thresholds;
  readonly #scoreToReach: number;
  readonly #scanners = new Scanners();
  readonly #conversations: Conversations;
  readonly #served: Served;
  readonly #neighbourhoods: Neighbourhoods;
  readonly #admission: Admission;
  readonly #spread: Spread;
  readonly #ignore: PrefixMatcher;
  readonly #portMarks = new Uint8Array(65_536);
  readonly #packet: Packet = emptyPacket();
  readonly #recorder: Recorder | null;
  #frame: Frame | null = null;
  readonly #ephemeral: readonly [first: number, last: number];

  constructor(options: EngineOptions) {
    this.#locals = options.locals;
    this.#ephemeral = options.ephemeral ?? ephemeralPorts();
    const { nameOf, onScan, onDistributed, onEvidence, onForeign } = options;
    this.#ask = { nameOf, onScan, onDistributed, onEvidence, onForeign };
    // Signed: hashing a number above 2^31 costs more.
    const seed = options.seed | 0;
    this.#thresholds = { ...DEFAULT_THRESHOLDS, ...options.thresholds };
    this.#scoreToReach = scoreToReach(this.#thresholds);
    this.suspects = new Suspects(options.maxStateBytes, seed);
    this.#conversations = new Conversations(seed);
    this.#served = new Served({ ...options, seed });
    this.#admission = new Admission(seed);
    this.#neighbourhoods = new Neighbourhoods(seed, this.#thresholds);
    this.#spread = new Spread(this.#thresholds.spread, this.#thresholds.repeatMs, seed);
    this.#recorder = options.onEvidence === undefined ? null : new Recorder();
    this.#ignore = new PrefixMatcher(options.ignore);
    for (const port of options.tripwirePorts ?? []) this.#portMarks[port]! |= TRIPWIRE;
    for (const port of options.excludePorts ?? []) this.#portMarks[port]! |= EXCLUDED;
  }

  /** SYNs to ports in use so far. */
  get visited(): number {
    return this.#served.visited;
  }

  /** Sources that gave way to others or were not taken in for want of room. */
  get forgotten(): number {
    return this.suspects.evicted + this.#admission.passedOver;
  }

  /** Calls `take` for each known scanner with the packets that came of it since the last call. */
  eachLoud(least: number, take: (family: 4 | 6, words: Source, packets: number) => void): void {
    for (const [entry, record] of this.#scanners.entries()) {
      const packets = record.packets;
      record.packets = 0;
      if (packets < least) continue;
      const { family, words } = this.suspects.source(entry);
      take(family, words, packets);
    }
  }

  /** Says that of so many SYNs to ports in use one is handed over; 1 for all of them. */
  setSampled(oneIn: number): void {
    this.#served.oneIn = oneIn;
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
    // To everybody, to a group, to another machine: live, the kernel's filter keeps those to itself.
    if (frame.direction !== 0 && !packet.sent) {
      counters.notOurs++;
      return;
    }
    if (packet.sent) {
      counters.sent++;
      if (packet.protocol === PROTOCOL.udp) this.#conversations.remember(packet);
      else if (packet.protocol === PROTOCOL.tcp && (packet.flags & 0x17) === 0x12)
        this.#served.answered(packet);
      return;
    }
    const kind = classify(packet);
    if (kind === KIND.none) {
      counters.answers++;
      return;
    }
    if (kind === KIND.protocol) packet.targetPort = packet.protocol;
    this.#frame = frame;
    const entry = this.suspects.find(packet);
    if (entry >= 0 && this.suspects.state(entry) === SCANNER) this.#observeScanner(entry, kind);
    else this.#observeStranger(entry, kind);
  }

  /** Notes a datagram as one that was sent, for recordings that do not say who recorded them. */
  overhear(frame: Frame): void {
    const packet = this.#packet;
    if (decode(frame, packet) === 0 && packet.protocol === PROTOCOL.udp) this.#conversations.remember(packet);
  }

  /** What is held against sources, for `recall` after a restart. */
  save(): string {
    return saveSuspects(this.suspects, this.#locals);
  }

  /** Takes up again what was saved; returns how many sources that were. */
  recall(saved: string): number {
    return recallSuspects(saved, this.suspects, this.#scanners, this.#locals);
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
    record.packets++;
    const target = this.#targetOf();
    if (target < 0 || (!isImpossible(kind) && this.#served.takes(packet, kind, target, true))) {
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
      record.proven = this.#served.standingOf(suspects, entry).connections > 0;
      if (record.proven) this.#tell(entry, record, `${knownBy(record)}; it completed a handshake`);
    }
  }

  #observeStranger(found: number, kind: number): void {
    const { counters, suspects } = this;
    const packet = this.#packet;
    if (isImpossibleSource(packet, this.#locals)) {
      counters.impossibleSources++;
      return;
    }
    let target = this.#targetOf();
    if (target < 0 && this.#ask.onForeign?.()) target = this.#targetOf();
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
    if (!isImpossible(kind) && this.#served.takes(packet, kind, target)) {
      counters.inUse++;
      return;
    }
    if (isAmbiguous(kind) && this.#isLeftOver()) {
      counters.answers++;
      return;
    }
    const isRepeat = found >= 0 && suspects.hasContact(found, target, packet.targetPort);
    if (isRepeat && suspects.state(found) === CALM && !isImpossible(kind)) {
      counters.repeats++;
      counters.probes++;
      suspects.touch(found, packet.atMs);
      return;
    }
    counters.probes++;
    this.#recorder?.keep(this.#frame!, packet);
    if (isImpossible(kind)) {
      const entry = this.#note(found, kind, target);
      this.#accuse(
        entry,
        "flags",
        packet.tiny ? TINY : `TCP flags no stack sends: ${nameFlags(packet.flags & 0x3f)}`,
      );
    } else if ((marks & TRIPWIRE) !== 0 && hasPorts(packet.protocol)) {
      const entry = this.#note(found, kind, target);
      this.#accuse(entry, "tripwire", `tripwire port ${packet.targetPort}`);
    } else if (found >= 0 && suspects.state(found) === PAROLE) {
      const entry = this.#note(found, kind, target);
      this.#accuse(entry, "vertical", "probes again after its block was lifted");
    } else if (found < 0 && !this.#admission.admits(packet.atMs)) {
      return; // One of a flood of sources, of which a share is remembered.
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
      packet.hint = hintOf(this.#frame!, packet);
      suspects.addContact(entry, target, kind, packet);
      const shape = kind === KIND.ping ? "sweep" : "vertical";
      const within = formatDuration(this.#thresholds.weakFadeMs);
      this.#accuse(entry, shape, `${bits} of 32 bits of weak evidence within ${within}`);
    } else {
      const elsewhere = found >= 0 && suspects.hasPortElsewhere(found, packet.targetPort);
      const entry = this.#note(found, kind, target);
      const score = suspects.score(entry) + weightOf(kind, elsewhere);
      suspects.setScore(entry, score);
      if (score >= this.#scoreToReach) this.#consider(entry);
      const hash = contactHash(target, packet.targetPort, packet.protocol);
      if (suspects.state(entry) !== SCANNER && this.#neighbourhoods.isScanning(packet, hash))
        this.#accuse(entry, "vertical", "one of several networks of its /48 that scan together");
      this.#watchSpread(entry, kind, target);
    }
  }

  /**
   * Adds a stranger's contact to what strangers do together. Ports that this host takes for its own connections are left
   * out: peers of its own programs come back to those.
   */
  #watchSpread(entry: number, kind: number, target: number): void {
    const packet = this.#packet;
    const [first, last] = this.#ephemeral;
    if (!hasPorts(packet.protocol) || isAmbiguous(kind)) return;
    if (packet.targetPort >= first && packet.targetPort <= last) return;
    const found = this.#spread.add(packet, target, kind, this.suspects.contactCount(entry));
    if (found !== null) this.#tellSpread(found);
  }

  #tellSpread(finding: SpreadFinding): void {
    this.counters.distributed++;
    this.#ask.onDistributed?.(distributedScanOf(finding, this.#packet.atMs, this.#locals, this.#ask.nameOf));
  }

  /** Looks again at everything held against a source, asking the kernel, and accuses it if that still is enough. */
  #consider(entry: number): void {
    const { suspects } = this;
    const contacts = suspects.contacts(entry);
    const sinceMs = this.#packet.atMs - this.#thresholds.forgetMs;
    const recent = contacts.filter(({ atMs }) => atMs >= sinceMs);
    const failed = this.#served.failuresOf(suspects, entry, recent);
    if (failed.length < contacts.length) suspects.setContacts(entry, failed);
    const { connections, successes } = this.#served.standingOf(suspects, entry);
    const judgement = judge({ failed, connections, connectedPorts: successes }, this.#thresholds);
    if (judgement.scanner) this.#accuse(entry, judgement.shape, judgement.reason, connections > 0);
    // Successes count against the score only while they last: the next failure asks again.
    else suspects.setScore(entry, failed.length < contacts.length ? judgement.score : this.#scoreToReach);
  }

  #accuse(
    entry: number,
    shape: Scan["shape"],
    reason: string,
    proven = this.#served.standingOf(this.suspects, entry).connections > 0,
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
    const source = sourceOf(this.suspects, entry, this.#packet);
    const scan = scanOf(
      this.suspects,
      entry,
      record,
      { source, reason, lastAtMs: packet.atMs },
      this.#locals,
      this.#ask.nameOf,
    );
    const told = this.#ask.onScan(scan);
    if (told) {
      this.counters.scans++;
      record.toldAtMs = packet.atMs;
      if (this.#recorder !== null) {
        const { family, words } = this.suspects.source(entry);
        this.#ask.onEvidence!(scan, this.#recorder.take(family, words[0], words[1]));
      }
    }
    return told;
  }

  #claim(): number {
    const entry = this.suspects.claim(this.#packet);
    this.#scanners.remove(entry);
    return entry;
  }

  #note(found: number, kind: number, target: number): number {
    const entry = found >= 0 ? found : this.#claim();
    this.#packet.hint = hintOf(this.#frame!, this.#packet);
    this.suspects.addContact(entry, target, kind, this.#packet);
    this.suspects.touch(entry, this.#packet.atMs);
    return entry;
  }

  #targetOf(): number {
    const p = this.#packet;
    return this.#locals.numberOf(p.family, p.target0, p.target1, p.target2, p.target3);
  }

  /**
   * What a service sends on a connection of ours that this host has forgotten: after a reboot or a kill the database and
   * the proxy go on for minutes, each of their connections to another port. An ACK scan of just these ports, from the
   * port of a service, gains what it says about a filter there, and no open port. NFS has its connections, up to sixteen of
   * them (nconnect, nfs(5)), at reserved ports on our side.
   */
  #isLeftOver(): boolean {
    const { sourcePort, targetPort } = this.#packet;
    const [first, last] = this.#ephemeral;
    if (sourcePort === NFS_PORT) return targetPort >= LEAST_RESERVED_PORT && targetPort <= last;
    return sourcePort < first && targetPort >= first && targetPort <= last;
  }

  /** Echo requests, and datagrams that look like a late answer to one of ours. */
  #isWeak(kind: number): boolean {
    const packet = this.#packet;
    if (kind === KIND.ping) return true;
    return kind === KIND.udp && packet.sourcePort < 1_024 && packet.targetPort >= this.#ephemeral[0];
  }
}
