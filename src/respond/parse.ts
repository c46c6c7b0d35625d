// Reads what the kernel, the resolver and the DHCP clients write about this host's neighbourhood. Pure, and
// forgiving: a line that is not understood is passed over, because half a guardrail is better than none.
import { type Address, addressFromBytes, type Prefix, parseAddress, parsePrefix } from "../core/address.ts";

/** One row of /proc/net/{tcp,tcp6,udp,udp6} (proc_net_tcp, kernel documentation). */
export type SocketRow = {
  readonly local: Address;
  readonly localPort: number;
  readonly remote: Address;
  readonly remotePort: number;
  /** `01` is ESTABLISHED, `0A` LISTEN (include/net/tcp_states.h); a connected UDP socket is `01` too. */
  readonly state: string;
  readonly inode: string;
};

const SOCKET_LINE =
  /^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ([0-9A-F]{2}) \S+ \S+ \S+\s+\d+\s+\d+ (\d+)/gm;

export const ESTABLISHED = "01";
export const LISTEN = "0A";

/**
 * The rows of a socket table that `keep` wants; it sees raw fields, so that a busy server's thousands of
 * connections are not all turned into objects.
 * @param littleEndian the byte order of this host: the kernel prints addresses as host-order words
 */
export function parseSockets(
  text: string,
  littleEndian: boolean,
  keep: (state: string, localPort: number, remotePort: number) => boolean,
): SocketRow[] {
  const rows: SocketRow[] = [];
  for (const [, local, localPort, remote, remotePort, state, inode] of text.matchAll(SOCKET_LINE)) {
    const from = Number.parseInt(localPort!, 16);
    const to = Number.parseInt(remotePort!, 16);
    if (!keep(state!, from, to)) continue;
    rows.push({
      local: wordsToAddress(local!, littleEndian),
      localPort: from,
      remote: wordsToAddress(remote!, littleEndian),
      remotePort: to,
      state: state!,
      inode: inode!,
    });
  }
  return rows;
}

function wordsToAddress(hex: string, littleEndian: boolean): Address {
  const bytes = hexBytes(hex);
  if (littleEndian) for (let at = 0; at < bytes.length; at += 4) bytes.subarray(at, at + 4).reverse();
  return addressFromBytes(bytes, 0, bytes.length === 4 ? 4 : 6);
}

