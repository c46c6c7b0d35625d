// Two network namespaces joined by a veth pair, for tests that need a real kernel and must not touch the host's own
// network. Everything is removed when the test ends, however it ends.
import { execFile, execFileSync, type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import type { TestContext } from "node:test";
import { Remote } from "./remote.ts";

export type Lab = {
  /** Namespace of the guarded host: 10.77.0.1/24, fd77::1/64, gateways 10.77.0.9 and fd77::9. */
  readonly host: string;
  /** Namespace of the stranger: 10.77.0.2/24 to .9, fd77::2/64, and 2001:db8:77::2/64 and ::3 behind a route. */
  readonly stranger: string;
  /** Runs a program inside a namespace and returns what it printed; throws when it fails. */
  run(namespace: string, command: string, ...args: string[]): string;
  /** The same without throwing. */
  attempt(namespace: string, command: string, ...args: string[]): SpawnSyncReturns<string>;
  /** Starts a program that lives until the test ends. */
  keep(namespace: string, command: string, ...args: string[]): void;
  /** One knock at a TCP port of the host from this address of the stranger: `answered` or `silent`. */
  knock(from: string, port: number): Promise<string>;
  /** The same as `run` without blocking this process, which must answer meanwhile. */
  start(namespace: string, command: string, ...args: string[]): Promise<string>;
};

// A reset comes back within a millisecond, also on a busy machine within a hundred.
const PATIENCE_MS = 250;

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
  let knocker: Remote | undefined;
  const host = `tt-rh-${tag}`;
  const stranger = `tt-rs-${tag}`;
  const run = (namespace: string, command: string, ...args: string[]) =>
    execFileSync("ip", ["netns", "exec", namespace, command, ...args], { encoding: "utf8", timeout: 20_000 });
  t.after(() => {
    spawnSync("ip", ["-force", "-batch", "-"], { input: `netns del ${host}\nnetns del ${stranger}\n` });
  });
  const ip = (namespace: string, ...lines: string[]) =>
    execFileSync("ip", ["-n", namespace, "-batch", "-"], {
      input: `${lines.join("\n")}\n`,
      stdio: ["pipe", "ignore", "pipe"],
    });
  execFileSync("ip", ["-batch", "-"], { input: `netns add ${host}\nnetns add ${stranger}\n` });
  ip(
    host,
    `link add veth0 address 02:00:00:00:00:01 type veth peer name veth0 address 02:00:00:00:00:02 netns ${stranger}`,
    "link set lo up",
    "addr add 10.77.0.1/24 dev veth0",
    "addr add fd77::1/64 dev veth0 nodad",
    "link set veth0 up",
    // Known from the start: for a second after the link is up, neighbour discovery finds nobody.
    "neigh replace fd77::2 lladdr 02:00:00:00:00:02 dev veth0 nud permanent",
    "route add 2001:db8:77::/64 via fd77::2",
    "route add default via 10.77.0.9",
    "route add default via fd77::9",
  );
  ip(
    stranger,
    "link set lo up",
    ...[2, 3, 4, 5, 6, 7, 8, 9].map((last) => `addr add 10.77.0.${last}/24 dev veth0`),
    ...["fd77::2", "2001:db8:77::2", "2001:db8:77::3"].map(
      (address) => `addr add ${address}/64 dev veth0 nodad`,
    ),
    "link set veth0 up",
    "neigh replace fd77::1 lladdr 02:00:00:00:00:01 dev veth0 nud permanent",
  );
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
    knock: (from, port) => {
      knocker ??= new Remote(t, stranger, "./knocker-child.ts");
      const to = from.includes(":") ? "fd77::1" : "10.77.0.1";
      return knocker.ask("knock", { from, to, port, patienceMs: PATIENCE_MS }) as Promise<string>;
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
