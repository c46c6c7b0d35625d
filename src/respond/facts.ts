// Gathers who must never be blocked: what this host is, what it needs to reach, who is logged in to it. It reads
// files of the system only; a part that cannot be read is named and the others still count.
import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { endianness, networkInterfaces } from "node:os";
import { join } from "node:path";
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
import { type Clock, systemClock } from "../core/clock.ts";
import { describeError } from "../core/errors.ts";
import { readGateways } from "./gateways.ts";
import { wholeAddress } from "./guardrails.ts";
import {
  ESTABLISHED,
  LISTEN,
  parseIgnoreFile,
  parseIgnoreIp,
  parseLease,
  parseLogins,
  parseResolvers,
  parseSockets,
  parseSshPorts,
  parseTimeServers,
  type SocketRow,
} from "./parse.ts";
import { askKernel, type KeepPorts } from "./sockets.ts";
import { readSshSockets, readSshSocketsBehind, SshSessions, type SshSockets, sshAncestry } from "./ssh.ts";
import { TimeSources } from "./time-sources.ts";
import type { Guard, HostFacts } from "./types.ts";

export type FactsOptions = {
  /** Where the file system begins; tests give a folder of their own. */
  readonly root?: string;
  /** Files in the form of portsentry.ignore. */
  readonly ignoreFiles?: readonly string[];
  readonly clock?: Clock;
  /** This host's interfaces; tests give some of their own. */
  readonly interfaces?: typeof networkInterfaces;
};

// Routes and resolvers change with a lease or a command, not with a packet.
const SURROUNDINGS_MAX_AGE_MS = 5_000;
const SURROUNDINGS_LAST_MS = 15_000;
// An administrator who logged in this long ago may still be missing; the responder looks again right after each block
// and every second, and then lifts what it did to them.
const SESSIONS_MAX_AGE_MS = 200;
const SESSIONS_LAST_MS = 1_500;
// SSH servers start and stop rarely, and looking for them means looking at every process.
const SERVERS_MAX_AGE_MS = 30_000;
// A table longer than this is cut: 4 MB is about 27,000 connections or 30,000 routes, read in some 30 ms.
const MAX_FILE_BYTES = 4 * 1024 * 1024;
const MAX_GUARDS = 4_096;
const DEFAULT_SSH_PORT = 22;

const WTMP = "/var/log/wtmp";
const LOGINS_COUNT_MS = 30 * 86_400_000;
// The last 2,730 logins and logouts.
const WTMP_BYTES = 384 * 2_730;

type Unread = { what: string; why: string };
type Surroundings = {
  guards: Guard[];
  loginNetworks: readonly Guard[];
  unread: Unread[];
  sshPorts: ReadonlySet<number>;
};

/** Reads the facts and keeps them for a moment, so that asking at every verdict costs little. */
export class HostFactsReader {
  readonly #root: string;
  readonly #ignoreFiles: readonly string[];
  readonly #clock: Clock;
  readonly #interfaces: typeof networkInterfaces;
  readonly #sshSessions: SshSessions;
  readonly #timeSources: TimeSources;
  #surroundings: (Surroundings & { atMs: number }) | undefined;
  #wtmp: { size: number; networks: Guard[] } = { size: -1, networks: [] };
  #renewal: NodeJS.Immediate | undefined;
  #sessions: { facts: HostFacts; atMs: number } | undefined;
  #sessionsRenewal: NodeJS.Immediate | undefined;
  #servers: { sockets: SshSockets; atMs: number } | undefined;
  #serversRenewal: Promise<void> | undefined;

  constructor(options: FactsOptions = {}) {
    this.#root = options.root ?? "/";
    this.#sshSessions = new SshSessions(this.#root);
    this.#ignoreFiles = options.ignoreFiles ?? ["/etc/portsentry/portsentry.ignore"];
    this.#clock = options.clock ?? systemClock;
    this.#timeSources = new TimeSources(this.#root, this.#clock);
    this.#interfaces = options.interfaces ?? networkInterfaces;
  }

