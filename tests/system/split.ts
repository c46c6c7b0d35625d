// The user that the guard's unprivileged half runs as, in a lab: passwd and group of its own, and folders it may enter.
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { GuardProcess } from "./guard-process.ts";
import type { Lab, RunOptions } from "./lab.ts";

/** Numbers that no user of the machine has. */
export const LISTENER_UID = 64_931;

/** Makes user telltale exist in the lab; what is returned goes into the options of each command there. */
export function withListener(lab: Lab): Required<Pick<RunOptions, "binds">> {
  chmodSync(lab.dir, 0o755);
  const passwd = join(lab.dir, "passwd");
  const group = join(lab.dir, "group");
  writeFileSync(
    passwd,
    `${readFileSync("/etc/passwd", "utf8")}telltale:x:${LISTENER_UID}:${LISTENER_UID}::/nonexistent:/usr/sbin/nologin\n`,
  );
  writeFileSync(group, `${readFileSync("/etc/group", "utf8")}telltale:x:${LISTENER_UID}:\n`);
  return {
    binds: [
      [passwd, "/etc/passwd"],
      [group, "/etc/group"],
    ],
  };
}

/** The listener of a guard; NaN while there is none. */
export function listenerOf(guard: GuardProcess): number {
  const { pid } = guard.child;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
  const listener = children.find((child) => statusOf(Number(child))["Uid"]?.startsWith(String(LISTENER_UID)));
  return Number(listener ?? Number.NaN);
}

/** `/proc/PID/status`, by name; empty when the process has gone. */
export function statusOf(pid: number): Record<string, string> {
  try {
    const lines = readFileSync(`/proc/${pid}/status`, "utf8").split("\n");
    return Object.fromEntries(lines.map((line) => line.split(/:\t/) as [string, string]));
  } catch {
    return {}; // It ended in the meantime.
  }
}
