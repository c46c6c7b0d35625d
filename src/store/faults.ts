// SQLite's error numbers become our errors here, once, with the mend: a full disk, a lock that stays, a
// damaged file and a read-only one each want something different from the administrator.
import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { describeError, MissingPartError } from "../core/errors.ts";

/** The disk under the store has no room. Nothing was written; the next write is tried afresh. */
export class StoreFullError extends MissingPartError {
  constructor(path: string, cause?: unknown) {
    super(
      "store",
      `${path}: no space left to write the history`,
      `free space on the file system of ${dirname(path)}; writing resumes by itself`,
      cause,
    );
    this.name = "StoreFullError";
  }
}

/** The file does not hold what was written into it. The next start sets it aside and begins a new one. */
export class StoreDamagedError extends MissingPartError {
  constructor(path: string, cause?: unknown) {
    super(
      "store",
      `${path}: the history is damaged (${describeError(cause)})`,
      "restart telltale: it sets the damaged file aside, keeps what can be read and begins a new history",
      cause,
    );
    this.name = "StoreDamagedError";
  }
}

// Primary result codes, https://www.sqlite.org/rescode.html: the low byte of what SQLite returns.
const BUSY = 5;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;

// Under this much free space a failed write to the shared memory file or the log (reported as an I/O error,
// not as "full") is a full disk.
const FULL_BELOW_BYTES = 256 * 1024;

/** Whether SQLite says that the file is no (whole) database. */
export function isDamage(error: unknown): boolean {
  const code = primaryCode(error);
  return code === CORRUPT || code === NOTADB;
}

/** What to throw in place of `error`: one of our errors where SQLite named a cause with a mend, else the same. */
export function storeFault(path: string, error: unknown): unknown {
  switch (primaryCode(error)) {
    case FULL:
      return new StoreFullError(path, error);
    case IOERR:
      return freeBytes(path) < FULL_BELOW_BYTES
        ? new StoreFullError(path, error)
        : missing(path, error, "look at the kernel log: the disk under the store answers with errors");
    case CANTOPEN:
      return freeBytes(path) < FULL_BELOW_BYTES
        ? new StoreFullError(path, error)
        : missing(path, error, `make ${dirname(path)} readable and writable for the user that runs telltale`);
    case CORRUPT:
    case NOTADB:
      return new StoreDamagedError(path, error);
    case BUSY:
      return missing(path, error, "another process holds the history for long: look with `fuser` who it is");
    case READONLY:
      return missing(path, error, "the history was opened for reading only, or its folder is read-only");
    default:
      return error;
  }
}

function missing(path: string, error: unknown, mend: string): MissingPartError {
  return new MissingPartError("store", `${path}: ${describeError(error)}`, mend, error);
}

function primaryCode(error: unknown): number {
  const code = error instanceof Error ? (error as Error & { errcode?: unknown }).errcode : undefined;
  return typeof code === "number" ? code & 0xff : -1;
}

function freeBytes(path: string): number {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize;
  } catch {
    return Number.POSITIVE_INFINITY; // The folder is gone: then it is not fullness that we should report.
  }
}
