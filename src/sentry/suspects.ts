// What is remembered of each source, in one block of memory that never grows: attackers choose the addresses. Sources
// sit in groups of eight; in a full group the one with the least against it gives way, a known scanner last.
//
// An IPv4 source is its address; an IPv6 source is its /64, which one machine has to itself. On a link (fe80::/10) all
// neighbours share the /64, so there each address counts.
import { bitsIn, finish, mix } from "./hash.ts";
import type { Packet } from "./types.ts";

/** First contacts kept per source: one more than a verdict needs when every one of them counts half. */
export const CONTACTS = 6;

// What a packet of a stranger makes us look at in all eight entries of a group lies side by side, apart from the rest of
// them: a forged flood brings a new source with each packet, and each of them used to read eight entries from memory.
const WAYS = 8;
const BODY_WORDS = 25;
const TAG_BYTES = 4;
const COUNT_BYTES = 4;
const SCORE_BYTES = 4;
const TIME_BYTES = 8;
export const BYTES_PER_SOURCE = TAG_BYTES + COUNT_BYTES + SCORE_BYTES + 2 * TIME_BYTES + BODY_WORDS * 4;

// Places within the body of an entry, in words.
const SOURCE = 0;
const FAMILY = 4; // and the interface: family in the highest byte
const WEAK_BITS = 5;
const WEAK_AT_S = 6;
const CONTACT = 7; // three words each: port and kind, target with hint and flags, milliseconds after the first

export const CALM = 0;
export const SCANNER = 1;
/** Served its time: one more probe is enough. */
export const PAROLE = 2;

export type Contact = {
  readonly port: number;
  readonly protocol: number;
  readonly kind: number;
  readonly flags: number;
  readonly target: number;
  readonly atMs: number;
  /** Index into HINTS. */
  readonly hint: number;
};

/** Entries are numbered from 0. */
export class Suspects {
  readonly capacity: number;
  readonly #groups: number;
  /** The hash of each source; 0 for an empty entry. */
  readonly #tags: Uint32Array;
  /** State in the highest byte, and the number of distinct contacts. */
  readonly #counts: Uint32Array;
  readonly #scores: Float32Array;
  readonly #lastAtMs: Float64Array;
  readonly #firstAtMs: Float64Array;
  readonly #bodies: Uint32Array;
  readonly #seed: number;
  /** Sources that gave way since the start. */
  evicted = 0;
  /** Scanners among them. */
  evictedScanners = 0;
  /** Sources remembered now. */
  size = 0;

  constructor(maxBytes: number, seed: number) {
    this.#groups = Math.max(1, Math.floor(maxBytes / (BYTES_PER_SOURCE * WAYS)));
    this.capacity = this.#groups * WAYS;
    this.#tags = new Uint32Array(this.capacity);
    this.#counts = new Uint32Array(this.capacity);
    this.#scores = new Float32Array(this.capacity);
    this.#lastAtMs = new Float64Array(this.capacity);
    this.#firstAtMs = new Float64Array(this.capacity);
    this.#bodies = new Uint32Array(this.capacity * BODY_WORDS);
    this.#seed = seed;
  }

