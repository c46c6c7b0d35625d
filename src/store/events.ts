// The stream of everything that happened, in the order it arrived, and the trail of one address through it.
import type { DatabaseSync } from "node:sqlite";
import { familyOf, formatPrefix, parsePrefix, prefixOf } from "../core/address.ts";
import type { Event } from "../core/events.ts";

/** A stored event and its place in the stream; places only grow and none comes twice. */
export type StoredEvent = { readonly seq: number; readonly event: Event };

const DEFAULT_LIMIT = 10_000;

export type EventQueries = ReturnType<typeof eventQueries>;

export function eventQueries(database: DatabaseSync) {
  const insert = database.prepare(
    "INSERT OR IGNORE INTO events (id, at, type, bytes, json) VALUES (?, ?, ?, ?, ?)",
  );
  const mention = database.prepare("INSERT OR IGNORE INTO mentions (address, seq) VALUES (?, ?)");
  const since = database.prepare("SELECT seq, json FROM events WHERE seq > ? ORDER BY seq LIMIT ?");
  const sinceOfTypes = database.prepare(
    `SELECT seq, json FROM events WHERE seq > ?1 AND type IN (SELECT value FROM json_each(?2))
     ORDER BY seq LIMIT ?3`,
  );
  const last = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'events'");
  const byId = database.prepare("SELECT seq, json FROM events WHERE id = ?");
  // The newest first, so that a limit keeps the newest; handed out oldest first.
  const about = database.prepare(
    `SELECT json FROM events WHERE seq IN (
       SELECT DISTINCT seq FROM mentions WHERE address IN (SELECT value FROM json_each(?1))
       ORDER BY seq DESC LIMIT ?2)
     ORDER BY seq`,
  );

  return {
    /** Returns false when this event (by its id) is in the stream already: appending twice is appending once. */
    append(event: Event): boolean {
      const json = JSON.stringify(event);
      const { changes, lastInsertRowid } = insert.run(
        event.id,
        Date.parse(event.at),
        event.type,
        json.length,
        json,
      );
      if (changes === 0) return false;
      for (const address of addressesOf(event)) mention.run(address, lastInsertRowid);
      return true;
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

/** The addresses and prefixes that an event is about. */
function addressesOf(event: Event): readonly string[] {
  switch (event.type) {
    case "scan.detected":
      return [event.scan.source];
    case "verdict.reached":
      return event.verdict.source === event.verdict.target
        ? [event.verdict.source]
        : [event.verdict.source, event.verdict.target];
    case "block.applied":
    case "block.failed":
    case "block.lifted":
      return [event.target];
    default:
      return [];
  }
}

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
