// Keeps two rotations from running over one state: the lock that logrotate takes on its state file, taken the same way, so that
// either program waits for, or yields to, the other.
import { spawn } from "node:child_process";
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { MissingPartError } from "../core/errors.ts";

export type LockPolicy = "fail" | "wait" | "skip";

export class StateBusyError extends Error {
  readonly mend: string;

  constructor(path: string, readableByAll: boolean) {
    super(`state file ${path} is already locked: another rotation is running`);
    this.name = "StateBusyError";
    // CVE-2022-1348: whoever may read the file may lock it, and keep every rotation from running.
    this.mend = readableByAll
      ? `wait for it to end; if none runs, some user holds the lock: chmod 0640 ${path}`
      : "wait for it to end";
  }
}

/**
 * Locks a state file, making it (mode 0640) when it is not there. The lock lasts until it is disposed of. Throws
 * StateBusyError when somebody else holds it and the policy is `fail`, and what open(2) throws.
 */
export async function lockState(path: string, policy: LockPolicy): Promise<Disposable> {
  const none: Disposable = { [Symbol.dispose]() {} };
  if (policy === "skip" || path === "/dev/null") return none;
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NONBLOCK, 0o640);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) {
      closeSync(fd);
      return none;
    }
    if (!(await flock(fd, policy === "wait"))) throw new StateBusyError(path, (stat.mode & 0o044) !== 0);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { [Symbol.dispose]: () => closeSync(fd) };
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
