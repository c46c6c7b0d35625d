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

const COLUMNS = "target, since, until, because, grade, finding_id, packets_stopped, lifted, cause";

export function blockQueries(database: DatabaseSync): BlockQueries {
  const expire = database.prepare(
    `UPDATE blocks SET lifted = until, cause = 'expired'
     WHERE target = ?1 AND lifted IS NULL AND until <= ?2`,
  );
  const put = database.prepare(
    `INSERT INTO blocks (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (target) WHERE lifted IS NULL DO UPDATE SET
       until = excluded.until, because = excluded.because, grade = excluded.grade,
       finding_id = excluded.finding_id, packets_stopped = excluded.packets_stopped,
       lifted = excluded.lifted, cause = excluded.cause`,
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

  return {
    put(row) {
      const since = Date.parse(row.since);
      expire.run(row.target, since);
      put.run(
        row.target,
        since,
        Date.parse(row.until),
        row.because,
        row.grade,
        row.findingId,
        row.packetsStopped,
        row.liftedAt === undefined ? null : Date.parse(row.liftedAt),
        row.cause ?? null,
      );
    },
    inForce(now) {
      return inForce.all(now.getTime()).map(blockRow);
    },
    lift(target, at, cause, packetsStopped = 0) {
      return lift.run(target, at.getTime(), cause, packetsStopped).changes === 1;
    },
    history(target) {
      return history.all(target).map(blockRow);
    },
    times(target, sinceMs) {
      return Number(times.get(target, sinceMs)?.["n"] ?? 0);
    },
  };
}

function blockRow(row: Record<string, unknown>): BlockRow {
  const lifted = row["lifted"];
  const cause = row["cause"];
  return {
    target: String(row["target"]),
    since: new Date(Number(row["since"])).toISOString(),
    until: new Date(Number(row["until"])).toISOString(),
    because: String(row["because"]),
    grade: String(row["grade"]) as EvidenceGrade,
    findingId: String(row["finding_id"]),
    packetsStopped: Number(row["packets_stopped"]),
    ...(lifted === null ? {} : { liftedAt: new Date(Number(lifted)).toISOString() }),
    ...(cause === null ? {} : { cause: String(cause) as LiftCause }),
  };
}