  /**
   * The facts: SSH peers as read within the last 0.2 s, the rest within the last 5 s; or, while they are being read again
   * behind this call, 1.5 s and 15 s. Reading takes some milliseconds, which a verdict should not wait for.
   */
  current(): HostFacts {
    const nowMs = this.#clock.monotonicMs();
    let surroundings = this.#surroundings;
    if (surroundings === undefined || nowMs - surroundings.atMs >= SURROUNDINGS_LAST_MS) {
      surroundings = this.#renew();
    } else if (nowMs - surroundings.atMs >= SURROUNDINGS_MAX_AGE_MS) {
      this.#renewal ??= setImmediate(() => {
        this.#renew();
        this.#readSessions();
      });
    }
    const ageMs = this.#sessions === undefined ? Number.POSITIVE_INFINITY : nowMs - this.#sessions.atMs;
    if (ageMs < SESSIONS_LAST_MS) {
      if (ageMs >= SESSIONS_MAX_AGE_MS) this.#sessionsRenewal ??= setImmediate(() => this.#readSessions());
      return this.#sessions!.facts;
    }
    return this.#readSessions();
  }

  #readSessions(): HostFacts {
    clearImmediate(this.#sessionsRenewal);
    this.#sessionsRenewal = undefined;
    const nowMs = this.#clock.monotonicMs();
    const surroundings = this.#surroundings ?? this.#renew();
    const unread = [...surroundings.unread];
    // People first: should the cap cut anything off, then lines of a long ignore file.
    const guards = [...this.#sshPeers(surroundings.sshPorts, nowMs, unread), ...surroundings.guards];
    if (guards.length > MAX_GUARDS) {
      unread.push({ what: "guardrails", why: `${guards.length} found, the first ${MAX_GUARDS} are kept` });
      guards.length = MAX_GUARDS;
    }
    const { loginNetworks } = surroundings;
    this.#sessions = { facts: { guards, loginNetworks, unread }, atMs: nowMs };
    return this.#sessions.facts;
  }

  /** Waits for what is otherwise asked behind the caller, for a command that looks once. Never throws. */
  async prepare(): Promise<void> {
    await this.#timeSources.refresh();
    this.forget();
  }

  /** Forgets what was read, so that the next `current()` reads everything again. */
  forget(): void {
    this.#surroundings = undefined;
    this.#sessions = undefined;
    this.#servers = undefined;
  }

  #renew(): Surroundings & { atMs: number } {
    clearImmediate(this.#renewal);
    this.#renewal = undefined;
    this.#sessions = undefined;
    this.#surroundings = { ...this.#readSurroundings(), atMs: this.#clock.monotonicMs() };
    return this.#surroundings;
  }

  #readSurroundings(): Surroundings {
    const guards = new Map<string, Guard>();
    const unread: Unread[] = [];
    const add = (target: Address | Prefix, because: string) => {
      const prefix = typeof target === "string" ? wholeAddress(target) : target;
      const key = `${prefix.base}/${prefix.bits}`;
      if (!guards.has(key)) guards.set(key, { prefix, because });
    };
    const text = (path: string, wanted: "must" | "may" = "may") => this.#read(path, wanted, unread);

    for (const { address, because } of ownAddresses(this.#interfaces())) add(address, because);
    const routes = readGateways(this.#root, text);
    if (!routes.whole) unread.push({ what: "routing tables", why: "too many routes; the first ones count" });
    for (const { address, interface: name, isDefault } of routes.gateways) {
      add(address, `${isDefault ? "default gateway" : "gateway"} of ${name}`);
    }
    for (const path of [
      "/etc/resolv.conf",
      "/run/systemd/resolve/resolv.conf",
      "/run/NetworkManager/no-stub-resolv.conf",
      "/run/dnsmasq/resolv.conf",
    ]) {
      for (const address of parseResolvers(text(path))) add(address, `resolver in ${path}`);
    }
    for (const path of [...this.#files("/run/systemd/netif/leases"), ...this.#leaseFiles()]) {
      for (const { address, role } of parseLease(text(path))) add(address, `${role} of the lease ${path}`);
    }
    for (const path of [
      "/etc/ntp.conf",
      "/etc/ntpsec/ntp.conf",
      "/etc/chrony/chrony.conf",
      "/etc/systemd/timesyncd.conf",
      ...this.#files("/etc/chrony/sources.d"),
      ...this.#files("/etc/systemd/timesyncd.conf.d"),
    ]) {
      for (const address of parseTimeServers(text(path))) add(address, `NTP server in ${path}`);
    }
    const inRole = (remotePort: number) => UDP_ROLES[remotePort] !== undefined;
    for (const { remote, remotePort } of this.#sockets(
      "udp",
      ESTABLISHED,
      (_, port) => inRole(port),
      unread,
    )) {
      add(remote, `${UDP_ROLES[remotePort]} in use`);
    }
    for (const address of this.#timeSources.current()) add(address, "NTP server in use");
    for (const path of [
      "/etc/fail2ban/jail.conf",
      "/etc/fail2ban/jail.local",
      ...this.#files("/etc/fail2ban/jail.d"),
    ]) {
      for (const prefix of parseIgnoreIp(text(path))) add(prefix, `ignoreip in ${path}`);
    }
    for (const path of this.#ignoreFiles) {
      for (const prefix of parseIgnoreFile(text(path))) add(prefix, `listed in ${path}`);
    }
    for (const { address, pid } of sshAncestry(this.#root))
      add(address, `SSH client of the session of process ${pid}`);
    const loginNetworks = this.#loginNetworks(unread);
    return { guards: [...guards.values()], loginNetworks, unread, sshPorts: this.#sshPorts(unread) };
  }

  // Networks of the logins of the last month. The file grows with each login only, so it is read again when its size
  // has changed.
  #loginNetworks(unread: Unread[]): Guard[] {
    const path = join(this.#root, WTMP);
    let size: number;
    try {
      size = statSync(path).size;
    } catch {
      return []; // Hosts without a wtmp (Debian 13 on) have no such memory.
    }
    if (size === this.#wtmp.size) return this.#wtmp.networks;
    const networks = new Map<string, Guard>();
    try {
      const sinceMs = this.#clock.now().getTime() - LOGINS_COUNT_MS;
      for (const { from, atMs } of parseLogins(readEnd(path, size, WTMP_BYTES), sinceMs)) {
        const prefix = prefixOf(from, familyOf(from) === 4 ? 24 : 64);
        const day = new Date(atMs).toISOString().slice(0, 10);
        networks.set(formatPrefix(prefix), {
          prefix,
          because: `somebody logged in from ${formatPrefix(prefix)} on ${day}`,
        });
      }
    } catch (error) {
      unread.push({ what: WTMP, why: describeError(error) });
    }
    this.#wtmp = { size, networks: [...networks.values()] };
    return this.#wtmp.networks;
  }

  /** Peers of established connections to the ports that an SSH server uses, once they have logged in. */
  #sshPeers(ports: ReadonlySet<number>, nowMs: number, unread: Unread[]): Guard[] {
    const seen = new Map<Address, Guard>();
    const connections = this.#sockets("tcp", ESTABLISHED, (port) => ports.has(port), unread);
    for (const { remote, localPort } of this.#sshSessions.loggedIn(connections, nowMs)) {
      if (seen.has(remote)) continue;
      seen.set(remote, { prefix: wholeAddress(remote), because: `live SSH session on port ${localPort}` });
    }
    return [...seen.values()];
  }

  // What sshd_config says, and what the sockets of running SSH servers say: the second also knows socket
  // activation and `sshd -p`.
  #sshPorts(unread: Unread[]): ReadonlySet<number> {
    const ports = new Set<number>([DEFAULT_SSH_PORT]);
    for (const path of ["/etc/ssh/sshd_config", ...this.#files("/etc/ssh/sshd_config.d")]) {
      for (const port of parseSshPorts(this.#read(path, "may", unread))) ports.add(port);
    }
    const inodes = this.#sshServers().all;
    if (inodes.size === 0) return ports;
    for (const { inode, localPort } of this.#sockets("tcp", LISTEN, () => true, unread)) {
      if (inodes.has(inode)) ports.add(localPort);
    }
    return ports;
  }

  #sshServers(): SshSockets {
    const nowMs = this.#clock.monotonicMs();
    if (this.#servers === undefined) {
      this.#servers = { sockets: readSshSockets(this.#root), atMs: nowMs };
    } else if (nowMs - this.#servers.atMs >= SERVERS_MAX_AGE_MS) {
      this.#serversRenewal ??= readSshSocketsBehind(this.#root)
        .then((sockets) => {
          this.#servers = { sockets, atMs: nowMs };
        })
        .finally(() => {
          this.#serversRenewal = undefined;
        });
    }
    return this.#servers.sockets;
  }

  // The sockets of one state, IPv4 and IPv6. Asked of the kernel by netlink; of its tables as text where there is a
  // root other than "/", or a kernel without sock_diag.
  #sockets(protocol: "tcp" | "udp", state: string, keep: KeepPorts, unread: Unread[]): SocketRow[] {
    const rows: SocketRow[] = [];
    for (const wide of [false, true]) {
      if (this.#root === "/" && askKernel(protocol, wide, state, keep, rows, MAX_GUARDS)) continue;
      const path = `/proc/net/${protocol}${wide ? "6" : ""}`;
      const text = this.#read(path, protocol === "tcp" && !wide ? "must" : "may", unread);
      const wanted = (found: string, local: number, remote: number) => found === state && keep(local, remote);
      rows.push(...parseSockets(text, endianness() === "LE", wanted));
    }
    return rows;
  }

  #leaseFiles(): string[] {
    return [
      ...this.#files("/var/lib/dhcp").filter((path) => path.endsWith(".leases")),
      ...this.#files("/var/lib/dhclient").filter((path) => path.endsWith(".leases")),
      ...this.#files("/var/lib/NetworkManager").filter((path) => path.endsWith(".lease")),
    ];
  }

  #files(folder: string): string[] {
    return this.#names(folder).map((name) => `${folder}/${name}`);
  }

  #names(folder: string): string[] {
    try {
      return readdirSync(join(this.#root, folder)).sort().slice(0, 100_000);
    } catch {
      return []; // Optional on every host: a folder that is not there names nobody.
    }
  }

  #read(path: string, wanted: "must" | "may", unread: Unread[]): string {
    try {
      const { text, cut } = readUpTo(join(this.#root, path), MAX_FILE_BYTES);
      if (cut)
        unread.push({ what: path, why: `longer than ${MAX_FILE_BYTES} bytes; only the beginning counts` });
      return text;
    } catch (error) {
      const absent =
        error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
      if (wanted === "must" || !absent) unread.push({ what: path, why: describeError(error) });
      return "";
    }
  }
}

const UDP_ROLES: Record<number, string> = {
  53: "resolver",
  67: "DHCP server",
  123: "NTP server",
  547: "DHCP server",
  853: "resolver",
};

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

function readUpTo(path: string, maxBytes: number): { text: string; cut: boolean } {
  const fd = openSync(path, "r");
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    while (size < maxBytes) {
      const chunk = Buffer.allocUnsafe(65_536);
      const got = readSync(fd, chunk);
      if (got === 0) return { text: Buffer.concat(chunks).toString("latin1"), cut: false };
      chunks.push(chunk.subarray(0, got));
      size += got;
    }
    return { text: Buffer.concat(chunks).toString("latin1"), cut: true };
  } finally {
    closeSync(fd);
  }
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
