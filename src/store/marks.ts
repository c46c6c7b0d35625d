// Small named values that must outlive the process: the last event a report told, the last rotation run.
import type { DatabaseSync } from "node:sqlite";

export interface MarkQueries {
  get(name: string): string | null;
  set(name: string, value: string): void;
}

export function markQueries(database: DatabaseSync): MarkQueries {
  const get = database.prepare("SELECT value FROM marks WHERE name = ?");
  const set = database.prepare("INSERT OR REPLACE INTO marks (name, value) VALUES (?, ?)");
  return {
    get(name) {
      const row = get.get(name);
      return row === undefined ? null : String(row["value"]);
    },
    set(name, value) {
      set.run(name, value);
    },
  };
}
