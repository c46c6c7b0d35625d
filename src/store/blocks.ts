// Who is locked out, until when and why, and who was before: the firewall forgets at reboot, this does not.
import type { DatabaseSync } from "node:sqlite";
import type { EvidenceGrade, LiftCause } from "../core/events.ts";

export type BlockRow = {
  /** An address or `ADDRESS/BITS`. */
  readonly target: string;
  /** ISO 8601, UTC. */
  readonly since: string;
  /** ISO 8601, UTC. */
  readonly until: string;
  readonly because: string;
  readonly grade: EvidenceGrade;
  readonly findingId: string;
  readonly packetsStopped: number;
  /** Slowed down, not shut out. */
  readonly throttled?: boolean;
  /** ISO 8601, UTC; absent while nobody lifted it. */
  readonly liftedAt?: string;
  readonly cause?: LiftCause;
};

/** A block in force, as short as whoever carries it out needs it. */
export type BlockInForce = Pick<BlockRow, "target" | "grade" | "packetsStopped"> & {
  /** Milliseconds of the epoch. */
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly throttled: boolean;
};

/** A block in force, and how often its target was blocked in the time asked for, this block among them. */
export type ListedBlock = BlockRow & { readonly times: number };

export type BlockListing = {
  /** The numbers of the blocks in force. */
  readonly numbers: readonly number[];
  /** Length of the longest target. */
  readonly longestTarget: number;
};

export interface BlockQueries {
  /**
   * Opens a block. While one of the same target is in force, that one is renewed: it keeps its start, and takes
   * the new end, reason, finding and packet count. One that ran out is closed as expired first.
   */
  put(row: BlockRow): void;
  /** Not lifted and not run out, oldest first. */
  inForce(now: Date): BlockRow[];
  /**
   * Those in force, at most `limit`, by their targets as text: for whoever cannot hold all of them.
   * @param after the last target of those that came before; "" for the first
   */
  inForceAfter(now: Date, after: string, limit: number): BlockInForce[];
  /** Targets of those that ran out and that nobody has lifted, at most `limit`, as text; `after` as above. */
  overdueAfter(now: Date, after: string, limit: number): string[];
  /** Which are in force, oldest first, for whoever shows them page by page (`listed`). */
  listing(now: Date): BlockListing;
  /** Of these blocks of a listing those that are still in force, in its order. */
  listed(numbers: readonly number[], sinceMs: number): ListedBlock[];
  /** How many are in force. */
  countInForce(now: Date): number;
  /** So many packets has the open block of a target stopped by now; a count never falls. */
  count(target: string, packetsStopped: number): void;
  /** Closes the open block of a target. False when there is none. */
  lift(target: string, at: Date, cause: LiftCause, packetsStopped?: number): boolean;
  /** Every block of exactly this target, newest first. */
  history(target: string): BlockRow[];
  /** How often this target was blocked since then (milliseconds of the epoch). */
  times(target: string, sinceMs: number): number;
}

const COLUMNS = "target, since, until, because, grade, finding_id, packets_stopped, throttled, lifted, cause";

