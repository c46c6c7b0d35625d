// Keeps two rotations from running over one state: the lock that logrotate takes on its state file, taken the same way, so that
// either program waits for, or yields to, the other.
import { spawn } from "node:child_process";
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { MissingPartError } from "../core/errors.ts";

export type LockPolicy = "fail" | "wait" | "skip";

export class StateBusyError extends Error {
  readonly mend = "wait for it to end";

  constructor(path: string) {
    super(`state file ${path} is already locked: another rotation is running`);
    this.name = "StateBusyError";
  }
}

/** Held until it is disposed of. */
export type StateLock = Disposable & {
  /** Nothing was locked, since any user could hold that lock for ever. */
  readonly worldReadable: boolean;
};

/**
 * Locks a state file, making it (mode 0640) when it is not there. The lock lasts until it is disposed of. Throws
 * StateBusyError when somebody else holds it and the policy is `fail`, and what open(2) throws.
 *
 * CVE-2022-1348: whoever may read the file may lock it and keep every rotation from running, so a file that all may read
 * is not locked, as in logrotate 3.20 and later.
 */
export async function lockState(path: string, policy: LockPolicy): Promise<StateLock> {
  const none: StateLock = { worldReadable: false, [Symbol.dispose]() {} };
  if (policy === "skip" || path === "/dev/null") return none;
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NONBLOCK, 0o640);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) {
      closeSync(fd);
      return none;
    }
    if ((stat.mode & 0o004) !== 0) {
      closeSync(fd);
      return { ...none, worldReadable: true };
    }
    if (!(await flock(fd, policy === "wait"))) throw new StateBusyError(path);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { worldReadable: false, [Symbol.dispose]: () => closeSync(fd) };
}

// flock(1) locks the open file that it inherits, and ours stays locked when it has ended: flock(2) locks belong to the open
// file and not to a process. That costs 2 ms; loading a library for the call costs fifty.
function flock(fd: number, wait: boolean): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn("flock", wait ? ["-x", "3"] : ["-x", "-n", "3"], {
      stdio: ["ignore", "ignore", "ignore", fd],
    });
    child.on("error", (error) =>
      reject(
        new MissingPartError(
          "flock",
          "flock cannot be run",
          "apt install util-linux, or skip the lock",
          error,
        ),
      ),
    );
    child.on("close", (status) => resolve(status === 0));
  });
}
