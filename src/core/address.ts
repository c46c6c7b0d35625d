// Addresses and prefixes as canonical text, so that an address is its own map key, its own JSON and
// its own argument to a firewall. Whatever enters as bytes or text is parsed here once.
import { BlockList, isIP } from "node:net";
import ipaddr from "ipaddr.js";

/** An IPv4 dotted quad or an IPv6 address in RFC 5952 form. An IPv4-mapped IPv6 address is its IPv4 self. */
export type Address = string & { readonly __address: true };

/** An address with a prefix length; the bits below the length are zero. */
export type Prefix = { readonly base: Address; readonly bits: number };

/**
 * Reads one address strictly (no octal, no short forms, no zone). Returns null for anything else.
 * @param text what somebody wrote: a log line, a configuration file, a command line
 */
export function parseAddress(text: string): Address | null {
  const kind = isIP(text);
  if (kind === 4) return text as Address;
  if (kind === 0 || text.includes("%")) return null;
  const six = ipaddr.IPv6.parse(text);
  return (six.isIPv4MappedAddress() ? six.toIPv4Address().toString() : six.toRFC5952String()) as Address;
}

/** 4 or 6. */
export function familyOf(address: Address): 4 | 6 {
  return address.includes(":") ? 6 : 4;
}

/** The address in network byte order at `offset`: 4 bytes for family 4, 16 for family 6. */
export function addressFromBytes(bytes: Uint8Array, offset: number, family: 4 | 6): Address {
  if (family === 4) {
    return `${bytes[offset]}.${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}` as Address;
  }
  const six = new ipaddr.IPv6(Array.from(bytes.subarray(offset, offset + 16)));
  return (six.isIPv4MappedAddress() ? six.toIPv4Address().toString() : six.toRFC5952String()) as Address;
}

/** The address in network byte order: 4 or 16 bytes. */
export function bytesOfAddress(address: Address): Uint8Array {
  if (familyOf(address) === 6) return Uint8Array.from(ipaddr.IPv6.parse(address).toByteArray());
  const bits = bitsOfV4(address);
  return Uint8Array.of(bits >>> 24, bits >>> 16, bits >>> 8, bits);
}

/** An IPv4 address as a number below 2^32. By hand, because 100,000 blocks are put back at once. */
export function bitsOfV4(address: Address): number {
  let whole = 0;
  let part = 0;
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i);
    if (code === DOT) {
      whole = (whole << 8) | part;
      part = 0;
    } else part = part * 10 + code - ZERO;
  }
  return ((whole << 8) | part) >>> 0;
}

const DOT = 46;
const ZERO = 48;

/**
 * Reads `ADDRESS` or `ADDRESS/BITS`; host bits are cleared, a bare address is its own /32 or /128.
 * Returns null for anything else.
 */
export function parsePrefix(text: string): Prefix | null {
  const slash = text.indexOf("/");
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === null) return null;
  const width = familyOf(address) === 4 ? 32 : 128;
  if (slash < 0) return { base: address, bits: width };
  const digits = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(digits)) return null;
  const mapped = width === 32 && text.slice(0, slash).includes(":");
  const bits = Number(digits) - (mapped ? 96 : 0);
  if (bits < 0 || bits > width) return null;
  return prefixOf(address, bits);
}

/** The prefix of `bits` bits that holds the address. */
export function prefixOf(address: Address, bits: number): Prefix {
  if (bits === (familyOf(address) === 4 ? 32 : 128)) return { base: address, bits };
  const bytes = bytesOfAddress(address);
  for (let i = 0; i < bytes.length; i++) {
    const keep = Math.min(8, Math.max(0, bits - i * 8));
    bytes[i] = bytes[i]! & (0xff00 >> keep);
  }
  return { base: addressFromBytes(bytes, 0, familyOf(address)), bits };
}

/** `ADDRESS` for a whole address, `ADDRESS/BITS` for a wider prefix. */
export function formatPrefix(prefix: Prefix): string {
  return prefix.bits === (familyOf(prefix.base) === 4 ? 32 : 128)
    ? prefix.base
    : `${prefix.base}/${prefix.bits}`;
}

/** A set of prefixes with one question: does any hold this address? */
export class PrefixSet {
  readonly #list = new BlockList();
  readonly prefixes: readonly Prefix[];

  constructor(prefixes: Iterable<Prefix>) {
    this.prefixes = [...prefixes];
    for (const { base, bits } of this.prefixes) {
      this.#list.addSubnet(base, bits, familyOf(base) === 4 ? "ipv4" : "ipv6");
    }
  }

  has(address: Address): boolean {
    return this.#list.check(address, familyOf(address) === 4 ? "ipv4" : "ipv6");
  }
}
