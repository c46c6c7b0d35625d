// Sees what no single source gives away: many strangers who try a port or two each, and together walk through the ports
// of this host. What tells them from the noise that every public address hears is how little they overlap (Gates,
// "Coordinated Scan Detection", NDSS 2009): noise comes back to the same few ports, a plan visits each port once. A
// swarm that all asks for one closed port never comes near it.
//
// The sources are as forgeable as any lone packet, so the finding is about the pattern and accuses none of them.
import { finish, mix } from "./hash.ts";
import type { Packet } from "./types.ts";

export type SpreadThresholds = {
  /** Distinct ports that make the pattern; 0 for never. */
  readonly ports: number;
  /** Distinct sources that make it. */
  readonly sources: number;
  readonly withinMs: number;
};

export const DEFAULT_SPREAD: SpreadThresholds = {
  // A public address hears from some fifty strangers in ten minutes, half of them at the same few ports.
  ports: 128,
  sources: 64,
  withinMs: 600_000,
};

/** One of the contacts that make the pattern. */
export type SpreadContact = {
  readonly family: 4 | 6;
  readonly source: readonly [number, number, number, number];
  readonly target: number;
  readonly port: number;
  readonly protocol: number;
  readonly kind: number;
  readonly flags: number;
  readonly hint: number;
  readonly interfaceIndex: number;
  readonly atMs: number;
};

export type SpreadFinding = {
  readonly ports: number;
  /** Estimated from a bitmap: within a few percent up to a hundred thousand. */
  readonly sources: number;
  readonly contacts: number;
  readonly firstAtMs: number;
  /** The last ones, oldest first. */
  readonly sample: readonly SpreadContact[];
};

// Contacts per port above this are not a plan but a habit.
const MOST_OVERLAP = 1.5;
// Of a source, only its first contacts count: whoever goes on is told by himself.
const COUNTED_PER_SOURCE = 2;
// From a pattern to the whole host in three steps, so that a forged flood is told four times and not at every packet.
const STEP = 8;
const SOURCE_BITS = 16_384;
const SAMPLE = 32;

type Kept = { -readonly [Key in keyof SpreadContact]: SpreadContact[Key] } & {
  source: [number, number, number, number];
};

function blank(): Kept {
  return {
    family: 4,
    source: [0, 0, 0, 0],
    target: 0,
    port: 0,
    protocol: 0,
    kind: 0,
    flags: 0,
    hint: 0,
    interfaceIndex: 0,
    atMs: 0,
  };
}

class Span {
  readonly #ports = new Uint32Array(65_536 / 32);
  readonly #sources = new Uint32Array(SOURCE_BITS / 32);
  ports = 0;
  contacts = 0;
  firstAtMs = 0;
  #sourceBits = 0;

  begin(atMs: number): void {
    this.#ports.fill(0);
    this.#sources.fill(0);
    this.ports = this.contacts = this.#sourceBits = 0;
    this.firstAtMs = atMs;
  }

  add(port: number, sourceHash: number): void {
    this.contacts++;
    if (set(this.#ports, port)) this.ports++;
    if (set(this.#sources, sourceHash % SOURCE_BITS)) this.#sourceBits++;
  }

  /** Linear counting, as in scanners.ts. */
  get sources(): number {
    return Math.round(-SOURCE_BITS * Math.log(Math.max(1, SOURCE_BITS - this.#sourceBits) / SOURCE_BITS));
  }
}

/** Two spans of time, begun half a length apart, so that what fits into half a length is whole in one of them. */
export class Spread {
  readonly #thresholds: SpreadThresholds;
  readonly #seed: number;
  readonly #repeatMs: number;
  readonly #spans = [new Span(), new Span()] as const;
  readonly #sample = Array.from({ length: SAMPLE }, blank);
  #next = 0;
  #begun = false;
  #toldPorts = 0;
  #toldAtMs = Number.NEGATIVE_INFINITY;

  /** @param repeatMs a pattern that goes on is told again after this time */
  constructor(thresholds: SpreadThresholds, repeatMs: number, seed: number) {
    this.#thresholds = thresholds;
    this.#repeatMs = repeatMs;
    this.#seed = seed;
  }

  /**
   * Counts a failed first contact of a source that is no known scanner.
   * @param nth which one of that source it is, from 1
   * @returns what to tell now, or null
   */
  add(contact: Packet, target: number, kind: number, nth: number): SpreadFinding | null {
    const { ports, sources, withinMs } = this.#thresholds;
    if (ports === 0 || nth > COUNTED_PER_SOURCE) return null;
    const { atMs } = contact;
    this.#follow(atMs, withinMs);
    this.#keep(contact, target, kind);
    const hash = this.#hashOf(contact);
    for (const span of this.#spans) span.add(contact.targetPort, hash);
    if (atMs - this.#toldAtMs > this.#repeatMs) this.#toldPorts = 0;
    const enough = this.#toldPorts === 0 ? ports : this.#toldPorts * STEP;
    for (const span of this.#spans) {
      if (span.ports < enough || span.contacts > span.ports * MOST_OVERLAP || span.sources < sources)
        continue;
      this.#toldPorts = span.ports;
      this.#toldAtMs = atMs;
      return this.#findingOf(span);
    }
    return null;
  }

  /** A clock that was set back begins anew, like a span that has passed. */
  #follow(atMs: number, withinMs: number): void {
    const [first, second] = this.#spans;
    if (!this.#begun) {
      this.#begun = true;
      first.begin(atMs);
      second.begin(atMs - withinMs / 2);
    }
    for (const span of [first, second]) {
      const age = atMs - span.firstAtMs;
      if (age < 0 || age >= 2 * withinMs) span.begin(atMs);
      else if (age >= withinMs) span.begin(span.firstAtMs + withinMs);
    }
  }

  /** Into an object that is there already: a forged flood passes here. */
  #keep(packet: Packet, target: number, kind: number): void {
    const kept = this.#sample[this.#next]!;
    kept.family = packet.family;
    kept.source[0] = packet.source0;
    kept.source[1] = packet.source1;
    kept.source[2] = packet.source2;
    kept.source[3] = packet.source3;
    kept.target = target;
    kept.port = packet.targetPort;
    kept.protocol = packet.protocol;
    kept.kind = kind;
    kept.flags = packet.flags;
    kept.hint = packet.hint;
    kept.interfaceIndex = packet.interfaceIndex;
    kept.atMs = packet.atMs;
    this.#next = (this.#next + 1) % SAMPLE;
  }

  #findingOf(span: Span): SpreadFinding {
    const sample = [...this.#sample.slice(this.#next), ...this.#sample.slice(0, this.#next)];
    const ofSpan = sample
      .filter(({ atMs }) => atMs > 0 && atMs >= span.firstAtMs)
      .map(({ source: [w0, w1, w2, w3], ...kept }) => ({ ...kept, source: [w0, w1, w2, w3] as const }));
    const { ports, sources, contacts } = span;
    return { ports, sources, contacts, firstAtMs: span.firstAtMs, sample: ofSpan };
  }

  #hashOf(packet: Packet): number {
    const h = mix(this.#seed, packet.source0);
    return finish(packet.family === 4 ? h : mix(h, packet.source1));
  }
}

/** Sets a bit; true when it was clear. */
function set(words: Uint32Array, bit: number): boolean {
  const mask = 1 << (bit & 31);
  if ((words[bit >>> 5]! & mask) !== 0) return false;
  words[bit >>> 5]! |= mask;
  return true;
}
