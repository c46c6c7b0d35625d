// Who is never blocked. A forged packet can bear any source, so what it may cost the administrator is decided here,
// by comparing addresses alone: the facts are gathered elsewhere and everything below is a table lookup.
import {
  type Address,
  bitsOfV4,
  bytesOfAddress,
  familyOf,
  formatPrefix,
  type Prefix,
  parsePrefix,
} from "../core/address.ts";
import type { Guard, HostFacts } from "./types.ts";

// Protected on every host. RFC 6890 registers the first ones; a multicast or broadcast source is always forged, and
// dropping link-local traffic would cut neighbour discovery and with it the gateway.
const ALWAYS: readonly Guard[] = [
  guard("127.0.0.0/8", "loopback"),
  guard("::1", "loopback"),
  guard("0.0.0.0/8", "no real source (this host)"),
  guard("::", "no real source (unspecified)"),
  guard("169.254.0.0/16", "link-local"),
  guard("fe80::/10", "link-local"),
  guard("224.0.0.0/4", "multicast"),
  guard("ff00::/8", "multicast"),
  guard("255.255.255.255", "broadcast"),
];

function guard(text: string, because: string): Guard {
  return { prefix: parsePrefix(text)!, because };
}

/**
 * Why this address, or any address of this prefix, must not be blocked; null when nothing protects it.
 * @param target an address or the prefix a block would cover
 */
export function guardrailFor(target: Address | Prefix, facts: HostFacts): string | null {
  const prefix = typeof target === "string" ? wholeAddress(target) : target;
  return guardOver(prefix, ALWAYS) ?? guardOver(prefix, facts.guards);
}

/** The widest network a block may cover: prefix lengths. */
export type Widest = { readonly 4: number; readonly 6: number };

// A scanner has an address, a customer network, at most the /16 or /32 of a small provider; wider is a mistake or an attack.
export const WIDEST_BY_ITSELF: Widest = { 4: 16, 6: 32 };
// What one holder has at most: by hand somebody may want to shut out all of it.
export const WIDEST_BY_HAND: Widest = { 4: 8, 6: 16 };

/**
 * Why this must not be blocked, or null: what the privileged half of the guard holds every request against.
 * @param facts who is protected, read by whoever asks
 * @param allow the allow list
 */
export function refuseBlock(
  prefix: Prefix,
  facts: HostFacts,
  allow: readonly Prefix[],
  widest: Widest = WIDEST_BY_ITSELF,
): string | null {
  return tooWide(prefix, widest) ?? guardOver(prefix, allowGuards(allow)) ?? guardrailFor(prefix, facts);
}

/** Why the prefix is too wide to be blocked at once; null when it is not. */
export function tooWide({ base, bits }: Prefix, widest: Widest): string | null {
  const least = widest[familyOf(base)];
  return bits >= least ? null : `a /${bits} is too wide: at most a /${least} is blocked at once`;
}

const allowed = new WeakMap<readonly Prefix[], readonly Guard[]>();

/** The allow list as guards. The same list gives the same guards, so that they are read once. */
export function allowGuards(allow: readonly Prefix[]): readonly Guard[] {
  let guards = allowed.get(allow);
  if (guards === undefined) {
    guards = allow.map((prefix) => ({ prefix, because: `allow list (${formatPrefix(prefix)})` }));
    allowed.set(allow, guards);
  }
  return guards;
}

/** Every guard in force, the built-in ones first. */
export function allGuards(facts: HostFacts): readonly Guard[] {
  return [...ALWAYS, ...facts.guards];
}

/** Why one of these guards forbids a block of the prefix; null when none does. */
export function guardOver(target: Prefix, guards: readonly Guard[]): string | null {
  const { spans, around } = readOf(guards);
  if (target.bits === 32 && familyOf(target.base) === 4 && !isAmong(bitsOfV4(target.base), around))
    return null;
  const wanted = spanOf(target);
  for (const { span, guard } of spans) {
    if (!spansMeet(span, wanted)) continue;
    // A guard inside a wider target is named with its address: the target alone would not explain it.
    return span.bits > wanted.bits ? `${guard.because} (${formatPrefix(guard.prefix)})` : guard.because;
  }
  return null;
}

/** Do the two share an address? */
export function prefixesOverlap(a: Prefix, b: Prefix): boolean {
  return spansMeet(spanOf(a), spanOf(b));
}

export function wholeAddress(address: Address): Prefix {
  return { base: address, bits: familyOf(address) === 4 ? 32 : 128 };
}

// Prefixes as numbers, because 100,000 restored blocks are each held against every guard. IPv6 in four words.
type Span = { readonly bits: number; readonly words: readonly number[] };

/** The IPv4 guards of one prefix length: what an address is to be cut to, and what must not come out. */
type Around = { readonly mask: number; readonly bases: ReadonlySet<number> };

type ReadGuards = {
  readonly spans: readonly { readonly span: Span; readonly guard: Guard }[];
  /** By these most addresses are known to be nobody's, however long the allow list is. */
  readonly around: readonly Around[];
};

// Guards are read again only when they change, and the list is the key.
const read = new WeakMap<readonly Guard[], ReadGuards>();

function readOf(guards: readonly Guard[]): ReadGuards {
  let found = read.get(guards);
  if (found === undefined) {
    const spans = guards.map((each) => ({ span: spanOf(each.prefix), guard: each }));
    read.set(guards, (found = { spans, around: aroundOf(spans.map(({ span }) => span)) }));
  }
  return found;
}

function aroundOf(spans: readonly Span[]): Around[] {
  const byLength = new Map<number, { mask: number; bases: Set<number> }>();
  for (const { bits, words } of spans) {
    if (words.length !== 1) continue;
    // A shift by 32 would be a shift by none.
    const mask = bits === 0 ? 0 : -1 << (32 - bits);
    let group = byLength.get(bits);
    if (group === undefined) byLength.set(bits, (group = { mask, bases: new Set() }));
    group.bases.add((words[0]! & mask) >>> 0);
  }
  return [...byLength.values()];
}

function isAmong(address: number, around: readonly Around[]): boolean {
  for (const { mask, bases } of around) if (bases.has((address & mask) >>> 0)) return true;
  return false;
}

function spanOf({ base, bits }: Prefix): Span {
  if (familyOf(base) === 4) return { bits, words: [bitsOfV4(base)] };
  const bytes = bytesOfAddress(base);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return { bits, words: [view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12)] };
}

function spansMeet(a: Span, b: Span): boolean {
  if (a.words.length !== b.words.length) return false;
  const bits = Math.min(a.bits, b.bits);
  for (let i = 0; i * 32 < bits; i++) {
    const keep = Math.min(32, bits - i * 32);
    // A shift by 32 would be a shift by none.
    if ((a.words[i]! ^ b.words[i]!) >>> (32 - keep) !== 0) return false;
  }
  return true;
}
