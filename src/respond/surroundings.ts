// Reads who must never be blocked, apart from who is logged in: what this host is, and whom it needs to reach. Three readings,
// by what tells that they have become old: the network, files, and sockets in use.
import { closeSync, openSync, readSync, statSync } from "node:fs";
import type { networkInterfaces } from "node:os";
import {
  type Address,
  addressFromBytes,
  bytesOfAddress,
  familyOf,
  formatPrefix,
  type Prefix,
  parseAddress,
  prefixOf,
} from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import { describeError } from "../core/errors.ts";
import { readGateways } from "./gateways.ts";
import { wholeAddress } from "./guardrails.ts";
import type { HostFiles, Unread } from "./host-files.ts";
import type { HostSockets } from "./host-sockets.ts";
import {
  ESTABLISHED,
  parseIgnoreFile,
  parseIgnoreIp,
  parseLease,
  parseLogins,
  parseResolvers,
  parseSshPorts,
  parseTimeServers,
} from "./parse.ts";
import { sshAncestry } from "./ssh.ts";
import type { Guard } from "./types.ts";

/** Some of the guards, and what could not be read on the way. */
export type Reading = { readonly guards: readonly Guard[]; readonly unread: readonly Unread[] };

const RESOLVERS = [
  "/etc/resolv.conf",
  "/run/systemd/resolve/resolv.conf",
  "/run/NetworkManager/no-stub-resolv.conf",
  "/run/dnsmasq/resolv.conf",
];
const LEASES: readonly (readonly [folder: string, ending: string])[] = [
  ["/run/systemd/netif/leases", ""],
  ["/var/lib/dhcp", ".leases"],
  ["/var/lib/dhclient", ".leases"],
  ["/var/lib/NetworkManager", ".lease"],
];
const TIME = [
  "/etc/ntp.conf",
  "/etc/ntpsec/ntp.conf",
  "/etc/chrony/chrony.conf",
  "/etc/systemd/timesyncd.conf",
];
const TIME_FOLDERS = ["/etc/chrony/sources.d", "/etc/systemd/timesyncd.conf.d"];
const JAILS = ["/etc/fail2ban/jail.conf", "/etc/fail2ban/jail.local"];
const JAIL_FOLDER = "/etc/fail2ban/jail.d";
const SSHD = "/etc/ssh/sshd_config";
const SSHD_FOLDER = "/etc/ssh/sshd_config.d";
const WTMP = "/var/log/wtmp";
/** How long a login says where people come from, milliseconds. */
export const LOGINS_COUNT_MS = 30 * 86_400_000;
// The last 2,730 logins and logouts.
const WTMP_BYTES = 384 * 2_730;
const UDP_ROLES: Record<number, string> = {
  53: "resolver",
  67: "DHCP server",
  123: "NTP server",
  547: "DHCP server",
  853: "resolver",
};

/** This host's own addresses and its gateways. */
export function readNetwork(files: HostFiles, root: string, interfaces: typeof networkInterfaces): Reading {
  const guards = new Guards();
  for (const { address, because } of ownAddresses(interfaces())) guards.add(address, because);
  const text = (path: string, wanted: "must" | "may" = "may") => files.read(path, wanted, guards.unread);
  const routes = readGateways(root, text);
  if (!routes.whole)
    guards.unread.push({ what: "routing tables", why: "too many routes; the first ones count" });
  for (const { address, interface: name, isDefault } of routes.gateways)
    guards.add(address, `${isDefault ? "default gateway" : "gateway"} of ${name}`);
  return guards;
}

/** What files say: resolvers, leases, time servers, fail2ban's and our own lists, where SSH servers listen, who logged in. */
export class FileReading implements Reading {
  readonly guards: readonly Guard[];
  readonly unread: readonly Unread[];
  readonly loginNetworks: readonly Guard[];
  readonly sshPorts: ReadonlySet<number>;
  readonly #files: HostFiles;
  readonly #paths: readonly string[];
  readonly #stamp: string;

  /** @param ignoreFiles in the form of portsentry.ignore */
  constructor(files: HostFiles, ignoreFiles: readonly string[], clock: Clock) {
    const guards = new Guards();
    const leases = LEASES.flatMap(([folder, ending]) =>
      files.in(folder).filter((path) => path.endsWith(ending)),
    );
    const times = [...TIME, ...TIME_FOLDERS.flatMap((folder) => files.in(folder))];
    const jails = [...JAILS, ...files.in(JAIL_FOLDER)];
    const sshd = [SSHD, ...files.in(SSHD_FOLDER)];
    this.#files = files;
    this.#paths = [
      ...[...RESOLVERS, ...times, ...jails, ...sshd, ...ignoreFiles, WTMP, ...leases],
      ...[...LEASES.map(([folder]) => folder), ...TIME_FOLDERS, JAIL_FOLDER, SSHD_FOLDER],
    ];
    // Before they are read: what changes meanwhile is read again.
    this.#stamp = files.stamp(this.#paths);

