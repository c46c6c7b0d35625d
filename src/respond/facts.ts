// Who must never be blocked, as of now: asked at every verdict, so what was read is kept until something tells that it has
// become old. The kernel counts connections and notes changes of the network; files have a time of change.
import { networkInterfaces } from "node:os";
import { type Clock, systemClock } from "../core/clock.ts";
import { CHANGES, NetworkChanges } from "../sys/network-changes.ts";
import { TcpCounters } from "../sys/tcp-counters.ts";
import { wholeAddress } from "./guardrails.ts";
import { HostFiles, type Unread } from "./host-files.ts";
import { HostSockets } from "./host-sockets.ts";
import { ESTABLISHED, LISTEN } from "./parse.ts";
import { ASK_AGAIN_MS, SshServerPorts, SshSessions } from "./ssh.ts";
import { FileReading, type Reading, readInUse, readNetwork } from "./surroundings.ts";
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

// One verdict asks several times, and restoring 100,000 blocks as often: within this time it is one question.
const ONE_QUESTION_MS = 5;
// Connections come and routes flap by the thousand a second on some hosts: what was read is good for this long whatever the
// kernel tells. A login takes longer.
const YOUNG_MS = 100;
// However still everything seems, all is read again this often.
const SESSIONS_MAX_AGE_MS = 15_000;
const IN_USE_MAX_AGE_MS = 15_000;
const NETWORK_MAX_AGE_MS = 60_000;
const FILES_MAX_AGE_MS = 60_000;
// Where the kernel does not tell of changes of the network.
const UNTOLD_MAX_AGE_MS = 5_000;
// Asking thirty files for their times takes a tenth of a millisecond.
const FILES_LOOK_MS = 5_000;
const MAX_GUARDS = 4_096;
const DEFAULT_SSH_PORT = 22;

type Kept<T> = T & { readonly atMs: number };
/** @property made what the kernel had counted before the reading; `settled` when that was the same at the reading before */
type Sessions = Kept<Reading & { readonly made: string | null; readonly settled: boolean }>;
type InUse = Kept<Reading & { readonly sshPorts: readonly number[] }>;

/** Reads the facts and keeps what has not become old. A question costs 0.02 ms as long as nothing has changed. */
export class HostFactsReader {
  readonly #root: string;
  readonly #ignoreFiles: readonly string[];
  readonly #clock: Clock;
  readonly #interfaces: typeof networkInterfaces;
  readonly #files: HostFiles;
  readonly #sockets: HostSockets;
  readonly #ssh: SshSessions;
  readonly #sshServers: SshServerPorts;
  readonly #timeSources: TimeSources;
  readonly #counters: TcpCounters;
  readonly #changes: NetworkChanges | null;
  #networkTold = false;
  #filesLookedAtMs = 0;
  #network: Kept<Reading> | null = null;
  #file: { readonly reading: FileReading; readonly atMs: number } | null = null;
  #inUse: InUse | null = null;
  #sessions: Sessions | null = null;
  #facts: HostFacts | null = null;
  #said = "";
  #askedAtMs = 0;

