// Who has which regular file open for writing, from /proc: so that a log nobody rotates can be named with its writer, deleted
// files that still eat the disk are found, and a writer that would leave a hole after copytruncate is noticed.
// See proc_pid_fd(5) and proc_pid_fdinfo(5).
import {
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  statSync,
} from "node:fs";

export type OpenFile = {
  readonly pid: number;
  /** The command's name, at most 15 characters. */
  readonly name: string;
  /** Whether every write goes to the end (O_APPEND). */
  readonly append: boolean;
  /** Where it is, or was when it has been deleted. */
  readonly path: string;
  readonly deleted: boolean;
  readonly dev: number;
  readonly ino: number;
  readonly sizeBytes: number;
  /** What it takes on the disk, which a hole in it does not. */
  readonly diskBytes: number;
};

export type OpenFiles = {
  readonly files: readonly OpenFile[];
  readonly processes: number;
  readonly descriptors: number;
  /** There were more descriptors than are looked at. */
  readonly cut: boolean;
};

// A host with more open files than this is looked at in part; the guard's own work must stay small beside it.
const MAX_DESCRIPTORS = 200_000;
// What may be found: far more than a host has logs, and a bound for whoever opens files to fill our memory.
const MAX_FOUND = 20_000;
const O_APPEND = 0o2000;
// The owner's write bit of the link in /proc/PID/fd says that the file is open for writing.
const OPEN_FOR_WRITING = 0o200;
const DELETED = " (deleted)";
// The loop is given back after so much work: packets and lines wait meanwhile.
const SLICE_MS = 10;
const DESCRIPTORS_PER_LOOK_AT_THE_TIME = 32;

/** Regular files that some process has open for writing. Processes that we may not look at are passed over. */
export function openForWriting(wanted: (path: string) => boolean): OpenFile[] {
  const found: OpenFile[] = [];
  for (const { pid, fd } of descriptors()) {
    const file = lookAt(pid, fd, wanted);
    if (file !== null) found.push(file);
    if (found.length >= MAX_FOUND) break;
  }
  return found;
}

/** The same in short stretches, for a program that has other things to do. */
export async function openForWritingLater(wanted: (path: string) => boolean): Promise<OpenFiles> {
  const files: OpenFile[] = [];
  const processes = new Set<string>();
  let looked = 0;
  let until = performance.now() + SLICE_MS;
  for (const { pid, fd } of descriptors()) {
    processes.add(pid);
    const file = lookAt(pid, fd, wanted);
    if (file !== null) files.push(file);
    if (files.length >= MAX_FOUND)
      return { files, processes: processes.size, descriptors: looked, cut: true };
    if (++looked % DESCRIPTORS_PER_LOOK_AT_THE_TIME === 0 && performance.now() > until) {
      await new Promise(setImmediate);
      until = performance.now() + SLICE_MS;
    }
  }
  return { files, processes: processes.size, descriptors: looked, cut: looked >= MAX_DESCRIPTORS };
}

// One after the other: the descriptors of a process come in a row, and share its name.
let named = { pid: "", name: "" };

function nameOf(pid: string): string {
  if (named.pid !== pid) named = { pid, name: readFileSync(`/proc/${pid}/comm`, "utf8").trimEnd() };
  return named.name;
}

function* descriptors(): Generator<{ pid: string; fd: string }> {
  let looked = 0;
  for (const pid of readdirQuietly("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    named = { pid: "", name: "" };
    for (const fd of readdirQuietly(`/proc/${pid}/fd`)) {
      if (++looked > MAX_DESCRIPTORS) return;
      yield { pid, fd };
    }
  }
}

function readdirQuietly(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return []; // The process has ended, or is somebody else's: nothing to see either way.
  }
}

// Cheapest first: most descriptors are sockets, pipes and files that are only read.
function lookAt(pid: string, fd: string, wanted: (path: string) => boolean): OpenFile | null {
  const link = `/proc/${pid}/fd/${fd}`;
  try {
    const target = readlinkSync(link);
    if (!target.startsWith("/")) return null;
    const deleted = target.endsWith(DELETED);
    const path = deleted ? target.slice(0, -DELETED.length) : target;
    if (!wanted(path) || (lstatSync(link).mode & OPEN_FOR_WRITING) === 0) return null;
    const stat = statSync(link);
    if (!stat.isFile()) return null;
    const flags = flagsOf(readSmall(`/proc/${pid}/fdinfo/${fd}`));
    return {
      pid: Number(pid),
      name: nameOf(pid),
      append: flags !== null && (flags & O_APPEND) !== 0,
      // A file may really be called "x (deleted)": then it still has a name.
      ...(deleted && stat.nlink > 0 ? { path: target, deleted: false } : { path, deleted }),
      dev: stat.dev,
      ino: stat.ino,
      sizeBytes: stat.size,
      diskBytes: stat.blocks * 512,
    };
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
