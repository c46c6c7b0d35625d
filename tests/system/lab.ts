// A small network made of namespaces: one guarded host, and clients with a link of their own to it. Every packet of
// the system tests and of the demo stays inside; everything is removed at the end, whatever happened.
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const ROOT = join(import.meta.dirname, "../..");
export const TELLTALE = join(ROOT, "bin/telltale");

export type Client = {
  readonly name: string;
  readonly v4: string;
  readonly v6: string;
  /** The host's addresses on this client's link. */
  readonly host4: string;
  readonly host6: string;
};

export type Lab = {
  /** Scratch folder, removed with the lab. */
  readonly dir: string;
  readonly clients: readonly Client[];
  /** Runs a command to its end, in the host's namespace ("host") or a client's; returns its output. */
  run(
    where: string,
    argv: readonly string[],
    options?: RunOptions,
  ): { status: number | null; stdout: string; stderr: string };
  /** Starts a command that goes on; it is killed with the lab. */
  start(where: string, argv: readonly string[], options?: RunOptions): ChildProcess;
  [Symbol.dispose](): void;
};

export type RunOptions = {
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  /** A command in front of the other, outside of it: `["setpriv", "--reuid=65534"]`. */
  readonly as?: readonly string[];
  /** Paths of the machine that appear as others inside: `["/tmp/x/resolv.conf", "/etc/resolv.conf"]`. */
  readonly binds?: readonly (readonly [from: string, to: string])[];
};

/** Why a lab cannot be made here, or null. */
export function labObstacle(...tools: readonly string[]): string | null {
  if (process.getuid?.() !== 0) return "needs root for network namespaces";
  for (const tool of ["ip", "unshare", ...tools]) {
    if (spawnSync("sh", ["-c", `command -v "$1"`, "sh", tool]).status !== 0)
      return `needs ${tool}: run scripts/setup --test as root`;
  }
  return null;
}

let labs = 0;

/** Makes a lab with clients of these names. Needs root. */
export function makeLab(names: readonly string[]): Lab {
  const prefix = `tt-${process.pid}-${++labs}`;
  const dir = mkdtempSync(join(tmpdir(), "telltale-lab-"));
  const children = new Set<ChildProcess>();
  const namespace = (name: string) => `${prefix}-${name}`;
  const ip = (...args: string[]) => execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
  const made: string[] = [];

  const close = (): void => {
    process.off("exit", close);
    for (const child of children) child.kill("SIGKILL");
    for (const name of made)
      spawnSync("ip", ["netns", "pids", name], { encoding: "utf8" }).stdout.split("\n").forEach(killPid);
    for (const name of made) spawnSync("ip", ["netns", "del", name]);
    rmSync(dir, { recursive: true, force: true });
  };
  process.on("exit", close);

  try {
    for (const name of ["host", ...names]) {
      ip("netns", "add", namespace(name));
      made.push(namespace(name));
      ip("-n", namespace(name), "link", "set", "lo", "up");
    }
    const clients = names.map((name, index): Client => {
      const base = 4 * index;
      const client: Client = {
        name,
        host4: `198.51.100.${base + 1}`,
        v4: `198.51.100.${base + 2}`,
        host6: `2001:db8:${index + 1}::1`,
        v6: `2001:db8:${index + 1}::2`,
      };
      ip(
        "link",
        "add",
        `v${index}`,
        "netns",
        namespace("host"),
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "netns",
        namespace(name),
      );
      for (const [where, link, v4, v6] of [
        ["host", `v${index}`, client.host4, client.host6],
        [name, "eth0", client.v4, client.v6],
      ] as const) {
        ip("-n", namespace(where), "addr", "add", `${v4}/30`, "dev", link);
        ip("-n", namespace(where), "addr", "add", `${v6}/64`, "dev", link, "nodad");
        ip("-n", namespace(where), "link", "set", link, "up");
      }
      ip("-n", namespace(name), "route", "add", "default", "via", client.host4);
      return client;
    });
    const wrap = (where: string, program: readonly string[], options: RunOptions): string[] => {
      const argv = [...(options.as ?? []), ...program];
      const binds = options.binds ?? [];
      const mounts =
        'while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit 99; shift 2; done; shift; exec "$@"';
      const inside =
        binds.length === 0
          ? argv
          : ["unshare", "-m", "sh", "-c", mounts, "sh", ...binds.flat(), "--", ...argv];
      return ["netns", "exec", namespace(where), ...inside];
    };
    return {
      dir,
      clients,
      run: (where, argv, options = {}) => {
        const result = spawnSync("ip", wrap(where, argv, options), {
          encoding: "utf8",
          timeout: options.timeoutMs ?? 60_000,
          maxBuffer: 64 * 1024 * 1024,
          env: { ...process.env, ...options.env },
        });
        return { status: result.status, stdout: result.stdout, stderr: result.stderr };
      },
      start: (where, argv, options = {}) => {
        const child = spawn("ip", wrap(where, argv, options), {
          stdio: ["ignore", "pipe", "pipe"],
          env: { ...process.env, ...options.env },
        });
        children.add(child);
        child.on("exit", () => children.delete(child));
        return child;
      },
      [Symbol.dispose]: close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

function killPid(pid: string): void {
  if (!/^\d+$/.test(pid)) return;
  try {
    process.kill(Number(pid), "SIGKILL");
  } catch {
    // It ended by itself in the meantime.
  }
}
