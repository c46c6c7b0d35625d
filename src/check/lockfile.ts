// The lock that keeps two runs apart, and a run of ours apart from one of logcheck's: the file that lockfile-create(1)
// makes, with its rule that a lock nobody touches for five minutes is stale.
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

/** lockfile_create(3): a lock of another host or a dead process is known by its age alone. */
const STALE_AFTER_MS = 5 * 60_000;
/** Well within the age that makes it stale, as lockfile-touch(1) does. */
const TOUCH_EVERY_MS = 60_000;

/** The lock is another's; `path` is the file that says so. */
export class LockBusyError extends Error {
  readonly path: string;

  constructor(path: string) {
    super(`Another logcheck process is still running: ${path} is younger than five minutes`);
    this.name = "LockBusyError";
    this.path = path;
  }
}

/**
 * Takes `NAME.lock`, making its directory if need be, and keeps it fresh until it is disposed of. Throws
 * LockBusyError when somebody holds it, and the system's error when it cannot be made.
 * @param now wall time in milliseconds, to be held against the file's
 */
export function takeLock(name: string, now: () => number = Date.now): Disposable {
  const path = `${name}.lock`;
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  let fd = createExclusive(path);
  if (fd === null && isStale(path, now())) {
    unlinkSync(path);
    fd = createExclusive(path);
  }
  if (fd === null) throw new LockBusyError(path);
  writeSync(fd, `${process.pid}\n`);
  closeSync(fd);
  const timer = setInterval(() => {
    const seconds = now() / 1000;
    utimesSync(path, seconds, seconds);
  }, TOUCH_EVERY_MS);
  timer.unref();
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      unlinkSync(path);
    },
  };
}

function createExclusive(path: string): number | null {
  try {
    return openSync(path, "wx", 0o644);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return null;
    throw error;
  }
}

// lockfile-create(1) writes 0 into the lock, as it ends at once itself. We write who we are, so that a run that was
// killed does not keep the next one out.
function isStale(path: string, nowMs: number): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined || nowMs - stats.mtimeMs > STALE_AFTER_MS) return true;
  const pid = Number(/^(\d{1,10})\s*$/.exec(readFileSync(path, "latin1"))?.[1] ?? "0");
  return pid > 0 && !isAlive(pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
