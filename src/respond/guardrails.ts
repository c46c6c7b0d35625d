// Who is never blocked. A forged packet can bear any source, so what it may cost the administrator is decided here,
// by comparing addresses alone: the facts are gathered elsewhere and everything below is a table lookup.
import { type Address, familyOf, formatPrefix, type Prefix, parsePrefix, prefixOf } from "../core/address.ts";
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
  return overlap(prefix, ALWAYS) ?? overlap(prefix, facts.guards);
}

/** Every guard in force, the built-in ones first. */
export function allGuards(facts: HostFacts): readonly Guard[] {
  return [...ALWAYS, ...facts.guards];
}

/** Do the two share an address? */
export function prefixesOverlap(a: Prefix, b: Prefix): boolean {
  if (familyOf(a.base) !== familyOf(b.base)) return false;
  if (a.bits === b.bits) return a.base === b.base;
  return a.bits < b.bits
    ? prefixOf(b.base, a.bits).base === a.base
    : prefixOf(a.base, b.bits).base === b.base;
}

export function wholeAddress(address: Address): Prefix {
  return { base: address, bits: familyOf(address) === 4 ? 32 : 128 };
}

function overlap(target: Prefix, guards: readonly Guard[]): string | null {
  const family = familyOf(target.base);
  // The target cut to each length that occurs: most guards share a few lengths, and cutting costs more than comparing.
  const cut = new Map<number, Address>();
  for (const { prefix, because } of guards) {
    if (familyOf(prefix.base) !== family) continue;
    if (prefix.bits > target.bits) {
      if (prefixOf(prefix.base, target.bits).base === target.base)
        return `${because} (${formatPrefix(prefix)})`;
      continue;
    }
    let base = cut.get(prefix.bits);
    if (base === undefined) cut.set(prefix.bits, (base = prefixOf(target.base, prefix.bits).base));
    if (base === prefix.base) return because;
  }
  return null;
}