  /** The source's entry, or -1. */
  find(packet: Packet): number {
    const tags = this.#tags;
    const tag = this.#tagOf(packet);
    const start = this.#groupOf(tag);
    for (let entry = start; entry < start + WAYS; entry++) {
      if (tags[entry] === tag && this.#holds(entry, packet)) return entry;
    }
    return -1;
  }

  /** A fresh entry for a source that has none. */
  claim(packet: Packet): number {
    const tags = this.#tags;
    const tag = this.#tagOf(packet);
    const start = this.#groupOf(tag);
    let victim = start;
    for (let entry = start; entry < start + WAYS && tags[victim] !== 0; entry++) {
      if (tags[entry] === 0 || this.#isLess(entry, victim)) victim = entry;
    }
    if (tags[victim] === 0) this.size++;
    else {
      this.evicted++;
      if (this.state(victim) === SCANNER) this.evictedScanners++;
    }
    tags[victim] = tag;
    this.#counts[victim] = 0;
    this.#scores[victim] = 0;
    this.#firstAtMs[victim] = packet.atMs;
    this.#lastAtMs[victim] = packet.atMs;
    const body = this.#bodies;
    const at = victim * BODY_WORDS;
    body[at + SOURCE] = packet.source0;
    body[at + SOURCE + 1] = packet.source1;
    body[at + SOURCE + 2] = packet.source2;
    body[at + SOURCE + 3] = packet.source3;
    body[at + FAMILY] = (packet.family << 24) | (packet.interfaceIndex & 0xff_ffff);
    body[at + WEAK_BITS] = 0;
    body[at + WEAK_AT_S] = 0;
    return victim;
  }

  /** Every source that is remembered. */
  *entries(): Generator<number> {
    for (let entry = 0; entry < this.capacity; entry++) if (this.#tags[entry] !== 0) yield entry;
  }

  remove(entry: number): void {
    if (this.#tags[entry] !== 0) this.size--;
    this.#tags[entry] = 0;
    this.#counts[entry] = 0;
  }

  score(entry: number): number {
    return this.#scores[entry]!;
  }

  setScore(entry: number, score: number): void {
    this.#scores[entry] = score;
  }

  state(entry: number): number {
    return this.#counts[entry]! >>> 24;
  }

  setState(entry: number, state: number): void {
    this.#counts[entry] = (this.#counts[entry]! & 0xff_ffff) | (state << 24);
  }

  firstAtMs(entry: number): number {
    return this.#firstAtMs[entry]!;
  }

  lastAtMs(entry: number): number {
    return this.#lastAtMs[entry]!;
  }

  touch(entry: number, atMs: number): void {
    this.#lastAtMs[entry] = atMs;
  }

  interfaceIndex(entry: number): number {
    return this.#bodies[entry * BODY_WORDS + FAMILY]! & 0xff_ffff;
  }

  /** Distinct contacts counted for the source; only the last CONTACTS of them are kept. */
  contactCount(entry: number): number {
    return this.#counts[entry]! & 0xffff;
  }

  /** Whether this source has tried that port at that target before. TCP and UDP of one port are one contact. */
  hasContact(entry: number, target: number, port: number): boolean {
    const count = Math.min(CONTACTS, this.contactCount(entry));
    for (let i = 0; i < count; i++) {
      const at = entry * BODY_WORDS + CONTACT + i * 3;
      if (this.#bodies[at]! >>> 16 === port && this.#bodies[at + 1]! >>> 16 === target) return true;
    }
    return false;
  }

  /** Whether this source has tried that port at another target. */
  hasPortElsewhere(entry: number, port: number): boolean {
    const count = Math.min(CONTACTS, this.contactCount(entry));
    const first = entry * BODY_WORDS + CONTACT;
    for (let i = 0; i < count; i++) if (this.#bodies[first + i * 3]! >>> 16 === port) return true;
    return false;
  }

  addContact(entry: number, target: number, kind: number, packet: Packet): void {
    const words = this.#bodies;
    const count = this.contactCount(entry);
    const at = entry * BODY_WORDS + CONTACT + (count % CONTACTS) * 3;
    const port = packet.targetPort;
    words[at] = ((port << 16) | (packet.protocol << 8) | kind) >>> 0;
    words[at + 1] = ((target << 16) | (packet.hint << 8) | packet.flags) >>> 0;
    words[at + 2] = offsetMs(packet.atMs - this.firstAtMs(entry));
    if (count < 0xffff) this.#counts[entry]!++;
  }

  /** Replaces what is kept, after some of it proved harmless. */
  setContacts(entry: number, contacts: readonly Contact[]): void {
    const words = this.#bodies;
    const firstAtMs = this.firstAtMs(entry);
    const kept = contacts.slice(-CONTACTS);
    for (const [i, contact] of kept.entries()) {
      const at = entry * BODY_WORDS + CONTACT + i * 3;
      words[at] = ((contact.port << 16) | (contact.protocol << 8) | contact.kind) >>> 0;
      words[at + 1] = ((contact.target << 16) | (contact.hint << 8) | contact.flags) >>> 0;
      words[at + 2] = offsetMs(contact.atMs - firstAtMs);
    }
    this.#counts[entry] = (this.#counts[entry]! & 0xff00_0000) | kept.length;
  }

  /** Oldest first. */
  contacts(entry: number): Contact[] {
    const count = this.contactCount(entry);
    const kept = Math.min(CONTACTS, count);
    const out: Contact[] = [];
    for (let i = count - kept; i < count; i++) {
      const at = entry * BODY_WORDS + CONTACT + (i % CONTACTS) * 3;
      const a = this.#bodies[at]!;
      const b = this.#bodies[at + 1]!;
      out.push({
        port: a >>> 16,
        protocol: (a >>> 8) & 0xff,
        kind: a & 0xff,
        target: b >>> 16,
        hint: (b >>> 8) & 0xff,
        flags: b & 0xff,
        atMs: this.firstAtMs(entry) + this.#bodies[at + 2]!,
      });
    }
    return out;
  }

  /**
   * Counts a contact that says little by itself: 32 bits stand for which ones there were, and fade together.
   * @returns how many different ones, at most 32
   */
  addWeak(entry: number, hash: number, atMs: number, fadeMs: number): number {
    const words = this.#bodies;
    const at = entry * BODY_WORDS;
    const nowS = Math.floor(atMs / 1_000);
    if (nowS - words[at + WEAK_AT_S]! > fadeMs / 1_000) {
      words[at + WEAK_BITS] = 0;
      words[at + WEAK_AT_S] = nowS;
    }
    words[at + WEAK_BITS]! |= 1 << (hash & 31);
    return bitsIn(words[at + WEAK_BITS]!);
  }

  source(entry: number): { family: 4 | 6; words: [number, number, number, number] } {
    const w = this.#bodies;
    const at = entry * BODY_WORDS;
    return {
      family: w[at + FAMILY]! >>> 24 === 4 ? 4 : 6,
      words: [w[at]!, w[at + 1]!, w[at + 2]!, w[at + 3]!],
    };
  }

  #tagOf(packet: Packet): number {
    let h = mix(this.#seed, packet.source0);
    if (packet.family === 6) {
      h = mix(h, packet.source1);
      if (isLinkLocal(packet)) h = mix(mix(h, packet.source2), packet.source3);
    }
    return finish(h) || 1;
  }

  /** The first entry of the group. */
  #groupOf(tag: number): number {
    return Math.floor((tag / 0x8000_0000) * this.#groups) * WAYS;
  }

  #holds(entry: number, packet: Packet): boolean {
    const w = this.#bodies;
    const at = entry * BODY_WORDS;
    if (w[at + FAMILY]! >>> 24 !== packet.family || (w[at]! | 0) !== (packet.source0 | 0)) return false;
    if (packet.family === 4) return true;
    if ((w[at + 1]! | 0) !== (packet.source1 | 0)) return false;
    return (
      !isLinkLocal(packet) ||
      ((w[at + 2]! | 0) === (packet.source2 | 0) && (w[at + 3]! | 0) === (packet.source3 | 0))
    );
  }

  /** Whether losing `a` costs less than losing `b`. */
  #isLess(a: number, b: number): boolean {
    const stateA = this.state(a) === CALM ? 0 : 1;
    const stateB = this.state(b) === CALM ? 0 : 1;
    if (stateA !== stateB) return stateA < stateB;
    const scoreA = this.score(a);
    const scoreB = this.score(b);
    if (scoreA !== scoreB && stateA === 0) return scoreA < scoreB;
    return this.lastAtMs(a) < this.lastAtMs(b);
  }
}

function isLinkLocal(packet: Packet): boolean {
  return packet.source0 >>> 22 === 0x3fa;
}

/** Fits 32 bits: evidence more than 49 days after the first keeps that distance. */
function offsetMs(sinceFirstMs: number): number {
  return Math.min(0xffff_ffff, Math.max(0, Math.floor(sinceFirstMs)));
}
