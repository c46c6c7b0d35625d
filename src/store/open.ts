// Opens the history file: makes it private, tells damage from a newer version, and sets a damaged file aside,
// because a guard with an empty history still guards and one that cannot start does not.
import {
  closeSync,
  constants,
  existsSync,
  fchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import type { Clock } from "../core/clock.ts";
import { describeError, MissingPartError } from "../core/errors.ts";
import type { EventBody } from "../core/events.ts";
import { isDamage, StoreDamagedError, storeFault } from "./faults.ts";
import { isOlder, migrate, mustKnow } from "./migrate.ts";
import { salvage } from "./salvage.ts";

// How long a writer waits for another process's transaction; ours take milliseconds.
const BUSY_TIMEOUT_MS = 5_000;

// A file up to this size is checked at every start (about 0.1 s); a larger one only when damage was met before.
const ALWAYS_CHECK_BYTES = 64 * 1024 * 1024;

// The log beside the file: written back into it after this many pages of 4 KiB, and cut back to this size after a large
// transaction. What it has once taken stays its own: on a disk that fills, that much can still be written.
const LOG_PAGES = 256;
const LOG_LIMIT_BYTES = 2 * 1024 * 1024;

/** A history that lives as long as the process: what a guard falls back to when its disk refuses. */
export const IN_MEMORY = ":memory:";

/** Opens the history for writing; creates folder (0700) and file (0600); `notices` gets what had to be done. */
export function openForWriting(path: string, clock: Clock, notices: EventBody[]): DatabaseSync {
  if (path === IN_MEMORY) return prepare(path);
  makePrivate(path);
  let damage: unknown;
  try {
    return prepare(path);
  } catch (error) {
    if (!isDamage(error)) throw storeFault(path, error);
    damage = error;
  }
  const aside = setAside(path, clock.now());
  const database = prepare(path);
  const kept = salvage(aside, database);
  notices.push({
    type: "part.failed",
    part: "store",
    why: `${path} was damaged (${describeError(damage)}) and is now ${aside}`,
    mend: `look for disk errors in the kernel log; ${aside} can be removed once you do not need it`,
    stillRuns: `a new history was begun with ${kept}`,
  });
  return database;
}

/** Opens the history beside a guard that may hold it. Throws MissingPartError when there is none. */
export function openForReading(path: string): DatabaseSync {
  if (!existsSync(path)) {
    throw new MissingPartError("store", `${path}: no history yet`, "start `telltale guard`, it begins one");
  }
  mustBeFile(path);
  let database: DatabaseSync | undefined;
  try {
    database = readable(path);
    mustKnow(database, path);
    if (!isOlder(database)) return database;
    // The program was renewed, and no guard has been started since.
    database.close();
    database = undefined;
    takeOver(path);
    database = readable(path);
    return database;
  } catch (error) {
    database?.close();
    throw storeFault(path, error);
  }
}

function takeOver(path: string): void {
  try {
    prepare(path).close();
  } catch (error) {
    if (isDamage(error)) throw error;
    throw new MissingPartError(
      "store",
      `${path}: an older telltale wrote this history, and it cannot be brought up to date: ${describeError(error)}`,
      "restart telltale, which does it, or ask as root",
      error,
    );
  }
}

/** Leaves word that this file is damaged, so that the next start looks at all of it. */
export function markSuspect(path: string): void {
  try {
    writeFileSync(suspectFile(path), "", { mode: 0o600 });
  } catch {
    // Only a hint: small files are checked at every start anyway, and the damage itself is being thrown.
  }
}

// Reading a history in WAL mode wants the shared memory file beside it. Where nobody wrote that file and we may
// not, there is no writer either, and the file can be read as one that does not change.
function readable(path: string): DatabaseSync {
  try {
    const database = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
    database.prepare("SELECT count(*) FROM sqlite_schema").get();
    return database;
  } catch (error) {
    if (existsSync(`${path}-wal`) && statSync(`${path}-wal`).size > 0) throw error;
    const still = pathToFileURL(path);
    still.searchParams.set("immutable", "1");
    return new DatabaseSync(still, { readOnly: true });
  }
}

function makePrivate(path: string): void {
  try {
    makeFolder(dirname(path));
    if (!existsSync(path)) {
      const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
      const file = openSync(path, flags, 0o600);
      // The folder may be that of the unprivileged half: what root begins there must stay writable for it.
      const { uid, gid } = statSync(dirname(path));
      if (process.geteuid?.() === 0 && uid !== 0) fchownSync(file, uid, gid);
      closeSync(file);
    }
    mustBeFile(path);
  } catch (error) {
    if (error instanceof MissingPartError) throw error;
    throw new MissingPartError(
      "store",
      `${path}: ${describeError(error)}`,
      `make ${dirname(path)} writable for the user that runs telltale, or name another place for the history`,
      error,
    );
  }
}

// Not mkdir's `recursive`: on Node 26 it never returns where the kernel answers ENOENT for a new folder (/proc).
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  if (dirname(folder) !== folder) makeFolder(dirname(folder));
  mkdirSync(folder, { mode: 0o700 });
}

// A link in the place of the history would let its owner choose which file we write.
function mustBeFile(path: string): void {
  if (lstatSync(path).isFile()) return;
  throw new MissingPartError(
    "store",
    `${path}: not a regular file`,
    "move it away, or name another place for the history",
  );
}

function prepare(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    // Before the first table, or it does nothing: room of purged events can then go back to the file system.
    database.exec("PRAGMA auto_vacuum = INCREMENTAL");
    database.exec("PRAGMA journal_mode = WAL");
    // In WAL mode NORMAL survives kill -9 whole; a power cut may cost the last moments, but findings and cursor
    // go together, so those lines are read again. FULL measured 0.42 ms a commit against 0.04 ms, on a disk that syncs fast.
    database.exec("PRAGMA synchronous = NORMAL");
    database.exec(`PRAGMA wal_autocheckpoint = ${LOG_PAGES}`);
    database.exec(`PRAGMA journal_size_limit = ${LOG_LIMIT_BYTES}`);
    if (mustCheck(path)) check(database, path);
    migrate(database, path);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function mustCheck(path: string): boolean {
  if (path === IN_MEMORY) return false;
  return existsSync(suspectFile(path)) || statSync(path).size <= ALWAYS_CHECK_BYTES;
}

function check(database: DatabaseSync, path: string): void {
  const found = String(Object.values(database.prepare("PRAGMA quick_check(1)").get() ?? {})[0]);
  if (found !== "ok") throw Object.assign(new Error(found), { errcode: 11 });
  rmSync(suspectFile(path), { force: true });
}

// The log and shared memory go along: they belong to the damaged file and would be read into the new one.
function setAside(path: string, now: Date): string {
  const stamp = now.toISOString().replace(/[-:]/g, "").slice(0, 15);
  let aside = `${path}.damaged-${stamp}`;
  for (let again = 2; existsSync(aside); again++) aside = `${path}.damaged-${stamp}-${again}`;
  try {
    renameSync(path, aside);
    if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${aside}-wal`);
    rmSync(`${path}-shm`, { force: true });
    rmSync(suspectFile(path), { force: true });
    makePrivate(path);
    return aside;
  } catch (error) {
    throw new StoreDamagedError(path, error);
  }
}

function suspectFile(path: string): string {
  return `${path}-suspect`;
}
