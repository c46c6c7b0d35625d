// What can still be read of a damaged history is carried into the new one: who is blocked and how far each log
// was read matter more than the old findings, which stay in the file that was set aside.
import { DatabaseSync } from "node:sqlite";

const TABLES = ["cursors", "marks", "blocks"] as const;

// A damaged file may claim any number of rows.
const MAX_ROWS = 200_000;

/** Copies what can be read; says what that was: `3 cursors, 1 marks and 12 blocks kept`. Never throws. */
export function salvage(from: string, into: DatabaseSync): string {
  const kept = { cursors: 0, marks: 0, blocks: 0 };
  let damaged: DatabaseSync | undefined;
  try {
    damaged = new DatabaseSync(from, { readOnly: true });
    for (const table of TABLES) kept[table] = copyRows(damaged, into, table);
  } catch {
    // Not even a database any more: then nothing is kept, and the sentence below says so.
  }
  try {
    damaged?.close();
  } catch {
    // Closing a file that lies about itself may fail; we are done with it either way.
  }
  return `${kept.cursors} cursors, ${kept.marks} marks and ${kept.blocks} blocks kept`;
}

function copyRows(from: DatabaseSync, into: DatabaseSync, table: (typeof TABLES)[number]): number {
  const columns = into
    .prepare(`PRAGMA table_info(${table})`)
    .all()
    .map((row) => String(row["name"]));
  const put = into.prepare(
    `INSERT OR IGNORE INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`,
  );
  let copied = 0;
  into.exec("BEGIN IMMEDIATE");
  try {
    for (const row of from.prepare(`SELECT ${columns.join(", ")} FROM ${table}`).iterate()) {
      if (copied === MAX_ROWS) break;
      copied += Number(put.run(...columns.map((name) => row[name] ?? null)).changes);
    }
  } catch {
    // The damage is in this table: the rows before it are kept.
  }
  into.exec("COMMIT");
  return copied;
}
