// Keeps the history bounded, whoever writes into it: strangers choose how many lines and scans there are. What
// goes first is the oldest of the kind there is most of, so a flood of one kind cannot push out another kind.
import type { DatabaseSync } from "node:sqlite";

export type RetentionLimits = {
  readonly maxEvents: number;
  /** Of the events' JSON; the file is about half as large again. */
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  /** Blocks that are over; those in force are never dropped. */
  readonly maxPastBlocks: number;
};

export const DEFAULT_LIMITS: RetentionLimits = {
  // About 100 MB at the usual half kilobyte, some months of a busy host.
  maxEvents: 200_000,
  // Long lines: 200,000 of 64 KiB would be 13 GB.
  maxBytes: 512 * 1024 * 1024,
  // A year's review still finds last year's case.
  maxAgeMs: 400 * 86_400_000,
  // The responder may open 60 a minute: six days of an attack at that rate, 100 bytes each.
  maxPastBlocks: 500_000,
};

// A clock that jumps a century ahead must not erase the history: the newest events stay whatever their age.
const KEEP_WHATEVER_AGE = 10_000;

// Rows a single transaction deletes: a few milliseconds, and little enough log that it works on a disk that is full.
const CHUNK = 500;

// A block that ran out this long ago and that nobody reported as lifted (a crash) is closed here.
const OVERDUE_MS = 86_400_000;

export interface Retention {
  /** Drops what is over the limits of count and size; returns how many events went. */
  trim(): number;
  /** Drops events over age, past blocks, and gives the room back to the file system. Returns how many events went. */
  purge(now: Date): number;
}

export function retention(
  database: DatabaseSync,
  limits: RetentionLimits,
  transaction: <T>(work: () => T) => T,
): Retention {
  const shares = database.prepare(
    "SELECT type, count(*) AS count, sum(bytes) AS bytes FROM events GROUP BY type",
  );
  const dropOldestOf = database.prepare(
    "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE type = ? ORDER BY seq LIMIT ?)",
  );
  const dropOlderThan = database.prepare(
    `DELETE FROM events WHERE seq IN
       (SELECT seq FROM events WHERE seq <= ?1 ORDER BY seq LIMIT ?2) AND at < ?3`,
  );
  const newestOutsideKeep = database.prepare("SELECT seq FROM events ORDER BY seq DESC LIMIT 1 OFFSET ?");
  const closeOverdue = database.prepare(
    `UPDATE blocks SET lifted = until, cause = 'expired' WHERE number IN
       (SELECT number FROM blocks WHERE lifted IS NULL AND until < ?1 LIMIT ?2)`,
  );
  // Numbers only grow, and the first row is the oldest: where they span little and it is young, nobody looks at all rows.
  const spanOfBlocks = database.prepare(
    `SELECT (SELECT max(number) FROM blocks) - (SELECT min(number) FROM blocks) AS span,
       (SELECT since FROM blocks ORDER BY number LIMIT 1) AS first`,
  );
  const newestPastOutside = database.prepare(
    "SELECT number FROM blocks WHERE lifted IS NOT NULL ORDER BY number DESC LIMIT 1 OFFSET ?",
  );
  const dropPastBlocks = database.prepare(
    `DELETE FROM blocks WHERE number IN (SELECT number FROM blocks
       WHERE lifted IS NOT NULL AND (lifted < ?1 OR number <= ?2) ORDER BY number LIMIT ?3)`,
  );

  function trim(): number {
    let gone = 0;
    const kinds = shares.all() as { type: string; count: number; bytes: number }[];
    for (;;) {
      const count = kinds.reduce((sum, kind) => sum + kind.count, 0);
      const bytes = kinds.reduce((sum, kind) => sum + kind.bytes, 0);
      const measure = count > limits.maxEvents ? "count" : bytes > limits.maxBytes ? "bytes" : null;
      if (measure === null) return gone;
      const most = kinds.reduce((a, b) => (b[measure] > a[measure] ? b : a));
      const average = most.bytes / most.count;
      const over = measure === "count" ? count - limits.maxEvents : (bytes - limits.maxBytes) / average;
      const chunk = Math.max(1, Math.min(CHUNK, Math.ceil(over), most.count));
      const dropped = transaction(() => Number(dropOldestOf.run(most.type, chunk).changes));
      // Reckoned on, not counted again: the next trim counts.
      most.count -= Math.max(1, dropped);
      most.bytes = average * most.count;
      gone += dropped;
    }
  }

  function purge(now: Date): number {
    let gone = trim();
    const edge = Number(newestOutsideKeep.get(KEEP_WHATEVER_AGE)?.["seq"] ?? 0);
    gone += inChunks(() => dropOlderThan.run(edge, CHUNK, now.getTime() - limits.maxAgeMs));
    const overdue = new Date(now.getTime() - OVERDUE_MS).toISOString();
    inChunks(() => closeOverdue.run(overdue, CHUNK));
    purgeBlocks(new Date(now.getTime() - limits.maxAgeMs).toISOString());
    database.exec("PRAGMA incremental_vacuum");
    return gone;
  }

  function purgeBlocks(cutoff: string): void {
    const { span, first } = spanOfBlocks.get() as { span: number | null; first: string | null };
    if (span === null || first === null) return;
    if (span < limits.maxPastBlocks && first >= cutoff) return;
    const edge = Number(newestPastOutside.get(limits.maxPastBlocks)?.["number"] ?? 0);
    inChunks(() => dropPastBlocks.run(cutoff, edge, CHUNK));
  }

  /** Until nothing is left to do; returns how many rows that were. */
  function inChunks(work: () => { readonly changes: number | bigint }): number {
    for (let sum = 0; ; ) {
      const changed = transaction(() => Number(work().changes));
      sum += changed;
      if (changed < CHUNK) return sum;
    }
  }

  return { trim, purge };
}
