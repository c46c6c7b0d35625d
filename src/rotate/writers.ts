// Who has which file open for writing, from /proc: so that a log nobody rotates can be named with its writer, and a writer that
// would leave a hole after copytruncate is noticed. See proc_pid_fd(5) and proc_pid_fdinfo(5).
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  type Stats,
  statSync,
} from "node:fs";
import type { LogPlan } from "./types.ts";

export type Writer = {
  readonly pid: number;
  /** The command's name, at most 15 characters. */
  readonly name: string;
  /** Whether every write goes to the end (O_APPEND). */
  readonly append: boolean;
  readonly path: string;
  readonly dev: number;
  readonly ino: number;
  readonly sizeBytes: number;
};

// A host with more open files than this is looked at in part; the guard's own work must stay small beside it.
const MAX_DESCRIPTORS = 200_000;
const O_ACCMODE = 0o3;
const O_APPEND = 0o2000;

/** Regular files that some process has open for writing. Processes that we may not look at are passed over. */
export function openForWriting(wanted: (path: string) => boolean): Writer[] {
  const writers: Writer[] = [];
  let looked = 0;
  for (const pid of readdirQuietly("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    for (const fd of readdirQuietly(`/proc/${pid}/fd`)) {
      if (++looked > MAX_DESCRIPTORS) return writers;
      const writer = writerOf(pid, fd, wanted);
      if (writer !== null) writers.push(writer);
    }
  }
  return writers;
}

function readdirQuietly(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return []; // The process has ended, or is somebody else's: nothing to see either way.
  }
}

function writerOf(pid: string, fd: string, wanted: (path: string) => boolean): Writer | null {
  try {
    const path = readlinkSync(`/proc/${pid}/fd/${fd}`);
    if (!path.startsWith("/") || !wanted(path)) return null;
    const flags = flagsOf(readSmall(`/proc/${pid}/fdinfo/${fd}`));
    if (flags === null || (flags & O_ACCMODE) === 0) return null;
    const stat: Stats = statSync(`/proc/${pid}/fd/${fd}`);
    if (!stat.isFile()) return null;
    const name = readFileSync(`/proc/${pid}/comm`, "utf8").trimEnd();
    const { dev, ino, size } = stat;
    return { pid: Number(pid), name, append: (flags & O_APPEND) !== 0, path, dev, ino, sizeBytes: size };
  } catch {
    return null; // Closed or ended between two looks.
  }
}

// The flags of open(2) as fdinfo shows them, in octal.
function flagsOf(fdinfo: string): number | null {
  const hit = /^flags:\s*([0-7]+)$/m.exec(fdinfo);
  return hit === null ? null : Number.parseInt(hit[1]!, 8);
}

const small = Buffer.allocUnsafe(1024);

function readSmall(path: string): string {
  const fd = openSync(path, "r");
  try {
    return small.toString("latin1", 0, readSync(fd, small, 0, small.length, 0));
  } finally {
    closeSync(fd);
  }
}

/** `apache2 (pid 123)`. */
export function formatWriter(writer: Pick<Writer, "name" | "pid">): string {
  return `${writer.name} (pid ${writer.pid})`;
}

/**
 * For logs about to be emptied in place: those whose writer keeps its own offset, and would go on writing at it, leaving
 * a hole of zeros where the old lines were. Log → what to say.
 */
export function holeWarnings(plans: readonly Pick<LogPlan, "log" | "seen">[]): Map<string, string> {
  const logs = new Map(plans.map((plan) => [plan.log, plan]));
  const warnings = new Map<string, string>();
  for (const writer of openForWriting((path) => logs.has(path))) {
    const seen = logs.get(writer.path)?.seen;
    if (writer.append || seen?.ino !== writer.ino || seen.dev !== writer.dev) continue;
    const warning = `${formatWriter(writer)} writes without O_APPEND: after copytruncate it leaves a hole; have it reopen its log instead (create, postrotate)`;
    warnings.set(writer.path, warning);
  }
  return warnings;
}
