// Two network namespaces joined by a veth pair, for tests that need a real kernel and must not touch the host's own
// network. Everything is removed when the test ends, however it ends.
import { execFile, execFileSync, type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import type { TestContext } from "node:test";

export type Lab = {
  /** Namespace of the guarded host: 10.77.0.1/24, fd77::1/64. */
  readonly host: string;
  /** Namespace of the stranger: 10.77.0.2/24 and .3 to .9, fd77::2/64, and 2001:db8:77::2/64 behind a route. */
  readonly stranger: string;
  /** Runs a program inside a namespace and returns what it printed; throws when it fails. */
  run(namespace: string, command: string, ...args: string[]): string;
  /** The same without throwing. */
  attempt(namespace: string, command: string, ...args: string[]): SpawnSyncReturns<string>;
  /** Starts a program that lives until the test ends. */
  keep(namespace: string, command: string, ...args: string[]): void;
  /** The same as `run` without blocking this process, which must answer meanwhile. */
  start(namespace: string, command: string, ...args: string[]): Promise<string>;
};

let counter = 0;

/** Why namespaces cannot be made here, or null. */
export function cannotLab(): string | null {
  if (process.getuid?.() !== 0) return "needs root for network namespaces";
  for (const [program, name] of [
    ["ip", "iproute2"],
    ["nft", "nftables"],
    ["nsenter", "util-linux"],
  ] as const) {
    if (!["/usr/sbin", "/sbin", "/usr/bin", "/bin"].some((folder) => executable(`${folder}/${program}`))) {
      return `needs ${program}: apt install ${name}`;
    }
  }
  return null;
}

export function makeLab(t: TestContext): Lab {
  const tag = `${process.pid.toString(36)}${(counter++).toString(36)}`;
  const host = `tt-rh-${tag}`;
  const stranger = `tt-rs-${tag}`;
  const run = (namespace: string, command: string, ...args: string[]) =>
    execFileSync("ip", ["netns", "exec", namespace, command, ...args], { encoding: "utf8", timeout: 20_000 });
  t.after(() => {
    for (const name of [host, stranger]) spawnSync("ip", ["netns", "del", name]);
  });
  const ip = (...args: string[]) => execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
  ip("netns", "add", host);
  ip("netns", "add", stranger);
  ip("-n", host, "link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns", stranger);
  for (const [name, four, six] of [
    [host, "10.77.0.1/24", "fd77::1/64"],
    [stranger, "10.77.0.2/24", "fd77::2/64"],
  ] as const) {
    ip("-n", name, "link", "set", "lo", "up");
    ip("-n", name, "addr", "add", four, "dev", "veth0");
    ip("-n", name, "addr", "add", six, "dev", "veth0", "nodad");
    ip("-n", name, "link", "set", "veth0", "up");
  }
  for (let last = 3; last <= 9; last++)
    ip("-n", stranger, "addr", "add", `10.77.0.${last}/24`, "dev", "veth0");
  ip("-n", stranger, "addr", "add", "2001:db8:77::2/64", "dev", "veth0", "nodad");
  ip("-n", stranger, "addr", "add", "2001:db8:77::3/64", "dev", "veth0", "nodad");
  ip("-n", host, "route", "add", "2001:db8:77::/64", "via", "fd77::2");
  return {
    host,
    stranger,
    run,
    attempt: (namespace, command, ...args) =>
      spawnSync("ip", ["netns", "exec", namespace, command, ...args], { encoding: "utf8", timeout: 20_000 }),
    keep: (namespace, command, ...args) => {
      const child = spawn("ip", ["netns", "exec", namespace, command, ...args], { stdio: "ignore" });
      t.after(() => child.kill("SIGKILL"));
    },
    start: (namespace, command, ...args) =>
      new Promise((resolve, reject) => {
        execFile(
          "ip",
          ["netns", "exec", namespace, command, ...args],
          { timeout: 20_000 },
          (error, stdout) => (error === null ? resolve(stdout) : reject(error)),
        );
      }),
  };
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
