// Who is logged in over SSH, and who merely holds a connection to the port. A scanner that keeps one connection open
// without logging in must not be protected for it; an administrator in a session must be, in every case of doubt.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { Address } from "../core/address.ts";
import { parseSshConnection, type SocketRow } from "./parse.ts";

const SERVERS = /^(sshd|sshd-session|sshd-auth|dropbear|tinysshd)$/;
// mosh(1) logs in over SSH, ends that connection and goes on over UDP, of which the kernel knows no peer.
const MOSH = "mosh-server";
// How OpenSSH titles its processes until a user has proved who they are: the listener's child, the unprivileged half
// before authentication, the re-executed binary that has no title yet, and from 10.0 on a program of its own.
const NOT_LOGGED_IN = /\[(?:listener|accepted|net|preauth)\]|sshd-session -R|^\S*sshd-auth/;
/** How soon a connection that was not logged in is looked at again whatever its processes say, in milliseconds. */
export const ASK_AGAIN_MS = 1_000;
// Of a crowd that waits for its logins, the others are asked again after that time. sshd begins to refuse at ten.
const ASKED_AT_ONCE = 32;
// An SSH server that was started by its socket holds one that was there before it: all processes are looked at this often.
const SERVERS_MAX_AGE_MS = 60_000;

/** The sockets of the SSH servers that run here, by inode. */
export type SshSockets = {
  readonly all: ReadonlySet<string>;
  /** Held by processes that wait for their client to log in, and by which. */
  readonly notLoggedIn: ReadonlyMap<string, readonly string[]>;
  /** From where the mosh sessions that run here were begun; where a client has roamed to since, nobody says. */
  readonly mosh: readonly SshClient[];
};

/** Where an SSH client sits, and a process of its session. */
export type SshClient = { readonly address: Address; readonly pid: number };

/** Reads /proc; processes whose descriptors we may not see are left out. 0.03 ms a process. */
export function readSshSockets(root: string): SshSockets {
  const walk = walkSshServers(root);
  for (;;) {
    const { done, value } = walk.next();
    if (done === true) return value;
  }
}

// A walk of a thousand processes would hold up a verdict for 30 ms.
const PROCESSES_PER_TURN = 40;

