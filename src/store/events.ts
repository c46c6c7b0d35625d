// The stream of everything that happened, in the order it arrived, and the trail of one address through it.
import type { DatabaseSync } from "node:sqlite";
import { familyOf, formatPrefix, parsePrefix, prefixOf } from "../core/address.ts";
import type { Event } from "../core/events.ts";

/** A stored event and its place in the stream; places only grow and none comes twice. */
export type StoredEvent = { readonly seq: number; readonly event: Event };

const DEFAULT_LIMIT = 10_000;

// Of a flood so many events by one statement, which costs a fifth less than one by one; twice as many cost no less.
const ROWS_TOGETHER = 8;

function insertOf(rows: number): string {
  const values = Array(rows).fill("(?, ?, ?, ?, ?, ?, ?)").join(", ");
  return `INSERT OR IGNORE INTO events (id, at, type, bytes, json, about, target) VALUES ${values}`;
}

export type EventQueries = ReturnType<typeof eventQueries>;

export function eventQueries(database: DatabaseSync) {
  const one = database.prepare(insertOf(1));
  const several = database.prepare(insertOf(ROWS_TOGETHER));
  const since = database.prepare("SELECT seq, json FROM events WHERE seq > ? ORDER BY seq LIMIT ?");
  // Which they are the index says by itself; read are only those within the limit.
  const sinceOfTypes = database.prepare(
    `SELECT seq, json FROM events WHERE seq IN (
       SELECT seq FROM events WHERE seq > ?1 AND type IN (SELECT value FROM json_each(?2)) ORDER BY seq LIMIT ?3)
     ORDER BY seq`,
  );
  const last = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'events'");
  const byId = database.prepare("SELECT seq, json FROM events WHERE id = ?");
  // The newest first, so that a limit keeps the newest; handed out oldest first.
  const about = database.prepare(
    `WITH names AS (SELECT value FROM json_each(?1))
     SELECT json FROM events WHERE seq IN (
       SELECT seq FROM events WHERE about IN names
       UNION SELECT seq FROM events WHERE target IN names
       UNION SELECT seq FROM mentions WHERE address IN names
       ORDER BY seq DESC LIMIT ?2)
     ORDER BY seq`,
  );

  return {
    /** An event that is in the stream already (by its id) is passed over: appending twice is appending once. */
    append(events: readonly Event[]): void {
      const whole = events.length - (events.length % ROWS_TOGETHER);
      for (let at = 0; at < whole; at += ROWS_TOGETHER)
        several.run(...events.slice(at, at + ROWS_TOGETHER).flatMap(rowOf));
      for (let at = whole; at < events.length; at++) one.run(...rowOf(events[at]!));
    },

    since(seq: number, types: readonly string[] | undefined, limit = DEFAULT_LIMIT): StoredEvent[] {
      const rows =
        types === undefined ? since.all(seq, limit) : sinceOfTypes.all(seq, JSON.stringify(types), limit);
      return rows.map(storedEvent);
    },

    lastSeq(): number {
      return Number(last.get()?.["seq"] ?? 0);
    },

    byId(id: string): StoredEvent | null {
      const row = byId.get(id);
      return row === undefined ? null : storedEvent(row);
    },

    about(target: string, limit: number): Event[] {
      const names = JSON.stringify(namesCovering(target));
      return about.all(names, limit).map((row) => JSON.parse(String(row["json"])) as Event);
    },
  };
}

function storedEvent(row: Record<string, unknown>): StoredEvent {
  return { seq: Number(row["seq"]), event: JSON.parse(String(row["json"])) as Event };
}

type Row = [
  id: string,
  atMs: number,
  type: string,
  bytes: number,
  json: string,
  about: string | null,
  target: string | null,
];

function rowOf(event: Event): Row {
  const json = JSON.stringify(event);
  const [about, target] = addressesOf(event);
  return [event.id, Date.parse(event.at), event.type, json.length, json, about, target];
}

/** The address or prefix that an event is about, and what a verdict would cover where that is another. */
function addressesOf(event: Event): [about: string | null, target: string | null] {
  switch (event.type) {
    case "scan.detected":
      return [event.scan.source, null];
    case "verdict.reached": {
      const { source, target } = event.verdict;
      return [source, source === target ? null : target];
    }
    case "block.applied":
    case "block.failed":
    case "block.lifted":
      return [event.target, null];
    default:
      return NOBODY;
  }
}

const NOBODY: [null, null] = [null, null];

// What was done to an address may have been done to a prefix around it: the address itself and every prefix that
// holds it, as they are written in events. A text that is no address stands for itself.
function namesCovering(target: string): string[] {
  const prefix = parsePrefix(target);
  if (prefix === null) return [target];
  const names: string[] = [];
  for (let bits = prefix.bits; bits >= 0; bits--) names.push(formatPrefix(prefixOf(prefix.base, bits)));
  if (prefix.bits === (familyOf(prefix.base) === 4 ? 32 : 128)) names.push(`${prefix.base}/${prefix.bits}`);
  return names;
}