    const text = (path: string) => files.read(path, "may", guards.unread);
    for (const path of RESOLVERS)
      for (const address of parseResolvers(text(path))) guards.add(address, `resolver in ${path}`);
    for (const path of leases) {
      for (const { address, role } of parseLease(text(path)))
        guards.add(address, `${role} of the lease ${path}`);
    }
    for (const path of times)
      for (const address of parseTimeServers(text(path))) guards.add(address, `NTP server in ${path}`);
    for (const path of jails)
      for (const prefix of parseIgnoreIp(text(path))) guards.add(prefix, `ignoreip in ${path}`);
    for (const path of ignoreFiles)
      for (const prefix of parseIgnoreFile(text(path))) guards.add(prefix, `listed in ${path}`);
    this.sshPorts = new Set(sshd.flatMap((path) => parseSshPorts(text(path))));
    this.loginNetworks = readLoginNetworks(files, clock, guards.unread);
    this.guards = guards.guards;
    this.unread = guards.unread;
  }

  /** Whether something else would be read now. A tenth of a millisecond. */
  isOld(): boolean {
    return this.#files.stamp(this.#paths) !== this.#stamp;
  }
}

/** Servers that this host talks to at this moment, and the SSH clients that its own processes were started by. */
export function readInUse(sockets: HostSockets, root: string, timeServers: readonly Address[]): Reading {
  const guards = new Guards();
  const inRole = (_: number, remotePort: number) => UDP_ROLES[remotePort] !== undefined;
  for (const { remote, remotePort } of sockets.list("udp", ESTABLISHED, inRole, guards.unread))
    guards.add(remote, `${UDP_ROLES[remotePort]} in use`);
  for (const address of timeServers) guards.add(address, "NTP server in use");
  for (const { address, pid } of sshAncestry(root))
    guards.add(address, `SSH client of the session of process ${pid}`);
  return guards;
}

/** Guards as they are found, each address or network once, for the first reason that was found. */
class Guards implements Reading {
  readonly unread: Unread[] = [];
  readonly #found = new Map<string, Guard>();

  get guards(): readonly Guard[] {
    return [...this.#found.values()];
  }

  add(target: Address | Prefix, because: string): void {
    const prefix = typeof target === "string" ? wholeAddress(target) : target;
    const key = `${prefix.base}/${prefix.bits}`;
    if (!this.#found.has(key)) this.#found.set(key, { prefix, because });
  }
}

/** The network that somebody comes from who logs in from this address. */
export function loginNetworkOf(from: Address): Prefix {
  return prefixOf(from, familyOf(from) === 4 ? 24 : 64);
}

/** @param atMs when somebody last logged in from there, since 1970 */
export function loginGuard(prefix: Prefix, atMs: number): Guard {
  const day = new Date(atMs).toISOString().slice(0, 10);
  return { prefix, because: `somebody logged in from ${formatPrefix(prefix)} on ${day}` };
}

/** Networks of the logins of the last month. */
function readLoginNetworks(files: HostFiles, clock: Clock, unread: Unread[]): Guard[] {
  const path = files.at(WTMP);
  const networks = new Map<string, Guard>();
  try {
    const size = statSync(path, { throwIfNoEntry: false })?.size;
    if (size === undefined) return []; // Hosts without a wtmp (Debian 13 on) have no such memory.
    const sinceMs = clock.now().getTime() - LOGINS_COUNT_MS;
    for (const { from, atMs } of parseLogins(readEnd(path, size, WTMP_BYTES), sinceMs)) {
      const prefix = loginNetworkOf(from);
      networks.set(formatPrefix(prefix), loginGuard(prefix, atMs));
    }
  } catch (error) {
    unread.push({ what: WTMP, why: describeError(error) });
  }
  return [...networks.values()];
}

function ownAddresses(
  interfaces: ReturnType<typeof networkInterfaces>,
): { address: Address; because: string }[] {
  const out: { address: Address; because: string }[] = [];
  for (const [name, entries] of Object.entries(interfaces)) {
    for (const entry of entries ?? []) {
      const address = parseAddress(entry.address);
      const bits = Number(entry.cidr?.split("/")[1]);
      if (address === null) continue;
      out.push({ address, because: `own address on ${name}` });
      if (familyOf(address) === 4 && bits < 31)
        out.push({ address: broadcastOf(address, bits), because: `broadcast of ${name}` });
    }
  }
  return out;
}

function broadcastOf(address: Address, bits: number): Address {
  const bytes = bytesOfAddress(address);
  for (let i = 0; i < 4; i++) bytes[i] = bytes[i]! | (0xff >> Math.min(8, Math.max(0, bits - 8 * i)));
  return addressFromBytes(bytes, 0, 4);
}

// The last `maxBytes` of a file of `size` bytes; both are whole records.
function readEnd(path: string, size: number, maxBytes: number): Uint8Array {
  const fd = openSync(path, "r");
  try {
    const bytes = new Uint8Array(Math.min(size, maxBytes));
    const from = size <= maxBytes ? 0 : Math.floor(size / 384) * 384 - maxBytes;
    return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, from));
  } finally {
    closeSync(fd);
  }
}