/** The same, a few processes at a time; the event loop runs between them. */
export async function readSshSocketsBehind(root: string): Promise<SshSockets> {
  const walk = walkSshServers(root);
  for (let count = 1; ; count++) {
    const { done, value } = walk.next();
    if (done === true) return value;
    if (count % PROCESSES_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

function* walkSshServers(root: string): Generator<undefined, SshSockets, undefined> {
  const all = new Set<string>();
  const notLoggedIn = new Map<string, string[]>();
  const mosh: SshClient[] = [];
  for (const pid of names(join(root, "/proc"))) {
    if (!/^\d+$/.test(pid)) continue;
    yield;
    const folder = join(root, "/proc", pid);
    const program = text(join(folder, "comm")).trim();
    if (program === MOSH) {
      const address = sshClientOf(root, Number(pid));
      if (address !== null) mosh.push({ address, pid: Number(pid) });
    }
    if (!SERVERS.test(program)) continue;
    const waits = waitsForLogin(root, pid);
    for (const fd of names(join(folder, "fd"))) {
      const inode = socketOf(join(folder, "fd", fd));
      if (inode === null) continue;
      all.add(inode);
      if (waits) notLoggedIn.set(inode, [...(notLoggedIn.get(inode) ?? []), pid]);
    }
  }
  return { all, notLoggedIn, mosh };
}

function waitsForLogin(root: string, pid: string): boolean {
  return NOT_LOGGED_IN.test(text(join(root, "/proc", pid, "cmdline")).replaceAll("\0", " "));
}

/** Sorts connections into sessions and others, and asks again only where the answer may have changed. */
export class SshSessions {
  readonly #root: string;
  // Logged in stays logged in while the connection lives; renewed at each call, so never longer than the table.
  #settled: ReadonlySet<string> = new Set();
  #asked: ReadonlySet<string> = new Set();
  #askedAtMs = 0;
  #sockets: SshSockets = { all: new Set(), notLoggedIn: new Map(), mosh: [] };

  constructor(root: string) {
    this.#root = root;
  }

  /** Whether somebody who was not logged in may have become so since, without any new connection. */
  get isWaiting(): boolean {
    return this.#asked.size > 0;
  }

  /**
   * Whether a process that waited for a login does so no longer. Then all of them are looked at when connections are sorted
   * next. 0.02 ms for each process.
   */
  hasMoved(): boolean {
    const waiting = [...this.#asked].flatMap((inode) => this.#sockets.notLoggedIn.get(inode) ?? []);
    const isMoved = waiting.slice(0, ASKED_AT_ONCE).some((pid) => !waitsForLogin(this.#root, pid));
    if (isMoved) this.#askedAtMs = Number.NEGATIVE_INFINITY;
    return isMoved;
  }

  /** Of these connections to SSH ports, those whose peer has logged in or may have. */
  loggedIn(connections: readonly SocketRow[], nowMs: number): SocketRow[] {
    // Inode 0: no process has accepted it yet.
    const accepted = connections.filter(({ inode }) => inode !== "0");
    const open = accepted.filter(({ inode }) => !this.#settled.has(inode));
    if (
      open.some(({ inode }) => !this.#asked.has(inode)) ||
      (open.length > 0 && nowMs - this.#askedAtMs >= ASK_AGAIN_MS)
    ) {
      this.#sockets = readSshSockets(this.#root);
      this.#askedAtMs = nowMs;
    }
    this.#asked = new Set(open.map(({ inode }) => inode));
    const sessions = accepted.filter(
      ({ inode }) => this.#settled.has(inode) || !this.#sockets.notLoggedIn.has(inode),
    );
    // A socket of no server that we can see is protected in doubt, and looked at again.
    this.#settled = new Set(
      sessions
        .map(({ inode }) => inode)
        .filter((inode) => this.#settled.has(inode) || this.#sockets.all.has(inode)),
    );
    return sessions;
  }

  /** Whether a session that was sorted last is one of a server that we know, and none by doubt alone. */
  isSure({ inode }: SocketRow): boolean {
    return this.#settled.has(inode);
  }
}

/** On which ports SSH servers listen here, as their sockets say: that knows socket activation and `sshd -p`. */
export class SshServerPorts {
  readonly #root: string;
  readonly #onNews: () => void;
  #servers: SshSockets | null = null;
  #listening = "";
  #lookedAtMs = 0;
  #looking = false;

  /** @param onNews called when processes were looked at, behind whoever asked, and the answer may be another */
  constructor(root: string, onNews: () => void) {
    this.#root = root;
    this.#onNews = onNews;
  }

  /**
   * Looks at processes only when other sockets listen than before, or after a minute; the first time before it returns.
   * @param sockets all that listen
   */
  among(sockets: readonly SocketRow[], nowMs: number): number[] {
    const listening = sockets.map(({ inode }) => inode).join(" ");
    if (this.#servers === null) {
      this.#servers = readSshSockets(this.#root);
      this.#lookedAtMs = nowMs;
    } else if (listening !== this.#listening || nowMs - this.#lookedAtMs >= SERVERS_MAX_AGE_MS) {
      this.#lookedAtMs = nowMs;
      void this.#look();
    }
    this.#listening = listening;
    const { all } = this.#servers;
    return sockets.filter(({ inode }) => all.has(inode)).map(({ localPort }) => localPort);
  }

  /** Who began the mosh sessions that ran when processes were looked at last. */
  get mosh(): readonly SshClient[] {
    return this.#servers?.mosh ?? [];
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const found = await readSshSocketsBehind(this.#root);
    this.#looking = false;
    this.#servers = found;
    this.#onNews();
  }
}

/** SSH clients of our ancestors: SSH_CONNECTION survives sudo in some ancestor's environment where ours has lost it. */
export function* sshAncestry(root: string): Iterable<SshClient> {
  let pid = process.pid;
  for (let depth = 0; depth < 32 && pid > 1; depth++) {
    const address = sshClientOf(root, pid);
    if (address !== null) yield { address, pid };
    pid = Number(/^PPid:\s*(\d+)/m.exec(text(join(root, `/proc/${pid}/status`)))?.[1] ?? 0);
  }
}

// What sshd wrote into the environment of a session: sshd(8), ENVIRONMENT.
function sshClientOf(root: string, pid: number): Address | null {
  const environment = text(join(root, `/proc/${pid}/environ`));
  const value = /(?:^|\0)SSH_(?:CONNECTION|CLIENT)=([^\0]*)/.exec(environment)?.[1];
  return value === undefined ? null : parseSshConnection(value);
}

function socketOf(path: string): string | null {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(path))?.[1] ?? null;
  } catch {
    return null; // The descriptor closed between listing and reading.
  }
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // The process ended, or is not ours to look into: its sockets count as of no server we know.
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // As above.
  }
}