function hexBytes(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

export type Gateway = { readonly address: Address; readonly interface: string; readonly isDefault: boolean };

/** Gateways of /proc/net/route: interface, destination, gateway, flags … mask, words in host order. */
export function parseRoutes4(text: string, littleEndian: boolean): Gateway[] {
  const out: Gateway[] = [];
  for (const line of text.split("\n")) {
    const [name, to, via, , , , , mask] = line.split("\t").map((field) => field.trim());
    if (name === undefined || to === undefined || via === undefined || mask === undefined) continue;
    if (!/^[0-9A-F]{8}$/.test(via) || via === "00000000") continue;
    out.push({
      address: wordsToAddress(via, littleEndian),
      interface: name,
      isDefault: to === "00000000" && mask === "00000000",
    });
  }
  return out;
}

/** Gateways of /proc/net/ipv6_route: destination, its length, source, its length, next hop, …, interface. */
export function parseRoutes6(text: string): Gateway[] {
  const out: Gateway[] = [];
  for (const line of text.split("\n")) {
    const fields = line.trim().split(/\s+/);
    const via = fields[4];
    const name = fields[9];
    if (via === undefined || name === undefined || !/^[0-9a-f]{32}$/.test(via) || /^0+$/.test(via)) continue;
    out.push({
      address: addressFromBytes(hexBytes(via), 0, 6),
      interface: name,
      isDefault: /^0+$/.test(fields[0]!) && fields[1] === "00",
    });
  }
  return out;
}

/** `nameserver` addresses of a resolv.conf(5); a zone (`fe80::1%eth0`) is cut off. */
export function parseResolvers(text: string): Address[] {
  const out: Address[] = [];
  for (const [, value] of text.matchAll(/^\s*nameserver[ \t]+(\S+)/gm)) {
    const address = parseAddress(value!.split("%")[0]!);
    if (address !== null) out.push(address);
  }
  return out;
}

/** Addresses that a hosts(5) file gives to a name. */
export function parseHosts(text: string, name: string): Address[] {
  const wanted = name.toLowerCase().replace(/\.$/, "");
  const out: Address[] = [];
  for (const line of text.split("\n")) {
    const [first, ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    if (!names.some((each) => each.toLowerCase() === wanted)) continue;
    const address = parseAddress(first!.split("%")[0]!);
    if (address !== null) out.push(address);
  }
  return out;
}

export type LeaseServer = {
  readonly address: Address;
  readonly role: "DHCP server" | "router" | "resolver" | "NTP server";
};

const LEASE_ROLES: Record<string, LeaseServer["role"]> = {
  SERVER_ADDRESS: "DHCP server",
  ROUTER: "router",
  DNS: "resolver",
  NTP: "NTP server",
  "dhcp-server-identifier": "DHCP server",
  routers: "router",
  "domain-name-servers": "resolver",
  "ntp-servers": "NTP server",
  "dhcp6.name-servers": "resolver",
};

/** The servers a DHCP lease names: systemd-networkd's `KEY=value` files and dhclient.leases(5). */
export function parseLease(text: string): LeaseServer[] {
  const out: LeaseServer[] = [];
  const lines = /^\s*(?:option\s+)?([A-Za-z0-9_.-]+)[= \t]\s*([^;\n]+);?\s*$/gm;
  for (const [, key, values] of text.matchAll(lines)) {
    const role = Object.hasOwn(LEASE_ROLES, key!) ? LEASE_ROLES[key!] : undefined;
    if (role === undefined) continue;
    for (const value of values!.split(/[\s,]+/)) {
      const address = parseAddress(value);
      if (address !== null) out.push({ address, role });
    }
  }
  return out;
}

/** Literal addresses that an NTP client's configuration names as servers: ntp.conf, chrony.conf, timesyncd.conf. */
export function parseTimeServers(text: string): Address[] {
  const out: Address[] = [];
  for (const [, values] of text.matchAll(/^\s*(?:server|peer|pool|NTP=|FallbackNTP=)\s*([^#\n]+)/gm)) {
    for (const value of values!.split(/\s+/)) {
      const address = parseAddress(value);
      if (address !== null) out.push(address);
    }
  }
  return out;
}

/** The servers and peers of `chronyc -n -c sources`: mode, state, address, … Mode `#` is a clock of this host. */
export function parseChronySources(text: string): Address[] {
  const out: Address[] = [];
  for (const [, address] of text.matchAll(/^[\^=],[^,\n]*,([^,\n]+),/gm)) {
    const parsed = parseAddress(address!);
    if (parsed !== null) out.push(parsed);
  }
  return out;
}

/** The peers of `ntpq -p -n -w`: a sign of how each is doing, then its address. */
export function parseNtpPeers(text: string): Address[] {
  const out: Address[] = [];
  for (const [, address] of text.matchAll(/^[ xo.*+#-]?([0-9a-f:.]{2,45})(?=\s|$)/gim)) {
    const parsed = parseAddress(address!);
    if (parsed !== null) out.push(parsed);
  }
  return out;
}

/**
 * Addresses and networks of `ignoreip` in a jail.conf(5): separated by blanks or commas, going on in indented lines. Names and
 * interpolations are passed over.
 */
export function parseIgnoreIp(text: string): Prefix[] {
  const out: Prefix[] = [];
  for (const [, values] of text.matchAll(/^ignoreip[ \t]*[=:]([^\n]*(?:\n[ \t]+[^\n]*)*)/gm)) {
    const words = values!.replace(/(^|\s)[#;][^\n]*/g, "$1").split(/[\s,]+/);
    for (const word of words) {
      const prefix = parsePrefix(word);
      if (prefix !== null && prefix.bits > 0) out.push(prefix);
    }
  }
  return out;
}

/** Ports that sshd_config(5) makes sshd listen on; empty when it leaves the default. */
export function parseSshPorts(text: string): number[] {
  const out: number[] = [];
  for (const [, key, value] of text.matchAll(
    /^\s*(Port|ListenAddress)(?:[ \t]+|[ \t]*=[ \t]*)"?([^\s"#]+)/gim,
  )) {
    const isPort = key!.toLowerCase() === "port";
    // `host:port` or `[v6]:port`; a bare IPv6 address has colons and no port.
    const digits = isPort ? value! : /^(?:[^:]+|\[[^\]]*\]):(\d+)$/.exec(value!)?.[1];
    const port = digits !== undefined && /^\d{1,5}$/.test(digits) ? Number(digits) : 0;
    if (port > 0 && port < 65_536) out.push(port);
  }
  return out;
}

/** The client's address in the value of SSH_CONNECTION or SSH_CLIENT (ssh(1), ENVIRONMENT). */
export function parseSshConnection(value: string): Address | null {
  return parseAddress(value.split(" ")[0]!.split("%")[0]!);
}

/** Prefixes of a portsentry.ignore: one address or `ADDRESS/BITS` a line. `0.0.0.0` is that address, not everything. */
export function parseIgnoreFile(text: string): Prefix[] {
  const out: Prefix[] = [];
  for (const line of text.split("\n")) {
    const prefix = parsePrefix(line.replace(/#.*/, "").trim());
    if (prefix !== null && prefix.bits > 0) out.push(prefix);
  }
  return out;
}

/** One remote login of wtmp(5). */
export type Login = { readonly from: Address; readonly atMs: number };

// struct utmp of glibc where time_t of the record is 32 bits wide, which is every 64-bit Linux but a few (bits/utmp.h).
const UTMP_BYTES = 384;
const UTMP_TYPE = 0;
const UTMP_SECONDS = 340;
const UTMP_ADDRESS = 348;
const USER_PROCESS = 7;

/**
 * Remote logins since then, oldest first; records of a half-written or foreign file that make no sense are passed over.
 * @param bytes the end of a wtmp, beginning at a record
 */
export function parseLogins(bytes: Uint8Array, sinceMs: number): Login[] {
  const out: Login[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + UTMP_BYTES <= bytes.length; at += UTMP_BYTES) {
    const atMs = view.getUint32(at + UTMP_SECONDS, true) * 1_000;
    if (view.getInt16(at + UTMP_TYPE, true) !== USER_PROCESS || atMs < sinceMs) continue;
    const words = [0, 4, 8, 12].map((offset) => view.getUint32(at + UTMP_ADDRESS + offset));
    if (words.every((word) => word === 0)) continue;
    const family = words.slice(1).every((word) => word === 0) ? 4 : 6;
    out.push({ from: addressFromBytes(bytes, at + UTMP_ADDRESS, family), atMs });
  }
  return out;
}
