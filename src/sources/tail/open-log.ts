// Opens what stands at a log's path without ever blocking on it or being led elsewhere: a FIFO, a device or a
// stranger's link in the place of a log is named, not read.
import {
  type BigIntStats,
  close,
  constants,
  createReadStream,
  fstat,
  fstatSync,
  lstatSync,
  open as openPlain,
  read,
} from "node:fs";
import { access, type FileHandle, lstat, open, realpath, statfs } from "node:fs/promises";
import { userInfo } from "node:os";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { describeError, MissingPartError } from "../../core/errors.ts";
import { isSilent } from "../../sys/silent-filesystems.ts";

export type FileFacts = {
  readonly device: string;
  readonly inode: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
};

/** What reading a log takes of a file handle; a descriptor from another process has no more than this. */
export type LogHandle = Pick<FileHandle, "close" | "createReadStream" | "fd" | "read" | "stat">;

export type OpenedLog = FileFacts & {
  readonly handle: LogHandle;
  readonly path: string;
  /** On a file system of this machine: what the kernel holds in memory of the file is had without waiting for anybody. */
  readonly isLocal: boolean;
};

/**
 * Asks a process with more rights to open a log; the descriptor is ours then.
 * Throws MissingPartError when that is refused.
 */
export type OpenForUs = (path: string) => Promise<number>;

/** Why a log cannot be read, and what to do. */
export type Unreadable = { readonly path: string; readonly why: string; readonly mend: string };

const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW | constants.O_NOCTTY;

/** Opens the log at `path`, by itself where it may; null when there is none. */
export async function openLog(path: string, openForUs?: OpenForUs): Promise<OpenedLog | Unreadable | null> {
  let handle: LogHandle | undefined;
  try {
    handle = await openOrAsk(path, openForUs);
    const facts = await factsOf(handle);
    if (facts !== null) return { ...facts, handle, path, isLocal: await isOnLocal(handle) };
    await handle.close();
    return {
      path,
      why: "not a regular file",
      mend: "put a log file there, or take this path out of the list of logs",
    };
  } catch (error) {
    await handle?.close();
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    if (code === "ELOOP") return openLink(path, openForUs);
    if (error instanceof MissingPartError) return { path, why: error.message, mend: error.mend };
    if (code === "EACCES" || code === "EPERM") return denied(path);
    // What stands there may have no reader's side at all: a socket, a device that is not there.
    if (code === "ENXIO" || code === "ENODEV") return { path, why: "not a regular file", mend: "remove it" };
    return { path, why: describeError(error), mend: "look at the file system that holds the log" };
  }
}

// Only a file whose folder is open to us is asked for: without a look at the folder a rotation would go unnoticed, and
// lines would be read twice.
async function openOrAsk(path: string, openForUs: OpenForUs | undefined): Promise<LogHandle> {
  try {
    return await open(path, FLAGS);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (openForUs === undefined || (code !== "EACCES" && code !== "EPERM")) throw error;
    if (!(await isInOpenFolder(path))) throw error;
    return handleOf(await openForUs(path));
  }
}

async function isInOpenFolder(path: string): Promise<boolean> {
  try {
    await Promise.all([lstat(path), access(dirname(path), constants.R_OK)]);
    return true;
  } catch {
    return false;
  }
}

const readFd = promisify(read);
const statFd = promisify(fstat);
const closeFd = promisify(close);

// A stream that ends closes its descriptor, whatever autoClose says; a handle outlives its streams.
const STAYS_OPEN = { open: openPlain, read, close: (_fd: number, done: (error?: Error) => void) => done() };

// FileHandle has no way in for a descriptor that is open already.
function handleOf(fd: number): LogHandle {
  return {
    fd,
    read: readFd.bind(null, fd),
    stat: statFd.bind(null, fd),
    close: () => closeFd(fd),
    createReadStream: (options: object) => createReadStream("", { ...options, fd, fs: STAYS_OPEN }),
  } as unknown as LogHandle;
}

async function isOnLocal({ fd }: LogHandle): Promise<boolean> {
  try {
    return !isSilent((await statfs(`/proc/self/fd/${fd}`)).type);
  } catch {
    return false; // A sandbox without /proc: asked for as if it were far away.
  }
}

/** Whether `opened` is an open log, and not a reason. */
export function isOpen(opened: OpenedLog | Unreadable | null): opened is OpenedLog {
  return opened !== null && "handle" in opened;
}

/** Runs `work`; when it throws, the log is closed. */
export async function orClose<T>(opened: OpenedLog | Unreadable | null, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isOpen(opened)) await opened.handle.close();
    throw error;
  }
}

/** Identity, size and time of a regular file; null for anything else. */
export async function factsOf(file: LogHandle | string): Promise<FileFacts | null> {
  return factsIn(
    typeof file === "string" ? await lstat(file, { bigint: true }) : await file.stat({ bigint: true }),
  );
}

/** The same at once, of a path or a descriptor on a local file system: the kernel has the answer in memory. */
export function factsNow(file: number | string): FileFacts | null {
  return factsIn(
    typeof file === "string" ? lstatSync(file, { bigint: true }) : fstatSync(file, { bigint: true }),
  );
}

function factsIn(stat: BigIntStats): FileFacts | null {
  if (!stat.isFile()) return null;
  return {
    device: String(stat.dev),
    inode: String(stat.ino),
    sizeBytes: Number(stat.size),
    mtimeMs: Number(stat.mtimeNs / 1_000n) / 1_000,
  };
}

// A link is followed when root made it, or when its owner owns the file it leads to: then it shows its maker
// nothing that he could not read (the kernel's own rule for links in shared folders).
async function openLink(path: string, openForUs?: OpenForUs): Promise<OpenedLog | Unreadable | null> {
  try {
    const link = await lstat(path);
    const target = await realpath(path);
    if (link.uid !== 0 && link.uid !== (await lstat(target)).uid) {
      return {
        path,
        why: `a symbolic link that user ${link.uid} made to ${target}, which is not theirs`,
        mend: `name ${target} in the list of logs if it is wanted, and remove the link`,
      };
    }
    const opened = await openLog(target, openForUs);
    return opened === null || isOpen(opened) ? opened : { ...opened, path };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT") return null;
    return { path, why: describeError(error), mend: "remove the link, or make it lead to a log" };
  }
}

// Never "join group 0": that is a right to much more than one log.
function rightToRead(user: string, path: string, mode: number, gid: number): string {
  return gid !== 0 && (mode & 0o040) !== 0
    ? `usermod -aG "$(getent group ${gid} | cut -d: -f1)" ${user}, and start it anew`
    : `chgrp adm ${path} && chmod g+r ${path}, and usermod -aG adm ${user} unless it is in that group`;
}

async function denied(path: string): Promise<Unreadable> {
  const user = userInfo().username;
  try {
    const { mode, uid, gid } = await lstat(path);
    const bits = (mode & 0o7777).toString(8).padStart(4, "0");
    return {
      path,
      why: `permission denied for user ${user}: mode ${bits}, owner ${uid}, group ${gid}`,
      mend: rightToRead(user, path, mode, gid),
    };
  } catch {
    // Not even to be looked at: a folder on the way is closed.
    return {
      path,
      why: `permission denied for user ${user}: a folder on the way is closed`,
      mend: `let ${user} enter the folders that lead to ${path}`,
    };
  }
}
