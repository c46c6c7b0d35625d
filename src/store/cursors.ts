// How far each source was read. A cursor is written in the same transaction as the findings it stands for:
// both are there or neither is.
import type { DatabaseSync } from "node:sqlite";
import type { Clock } from "../core/clock.ts";

/** A place in a source, as plain JSON; only the source that wrote it understands it. */
export type Cursor = { readonly [key: string]: unknown };

export interface CursorQueries {
  get(source: string): Cursor | null;
  set(source: string, cursor: Cursor): void;
  remove(source: string): void;
  /** Every source with a cursor, by name. */
  sources(): string[];
}

export function cursorQueries(database: DatabaseSync, clock: Clock): CursorQueries {
  const get = database.prepare("SELECT json FROM cursors WHERE source = ?");
  const set = database.prepare("INSERT OR REPLACE INTO cursors (source, json, at) VALUES (?, ?, ?)");
  const remove = database.prepare("DELETE FROM cursors WHERE source = ?");
  const sources = database.prepare("SELECT source FROM cursors ORDER BY source");
  return {
    get(source) {
      const row = get.get(source);
      return row === undefined ? null : (JSON.parse(String(row["json"])) as Cursor);
    },
    set(source, cursor) {
      set.run(source, JSON.stringify(cursor), clock.now().getTime());
    },
    remove(source) {
      remove.run(source);
    },
    sources() {
      return sources.all().map((row) => String(row["source"]));
    },
  };
}