export function blockQueries(database: DatabaseSync): BlockQueries {
  const expire = database.prepare(
    `UPDATE blocks SET lifted = until, cause = 'expired'
     WHERE target = ?1 AND lifted IS NULL AND until <= ?2`,
  );
  const put = database.prepare(
    `INSERT INTO blocks (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (target) WHERE lifted IS NULL DO UPDATE SET
       until = excluded.until, because = excluded.because, grade = excluded.grade,
       finding_id = excluded.finding_id, packets_stopped = excluded.packets_stopped,
       throttled = excluded.throttled, lifted = excluded.lifted, cause = excluded.cause
     WHERE until > excluded.since`,
  );
  const inForce = database.prepare(
    `SELECT ${COLUMNS} FROM blocks WHERE lifted IS NULL AND until > ? ORDER BY since, number`,
  );
  const inForceAfter = database.prepare(
    // Numbers instead of times as text: half the time and a third of the garbage, where there are a hundred thousand.
    `SELECT target, unixepoch(since, 'subsec'), unixepoch(until, 'subsec'), grade = 'proven', packets_stopped, throttled
     FROM blocks WHERE lifted IS NULL AND target > ?2 AND until > ?1 ORDER BY target LIMIT ?3`,
  );
  const overdueAfter = database.prepare(
    "SELECT target FROM blocks WHERE lifted IS NULL AND target > ?2 AND until <= ?1 ORDER BY target LIMIT ?3",
  );
  // One row instead of a hundred thousand: to hand over a row takes longer than to find it.
  const numbersInForce = database.prepare(
    `SELECT json_group_array(number ORDER BY since, number), max(length(target))
     FROM blocks WHERE lifted IS NULL AND until > ?`,
  );
  const listed = database.prepare(
    `SELECT ${COLUMNS}, (SELECT count(*) FROM blocks p WHERE p.target = b.target AND p.since >= ?2)
     FROM json_each(?1) wanted CROSS JOIN blocks b ON b.number = wanted.value
     WHERE lifted IS NULL ORDER BY wanted.key`,
  );
  const countInForce = database.prepare(
    "SELECT count(*) AS n FROM blocks WHERE lifted IS NULL AND until > ?",
  );
  const count = database.prepare(
    "UPDATE blocks SET packets_stopped = max(packets_stopped, ?2) WHERE target = ?1 AND lifted IS NULL",
  );
  const lift = database.prepare(
    `UPDATE blocks SET lifted = ?2, cause = ?3, packets_stopped = max(packets_stopped, ?4)
     WHERE target = ?1 AND lifted IS NULL`,
  );
  const history = database.prepare(
    `SELECT ${COLUMNS} FROM blocks WHERE target = ? ORDER BY since DESC, number DESC`,
  );
  const times = database.prepare("SELECT count(*) AS n FROM blocks WHERE target = ? AND since >= ?");

  for (const query of [inForce, inForceAfter, history, numbersInForce, listed]) query.setReturnArrays(true);

  return {
    put(row) {
      const since = utc(row.since);
      const values = [
        row.target,
        since,
        utc(row.until),
        row.because,
        row.grade,
        row.findingId,
        row.packetsStopped,
        row.throttled === true ? 1 : 0,
        row.liftedAt === undefined ? null : utc(row.liftedAt),
        row.cause ?? null,
      ];
      if (Number(put.run(...values).changes) > 0) return;
      // One stands in the way that ran out and that nobody has closed.
      expire.run(row.target, since);
      put.run(...values);
    },
    inForce(now) {
      return rows(inForce.all(now.toISOString()));
    },
    inForceAfter(now, after, limit) {
      return (inForceAfter.all(now.toISOString(), after, limit) as unknown as ShortRow[]).map(shortRow);
    },
    overdueAfter(now, after, limit) {
      return overdueAfter.all(now.toISOString(), after, limit).map((row) => String(row["target"]));
    },
    listing(now) {
      const row = numbersInForce.get(now.toISOString()) as unknown as [string, number | null];
      return { numbers: JSON.parse(row[0]) as number[], longestTarget: row[1] ?? 0 };
    },
    listed(numbers, sinceMs) {
      const since = new Date(sinceMs).toISOString();
      const found = listed.all(JSON.stringify(numbers), since) as unknown as [...Row, number][];
      return rows(found).map((row, i) => ({ ...row, times: found[i]![TIMES] }));
    },
    countInForce(now) {
      return Number(countInForce.get(now.toISOString())?.["n"] ?? 0);
    },
    count(target, packetsStopped) {
      count.run(target, packetsStopped);
    },
    lift(target, at, cause, packetsStopped = 0) {
      return lift.run(target, at.toISOString(), cause, packetsStopped).changes === 1;
    },
    history(target) {
      return rows(history.all(target));
    },
    times(target, sinceMs) {
      return Number(times.get(target, new Date(sinceMs).toISOString())?.["n"] ?? 0);
    },
  };
}

/** One form for one moment, whatever form it came in. Throws RangeError for what is no time. */
function utc(text: string): string {
  return new Date(text).toISOString();
}

type Row = [
  string,
  string,
  string,
  string,
  EvidenceGrade,
  string,
  number,
  number,
  string | null,
  LiftCause | null,
];

type ShortRow = [string, number, number, number, number, number];

function shortRow([target, since, until, isProven, packetsStopped, throttled]: ShortRow): BlockInForce {
  return {
    target,
    // SQLite reckons in fractions of a second.
    sinceMs: Math.round(since * 1_000),
    untilMs: Math.round(until * 1_000),
    grade: isProven === 1 ? "proven" : "spoofable",
    packetsStopped,
    throttled: throttled === 1,
  };
}

// Behind the columns.
const TIMES = 10;

// In the order of COLUMNS. As arrays: at a hundred thousand blocks, naming each value takes most of the time.
function rows(found: unknown): BlockRow[] {
  return (found as Row[]).map(
    ([target, since, until, because, grade, findingId, packetsStopped, throttled, lifted, cause]) => ({
      target,
      since,
      until,
      because,
      grade,
      findingId,
      packetsStopped,
      ...(throttled === 0 ? {} : { throttled: true }),
      ...(lifted === null ? {} : { liftedAt: lifted }),
      ...(cause === null ? {} : { cause }),
    }),
  );
}
