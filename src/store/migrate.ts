// Brings a history of any earlier version to the present shape, in one transaction, so that an interrupted
// upgrade leaves the old one whole.
import type { DatabaseSync } from "node:sqlite";
import { MissingPartError } from "../core/errors.ts";
import { BEGIN } from "./migrations/0001-begin.ts";
import { THROTTLED } from "./migrations/0002-throttled.ts";
import { ABOUT } from "./migrations/0003-about.ts";

/** Oldest first; the version of a history is how many of these it has seen (`PRAGMA user_version`). */
const MIGRATIONS: readonly string[] = [BEGIN, THROTTLED, ABOUT];

export const SCHEMA_VERSION = MIGRATIONS.length;

/** The version of the history; 0 when it was never written. */
export function schemaVersion(database: DatabaseSync): number {
  return Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
}

/** Whether migrations are missing. A file that was never written is not old. */
export function isOlder(database: DatabaseSync): boolean {
  const found = schemaVersion(database);
  return found > 0 && found < SCHEMA_VERSION;
}

/** Runs the migrations that are missing. Throws MissingPartError when a newer telltale wrote the file. */
export function migrate(database: DatabaseSync, path: string): void {
  mustKnow(database, path);
  if (schemaVersion(database) === SCHEMA_VERSION) return;
  database.exec("BEGIN IMMEDIATE");
  try {
    // Read again: another process may have migrated while this one waited for the lock.
    for (const statements of MIGRATIONS.slice(schemaVersion(database))) database.exec(statements);
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    database.exec("COMMIT");
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

/** Throws MissingPartError when the history's version is newer than this program. */
export function mustKnow(database: DatabaseSync, path: string): void {
  const found = schemaVersion(database);
  if (found <= SCHEMA_VERSION) return;
  throw new MissingPartError(
    "store",
    `${path}: history of version ${found}, this telltale knows versions up to ${SCHEMA_VERSION}`,
    "install the newer telltale again, or move the file away to begin a new history",
  );
}
