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

export interface BlockQueries {
  /**
   * Opens a block. While one of the same target is in force, that one is renewed: it keeps its start, and takes
   * the new end, reason, finding and packet count. One that ran out is closed as expired first.
   */
  put(row: BlockRow): void;
  /** Not lifted and not run out, oldest first. */
  inForce(now: Date): BlockRow[];
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
       throttled = excluded.throttled, lifted = excluded.lifted, cause = excluded.cause`,
  );
  const inForce = database.prepare(
    `SELECT ${COLUMNS} FROM blocks WHERE lifted IS NULL AND until > ? ORDER BY since, number`,
  );
  const lift = database.prepare(
    `UPDATE blocks SET lifted = ?2, cause = ?3, packets_stopped = max(packets_stopped, ?4)
     WHERE target = ?1 AND lifted IS NULL`,
  );
  const history = database.prepare(
    `SELECT ${COLUMNS} FROM blocks WHERE target = ? ORDER BY since DESC, number DESC`,
  );
  const times = database.prepare("SELECT count(*) AS n FROM blocks WHERE target = ? AND since >= ?");

  for (const query of [inForce, history]) query.setReturnArrays(true);

  return {
    put(row) {
      const since = utc(row.since);
      expire.run(row.target, since);
      put.run(
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
      );
    },
    inForce(now) {
      return rows(inForce.all(now.toISOString()));
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