  constructor(options: FactsOptions = {}) {
    this.#root = options.root ?? "/";
    this.#ignoreFiles = options.ignoreFiles ?? ["/etc/portsentry/portsentry.ignore"];
    this.#clock = options.clock ?? systemClock;
    this.#interfaces = options.interfaces ?? networkInterfaces;
    this.#files = new HostFiles(this.#root);
    this.#sockets = new HostSockets(this.#root, this.#files);
    this.#ssh = new SshSessions(this.#root);
    this.#sshServers = new SshServerPorts(this.#root, () => {
      this.#inUse = null;
    });
    this.#timeSources = new TimeSources(this.#root, this.#clock);
    this.#counters = new TcpCounters(this.#files.at("/proc/net/snmp"));
    this.#changes = this.#root === "/" ? openChanges() : null;
  }

  /**
   * The facts as of now; the same object for as long as they are the same. Only these may be older: logins where the
   * server does not say that it waits for one (a second), the contents of files (five seconds), UDP servers in use and ports of
   * SSH servers (fifteen).
   */
  current(): HostFacts {
    const nowMs = this.#clock.monotonicMs();
    if (this.#facts !== null && nowMs - this.#askedAtMs < ONE_QUESTION_MS) return this.#facts;
    this.#askedAtMs = nowMs;
    const { file, inUse } = { file: this.#file, inUse: this.#inUse };
    const isOther = this.#renewNetwork(nowMs) || this.#facts === null;
    this.#renewFiles(nowMs);
    this.#renewInUse(nowMs);
    const isElsewhere = this.#file !== file || this.#inUse !== inUse;
    const isRenewed = this.#renewSessions(nowMs, isElsewhere);
    if (isOther || isRenewed) this.#join();
    return this.#facts!;
  }

  /** Waits for what is otherwise asked behind the caller, for a command that looks once. Never throws. */
  async prepare(): Promise<void> {
    await this.#timeSources.refresh();
    this.forget();
  }

  /** Forgets what was read, so that the next `current()` reads everything again. */
  forget(): void {
    this.#network = null;
    this.#file = null;
    this.#inUse = null;
    this.#sessions = null;
    this.#facts = null;
  }

  [Symbol.dispose](): void {
    this.#changes?.close();
  }

  #renewNetwork(nowMs: number): boolean {
    // Taken first: what changes while it is read is told the next time.
    if (this.#changes?.take() === true) this.#networkTold = true;
    const known = this.#network;
    const ageMs = known === null ? Number.POSITIVE_INFINITY : nowMs - known.atMs;
    const maxAgeMs = this.#changes === null ? UNTOLD_MAX_AGE_MS : NETWORK_MAX_AGE_MS;
    if (ageMs < (this.#networkTold ? YOUNG_MS : maxAgeMs)) return false;
    this.#networkTold = false;
    const { guards, unread } = readNetwork(this.#files, this.#root, this.#interfaces);
    this.#network = { guards, unread, atMs: nowMs };
    return true;
  }

  #renewFiles(nowMs: number): void {
    if (this.#file !== null && nowMs - this.#file.atMs < FILES_MAX_AGE_MS) {
      if (nowMs - this.#filesLookedAtMs < FILES_LOOK_MS) return;
      this.#filesLookedAtMs = nowMs;
      if (!this.#file.reading.isOld()) return;
    }
    this.#filesLookedAtMs = nowMs;
    const reading = new FileReading(this.#files, this.#ignoreFiles, this.#clock);
    this.#file = { reading, atMs: nowMs };
  }

  #renewInUse(nowMs: number): void {
    if (this.#inUse !== null && nowMs - this.#inUse.atMs < IN_USE_MAX_AGE_MS) return;
    const reading = readInUse(this.#sockets, this.#root, this.#timeSources.current());
    const unread = [...reading.unread];
    const listening = this.#sockets.list("tcp", LISTEN, () => true, unread);
    const sshPorts = this.#sshServers.among(listening, nowMs);
    const mosh = this.#sshServers.mosh.map(
      ({ address, pid }): Guard => ({
        prefix: wholeAddress(address),
        because: `mosh session of process ${pid}`,
        isLogin: true,
      }),
    );
    this.#inUse = { guards: [...mosh, ...reading.guards], unread, sshPorts, atMs: nowMs };
  }

  /** Peers of established connections to the ports that an SSH server uses, once they have logged in. */
  #renewSessions(nowMs: number, isElsewhere: boolean): boolean {
    const known = this.#sessions;
    const ageMs = known === null ? Number.POSITIVE_INFINITY : nowMs - known.atMs;
    const isLogin = this.#ssh.hasMoved();
    if (ageMs < YOUNG_MS && !isElsewhere && !isLogin) return false;
    // Counted first: a connection that comes while they are read is found by the next question.
    const made = this.#counters.made();
    const maxAgeMs = this.#ssh.isWaiting ? ASK_AGAIN_MS : SESSIONS_MAX_AGE_MS;
    const isStill = made !== null && made === known?.made;
    if (isStill && known.settled && ageMs < maxAgeMs && !isElsewhere && !isLogin) return false;
    const unread: Unread[] = [];
    const ports = new Set([DEFAULT_SSH_PORT, ...this.#file!.reading.sshPorts, ...this.#inUse!.sshPorts]);
    const connections = this.#sockets.list("tcp", ESTABLISHED, (port) => ports.has(port), unread);
    const guards = this.#ssh.loggedIn(connections, nowMs).map(
      (row): Guard => ({
        prefix: wholeAddress(row.remote),
        because: `live SSH session on port ${row.localPort}`,
        ...(this.#ssh.isSure(row) && { isLogin: true as const }),
      }),
    );
    // The kernel counts a connection a moment before it lists it: the last one counted is looked for once more.
    this.#sessions = { guards, unread, made, settled: isStill, atMs: nowMs };
    return true;
  }

  #join(): void {
    const file = this.#file!.reading;
    // People first: should the cap cut anything off, then lines of a long ignore file.
    const readings = [this.#sessions!, this.#network!, file, this.#inUse!];
    const found = new Map<string, Guard>();
    for (const guard of readings.flatMap((reading) => reading.guards)) {
      const key = `${guard.prefix.base}/${guard.prefix.bits}`;
      if (!found.has(key)) found.set(key, guard);
    }
    const unread = new Map(readings.flatMap((reading) => reading.unread).map((each) => [each.what, each]));
    const guards = [...found.values()];
    if (guards.length > MAX_GUARDS) {
      const why = `${guards.length} found, the first ${MAX_GUARDS} are kept`;
      unread.set("guardrails", { what: "guardrails", why });
      guards.length = MAX_GUARDS;
    }
    const facts: HostFacts = { guards, loginNetworks: file.loginNetworks, unread: [...unread.values()] };
    const said = JSON.stringify(facts);
    if (this.#facts !== null && said === this.#said) return;
    this.#said = said;
    this.#facts = facts;
  }
}

function openChanges(): NetworkChanges | null {
  try {
    return new NetworkChanges(CHANGES.links | CHANGES.addresses | CHANGES.routes);
  } catch {
    return null; // A sandbox without netlink: the network is read again every few seconds.
  }
}
