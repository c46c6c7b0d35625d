// What is remembered of each source, in one block of memory that never grows: attackers choose the addresses. Sources
// sit in groups of eight; in a full group the one with the least against it gives way, a known scanner last.
//
// An IPv4 source is its address; an IPv6 source is its /64, which one machine has to itself. On a link (fe80::/10) all
// neighbours share the /64, so there each address counts.
import { bitsIn, finish, mix } from "./hash.ts";
import type { Packet } from "./types.ts";

/** First contacts kept per source: one more than a verdict needs when every one of them counts half. */
export const CONTACTS = 6;

const WAYS = 8;
const WORDS = 32;
export const BYTES_PER_SOURCE = WORDS * 4;

// Places within an entry of 32 words.
const FAMILY = 0;
const SOURCE = 1;
const SCORE = 5;
const FIRST_AT = 6;
const LAST_AT = 8;
const COUNT = 10;
const INTERFACE = 11;
const WEAK_BITS = 12;
const WEAK_AT_S = 13;
const CONTACT = 14; // three words each: port and kind, target with hint and flags, milliseconds after the first

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

export class Suspects {
  readonly capacity: number;
  readonly #groups: number;
  readonly #words: Uint32Array;
  readonly #scores: Float32Array;
  readonly #times: Float64Array;
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
    const memory = new ArrayBuffer(this.capacity * BYTES_PER_SOURCE);
    this.#words = new Uint32Array(memory);
    this.#scores = new Float32Array(memory);
    this.#times = new Float64Array(memory);
    this.#seed = seed;
  }

  /** The source's entry, or -1. */
  find(packet: Packet): number {
    const end = this.#groupOf(packet) + WAYS * WORDS;
    for (let entry = end - WAYS * WORDS; entry < end; entry += WORDS) {
      if (this.#holds(entry, packet)) return entry;
    }
    return -1;
  }

  /** A fresh entry for a source that has none. */
  claim(packet: Packet): number {
    const words = this.#words;
    const start = this.#groupOf(packet);
    let victim = -1;
    for (let entry = start; entry < start + WAYS * WORDS; entry += WORDS) {
      if (words[entry + FAMILY] === 0) {
        victim = entry;
        break;
      }
      if (victim < 0 || this.#isLess(entry, victim)) victim = entry;
    }
    if (words[victim + FAMILY] === 0) this.size++;
    else {
      this.evicted++;
      if (this.state(victim) === SCANNER) this.evictedScanners++;
    }
    words.fill(0, victim, victim + WORDS);
    words[victim + FAMILY] = packet.family;
    words[victim + SOURCE] = packet.source0;
    words[victim + SOURCE + 1] = packet.source1;
    words[victim + SOURCE + 2] = packet.source2;
    words[victim + SOURCE + 3] = packet.source3;
    this.#times[(victim + FIRST_AT) >>> 1] = packet.atMs;
    this.#times[(victim + LAST_AT) >>> 1] = packet.atMs;
    words[victim + INTERFACE] = packet.interfaceIndex;
    return victim;
  }

  /** Every source that is remembered. */
  *entries(): Generator<number> {
    for (let entry = 0; entry < this.#words.length; entry += WORDS) {
      if (this.#words[entry + FAMILY] !== 0) yield entry;
    }
  }

  remove(entry: number): void {
    if (this.#words[entry + FAMILY] !== 0) this.size--;
    this.#words.fill(0, entry, entry + WORDS);
  }

  score(entry: number): number {
    return this.#scores[entry + SCORE]!;
  }

  setScore(entry: number, score: number): void {
    this.#scores[entry + SCORE] = score;
  }

  state(entry: number): number {
    return this.#words[entry + COUNT]! >>> 24;
  }

  setState(entry: number, state: number): void {
    this.#words[entry + COUNT] = (this.#words[entry + COUNT]! & 0xff_ffff) | (state << 24);
  }

  firstAtMs(entry: number): number {
    return this.#times[(entry + FIRST_AT) >>> 1]!;
  }

  lastAtMs(entry: number): number {
    return this.#times[(entry + LAST_AT) >>> 1]!;
  }

  touch(entry: number, atMs: number): void {
    this.#times[(entry + LAST_AT) >>> 1] = atMs;
  }

  interfaceIndex(entry: number): number {
    return this.#words[entry + INTERFACE]!;
  }

  /** Distinct contacts counted for the source; only the last CONTACTS of them are kept. */
  contactCount(entry: number): number {
    return this.#words[entry + COUNT]! & 0xffff;
  }

  /** Whether this source has tried that port at that target before. TCP and UDP of one port are one contact. */
  hasContact(entry: number, target: number, port: number): boolean {
    const count = Math.min(CONTACTS, this.contactCount(entry));
    for (let i = 0; i < count; i++) {
      const at = entry + CONTACT + i * 3;
      if (this.#words[at]! >>> 16 === port && this.#words[at + 1]! >>> 16 === target) return true;
    }
    return false;
  }

  /** Whether this source has tried that port at another target. */
  hasPortElsewhere(entry: number, port: number): boolean {
    const count = Math.min(CONTACTS, this.contactCount(entry));
    for (let i = 0; i < count; i++) if (this.#words[entry + CONTACT + i * 3]! >>> 16 === port) return true;
    return false;
  }

  addContact(entry: number, target: number, kind: number, packet: Packet): void {
    const words = this.#words;
    const count = this.contactCount(entry);
    const at = entry + CONTACT + (count % CONTACTS) * 3;
    const port = packet.targetPort;
    words[at] = ((port << 16) | (packet.protocol << 8) | kind) >>> 0;
    words[at + 1] = ((target << 16) | (packet.hint << 8) | packet.flags) >>> 0;
    words[at + 2] = offsetMs(packet.atMs - this.firstAtMs(entry));
    if (count < 0xffff) words[entry + COUNT] = words[entry + COUNT]! + 1;
  }

  /** Replaces what is kept, after some of it proved harmless. */
  setContacts(entry: number, contacts: readonly Contact[]): void {
    const words = this.#words;
    const firstAtMs = this.firstAtMs(entry);
    const kept = contacts.slice(-CONTACTS);
    for (const [i, contact] of kept.entries()) {
      const at = entry + CONTACT + i * 3;
      words[at] = ((contact.port << 16) | (contact.protocol << 8) | contact.kind) >>> 0;
      words[at + 1] = ((contact.target << 16) | (contact.hint << 8) | contact.flags) >>> 0;
      words[at + 2] = offsetMs(contact.atMs - firstAtMs);
    }
    words[entry + COUNT] = (words[entry + COUNT]! & 0xff00_0000) | kept.length;
  }

  /** Oldest first. */
  contacts(entry: number): Contact[] {
    const count = this.contactCount(entry);
    const kept = Math.min(CONTACTS, count);
    const out: Contact[] = [];
    for (let i = count - kept; i < count; i++) {
      const at = entry + CONTACT + (i % CONTACTS) * 3;
      const a = this.#words[at]!;
      const b = this.#words[at + 1]!;
      out.push({
        port: a >>> 16,
        protocol: (a >>> 8) & 0xff,
        kind: a & 0xff,
        target: b >>> 16,
        hint: (b >>> 8) & 0xff,
        flags: b & 0xff,
        atMs: this.firstAtMs(entry) + this.#words[at + 2]!,
      });
    }
    return out;
  }

  /**
   * Counts a contact that says little by itself: 32 bits stand for which ones there were, and fade together.
   * @returns how many different ones, at most 32
   */
  addWeak(entry: number, hash: number, atMs: number, fadeMs: number): number {
    const words = this.#words;
    const nowS = Math.floor(atMs / 1_000);
    if (nowS - words[entry + WEAK_AT_S]! > fadeMs / 1_000) {
      words[entry + WEAK_BITS] = 0;
      words[entry + WEAK_AT_S] = nowS;
    }
    words[entry + WEAK_BITS]! |= 1 << (hash & 31);
    return bitsIn(words[entry + WEAK_BITS]!);
  }

  source(entry: number): { family: 4 | 6; words: [number, number, number, number] } {
    const w = this.#words;
    const at = entry + SOURCE;
    return {
      family: w[entry + FAMILY] === 4 ? 4 : 6,
      words: [w[at]!, w[at + 1]!, w[at + 2]!, w[at + 3]!],
    };
  }

  #groupOf(packet: Packet): number {
    let h = mix(this.#seed, packet.source0);
    if (packet.family === 6) {
      h = mix(h, packet.source1);
      if (isLinkLocal(packet)) h = mix(mix(h, packet.source2), packet.source3);
    }
    return (finish(h) % this.#groups) * WAYS * WORDS;
  }

  #holds(entry: number, packet: Packet): boolean {
    const w = this.#words;
    if (w[entry + FAMILY] !== packet.family || w[entry + SOURCE] !== packet.source0) return false;
    if (packet.family === 4) return true;
    if (w[entry + SOURCE + 1] !== packet.source1) return false;
    return (
      !isLinkLocal(packet) ||
      (w[entry + SOURCE + 2] === packet.source2 && w[entry + SOURCE + 3] === packet.source3)
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
