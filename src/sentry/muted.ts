// Chooses the sources that the kernel's filter shall keep from us altogether: those that are blocked and yet loud. A
// packet socket hears what the firewall drops, and a flood that is stopped already would still cost a core here. The
// firewall counts it. Bounded: the filter asks for one source after the other.
import { familyOf, type Prefix, parsePrefix } from "../core/address.ts";
import { wordsOf } from "./local.ts";

type Words = readonly [number, number, number, number];

/** One source: an IPv4 address, an IPv6 address or an IPv6 /64. */
export type MutedSource = { readonly family: 4 | 6; readonly words: Words; readonly bits: 32 | 64 | 128 };

// Blocks beyond this many are not remembered here; what they cover costs what it did.
const MAX_BLOCKED = 16_384;
export const MAX_MUTED = 16;
// Below a thousand packets a second a source costs less than the filter's question about it would cost everybody.
const LOUD_PER_SECOND = 1_000;

export class Muted {
  /** By family and leading words, as a record finds it. */
  readonly #blocked = new Map<string, MutedSource>();
  readonly #muted = new Map<string, MutedSource>();

  /** A block of this address or prefix is in force. Wider prefixes than one source are left to the firewall. */
  block(target: string): void {
    const prefix = parsePrefix(target);
    const source = prefix === null ? null : sourceOf(prefix);
    if (source !== null && this.#blocked.size < MAX_BLOCKED) this.#blocked.set(keyOf(source), source);
  }

  /** The block ended; true when the filter must be written anew. */
  lift(target: string): boolean {
    const prefix = parsePrefix(target);
    const source = prefix === null ? null : sourceOf(prefix);
    if (source === null) return false;
    this.#blocked.delete(keyOf(source));
    return this.#muted.delete(keyOf(source));
  }

  /**
   * Takes note of how many packets of a scanner came in a time; true when the filter must be written anew.
   * @param words the address that sent, or its /64
   */
  hear(family: 4 | 6, words: Words, packets: number, passedMs: number): boolean {
    if (packets * 1_000 < LOUD_PER_SECOND * passedMs || this.#muted.size >= MAX_MUTED) return false;
    const bits = family === 4 ? ([32] as const) : ([128, 64] as const);
    for (const each of bits) {
      const source = this.#blocked.get(keyOf({ family, words, bits: each }));
      if (source === undefined || this.#muted.has(keyOf(source))) continue;
      this.#muted.set(keyOf(source), source);
      return true;
    }
    return false;
  }

  /** The sources that are to be dropped now. */
  list(): MutedSource[] {
    return [...this.#muted.values()];
  }
}

function sourceOf({ base, bits }: Prefix): MutedSource | null {
  if (bits !== 32 && bits !== 64 && bits !== 128) return null;
  const family = familyOf(base);
  if ((family === 4) !== (bits === 32)) return null;
  return { family, words: wordsOf(base), bits };
}

function keyOf({ family, words, bits }: MutedSource): string {
  return `${family} ${words.slice(0, bits / 32).join(" ")}`;
}
