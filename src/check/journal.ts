// The journal as logcheck reads it, through journalctl, but from where the last run stopped: logcheck remembers only
// the second of its last look, and loses or doubles what was written within it.
import { spawn } from "node:child_process";
import { readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";

/** How far back the first look goes. */
export const FIRST_LOOK_HOURS = 5;

/** Where the last look stopped: at an entry, at a time, or nowhere. */
export type JournalMark =
  | { readonly at: "entry"; readonly cursor: string }
  | { readonly at: "second"; readonly epochSeconds: number }
  | { readonly at: "beginning" };

/** journalctl ended badly; the message holds what it said. */
export class JournalError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "JournalError";
  }
}

/** Reads `offset.journal`. logcheck's own is empty, and its time of change is the mark. */
export function readJournalMark(path: string): JournalMark {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return { at: "beginning" };
  const cursor = readFileSync(path, "utf8").trim();
  return cursor === ""
    ? { at: "second", epochSeconds: Math.floor(stats.mtimeMs / 1000) }
    : { at: "entry", cursor };
}

/**
 * Writes `offset.journal` so that logcheck itself could go on from it, too.
 * @param lookedAt when the journal was read
 */
export function writeJournalMark(path: string, cursor: string, lookedAt: Date): void {
  writeFileSync(path, cursor === "" ? "" : `${cursor}\n`, { mode: 0o600 });
  utimesSync(path, lookedAt, lookedAt);
}

const CURSOR_LINE = "-- cursor: ";
// Enough for any cursor; the last line of output is held back until it is known not to be one.
const HELD_BYTES = 4096;

/**
 * Gives the journal's lines since the mark to `take` and returns the cursor of the last one, or the mark's own when
 * there was none ("" if it had none). Throws JournalError when journalctl is missing or fails.
 */
export async function readJournal(
  mark: JournalMark,
  take: (chunk: Uint8Array) => void,
  env: NodeJS.ProcessEnv,
): Promise<string> {
  const since =
    mark.at === "entry"
      ? `--after-cursor=${mark.cursor}`
      : mark.at === "second"
        ? `--since=@${mark.epochSeconds}`
        : `--since=-${FIRST_LOOK_HOURS}h`;
  const child = spawn("journalctl", ["--quiet", "--show-cursor", since], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said: Buffer[] = [];
  child.stderr.on("data", (chunk: Buffer) => {
    if (said.length < 64) said.push(chunk);
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  ended.catch(() => undefined); // awaited below; a spawn that fails must not count as unhandled before that
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    const all = Buffer.concat([held, chunk]);
    const free = Math.max(0, all.length - HELD_BYTES);
    if (free > 0) take(all.subarray(0, free));
    held = all.subarray(free);
  }
  const status = await ended.catch((error: unknown) => {
    throw new JournalError(
      "journalctl cannot be run: install systemd, or take the word journal off the lists",
      error,
    );
  });
  const words = Buffer.concat(said).toString("utf8").trim();
  // Asked for the cursor of a journal without entries, journalctl 252 ends with 1 and says nothing.
  const isEmpty = status === 1 && words === "" && held.length === 0;
  if (status !== 0 && !isEmpty) throw new JournalError(`journalctl ended with status ${status}: ${words}`);
  const at = held.lastIndexOf(CURSOR_LINE);
  const isCursor = at >= 0 && (at === 0 || held[at - 1] === 0x0a);
  const lines = isCursor ? held.subarray(0, at) : held;
  if (lines.length > 0) take(lines);
  if (words !== "") take(Buffer.from(`${words}\n`));
  if (isCursor)
    return held
      .subarray(at + CURSOR_LINE.length)
      .toString("utf8")
      .trim();
  return mark.at === "entry" ? mark.cursor : "";
}
