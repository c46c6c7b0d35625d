// Follows the systemd journal: every entry is handed over once, as a syslog line, with the journal's own cursor of
// the last one, so that neither a restart of ours nor of journalctl loses or doubles an entry.
import { describeError, MissingPartError } from "../../core/errors.ts";
import type { Emit, EventBody } from "../../core/events.ts";
import type { CursorShelf, Follower } from "../types.ts";
import { ExportParser, FIELDS, type JournalEntry } from "./parse.ts";
import { endRun, newestCursor, type Run, runJournalctl } from "./program.ts";
import { renderEntry } from "./render.ts";

export type JournalCursor = {
  readonly v: 1;
  /** As journalctl names the entry; null: the journal had no entry yet. */
  readonly cursor: string | null;
  /** The journal does not know this cursor (its files were replaced): the time in it counts. */
  readonly unknown?: true;
};

export type JournalBatch = {
  readonly source: "journal";
  readonly lines: Uint8Array[];
  readonly cursor: JournalCursor;
  readonly notices: EventBody[];
};

export type FollowJournalOptions = {
  readonly cursors: CursorShelf;
  /** Takes a batch; synchronous. When it throws, the batch comes again later. */
  readonly commit: (batch: JournalBatch) => void;
  readonly emit: Emit;
  /** Where to begin in a journal that was never read: "end" (a journal reaches back for months). */
  readonly from?: "start" | "end" | Date;
  readonly directory?: string;
  readonly file?: string;
  /** `hidden` shows a message that is not text as journalctl does; default `raw`. */
  readonly blobs?: "raw" | "hidden";
  /** Longer messages are cut; default 64 KiB. */
  readonly maxLineBytes?: number;
};

const SOURCE = "journal";
const EXPORT = ["--quiet", "--output=export", `--output-fields=${FIELDS.join(",")}`];

// journalctl that died is started again after 1 s, 2 s, 4 s … 60 s; one that lived this long starts the row anew.
const RESTART_FIRST_MS = 1_000;
const RESTART_LAST_MS = 60_000;
const LIVED_MS = 30_000;

/** Follows the journal; nothing happens before `poll` or `start`, which reject with MissingPartError without one. */
export function followJournal(options: FollowJournalOptions): Follower {
  return new JournalFollower(options);
}

class JournalFollower implements Follower {
  readonly #options: FollowJournalOptions;
  #cursor: JournalCursor | null;
  #live = false;
  #run: Run | undefined;
  #restart: NodeJS.Timeout | undefined;
  #restartMs = RESTART_FIRST_MS;
  #failing = false;

  constructor(options: FollowJournalOptions) {
    this.#options = options;
    this.#cursor = readCursor(options.cursors.get(SOURCE));
  }

  async poll(): Promise<void> {
    const newest = await newestCursor(this.#options);
    if (this.#cursor === null && (this.#options.from ?? "end") === "end") {
      this.#commit([], { v: 1, cursor: newest }, []);
      return;
    }
    if (newest === null || newest === this.#cursor?.cursor) return;
    await this.#readOnce();
  }

  async start(): Promise<void> {
    if (this.#live) return;
    await this.poll();
    this.#live = true;
    this.#follow();
  }

  async stop(): Promise<void> {
    this.#live = false;
    clearTimeout(this.#restart);
    const run = this.#run;
    this.#run = undefined;
    if (run !== undefined) await endRun(run);
  }

  add(): void {
    // There is one journal.
  }

  remove(): void {
    // There is one journal.
  }

  async #readOnce(): Promise<void> {
    const reading = new Reading(this.#cursor?.cursor ?? null, this.#options.maxLineBytes);
    let failure: { cause: unknown } | undefined;
    const run = runJournalctl([...EXPORT, ...this.#place()], this.#options, (piece) => {
      if (failure !== undefined) return;
      try {
        this.#take(reading, piece);
      } catch (cause) {
        failure = { cause };
        run.child.kill("SIGTERM");
      }
    });
    const { status, complaint } = await run.ended;
    if (failure !== undefined) throw failure.cause;
    if (status === 0) return;
    if (this.#forgetsCursor(complaint)) await this.#readOnce();
    else throw failed(complaint, status);
  }

  #follow(): void {
    if (!this.#live) return;
    const reading = new Reading(this.#cursor?.cursor ?? null, this.#options.maxLineBytes);
    const startedMs = performance.now();
    let failure: string | undefined;
    const args = [...EXPORT, "--follow", "--no-tail", ...this.#place()];
    const run = runJournalctl(args, this.#options, (piece) => {
      if (failure !== undefined || this.#run !== run) return;
      try {
        this.#take(reading, piece);
        if (this.#failing) this.#recovered();
      } catch (error) {
        failure = `entries could not be recorded: ${describeError(error)}`;
        run.child.kill("SIGTERM");
      }
    });
    this.#run = run;
    const ended = (why: string) => {
      if (!this.#live || this.#run !== run) return;
      if (performance.now() - startedMs > LIVED_MS) this.#restartMs = RESTART_FIRST_MS;
      this.#startLater(why);
    };
    run.ended.then(
      ({ status, signal, complaint }) => {
        this.#forgetsCursor(complaint);
        const how = signal ?? `exit status ${status}`;
        ended(failure ?? `journalctl ended (${how}): ${complaint || "no message"}`);
      },
      (error: unknown) => ended(describeError(error)),
    );
  }

  #startLater(why: string): void {
    if (!this.#failing) {
      this.#failing = true;
      this.#options.emit({
        type: "part.failed",
        part: "check",
        why: `the journal is not followed: ${why}`,
        mend: "look with `journalctl --verify` whether its files are whole",
        stillRuns: "it is tried again, from the last entry that was recorded; log files are followed",
      });
    }
    this.#restart = setTimeout(() => this.#follow(), this.#restartMs);
    this.#restartMs = Math.min(this.#restartMs * 2, RESTART_LAST_MS);
  }

  #recovered(): void {
    this.#failing = false;
    this.#options.emit({
      type: "part.recovered",
      part: "check",
      how: "the journal is followed again, from the last entry that was recorded",
    });
  }

  #take(reading: Reading, piece: Buffer): void {
    const { entries, notices } = reading.push(piece);
    const last = entries.at(-1);
    if (last === undefined) return;
    const lines = entries.flatMap((entry) => renderEntry(entry, this.#options.blobs ?? "raw"));
    this.#commit(lines, { v: 1, cursor: last.cursor }, notices);
  }

  #commit(lines: Uint8Array[], cursor: JournalCursor, notices: EventBody[]): void {
    this.#options.commit({ source: SOURCE, lines, cursor, notices });
    this.#cursor = cursor;
  }

  // Not --after-cursor: where the entry itself was vacuumed away, that skips the one after it as well. So we ask for
  // the entry and leave it out ourselves.
  #place(): string[] {
    const { from } = this.#options;
    if (this.#cursor === null) return from instanceof Date ? [sinceUs(from.getTime() * 1_000)] : [];
    const { cursor, unknown } = this.#cursor;
    if (cursor === null) return [];
    if (!unknown) return [`--cursor=${cursor}`];
    // `t=` is the entry's wall clock, microseconds of the epoch in hexadecimal (sd_journal_get_cursor(3)).
    const time = /(?:^|;)t=([0-9a-f]{1,14})(?:;|$)/.exec(cursor)?.[1];
    return time === undefined ? [] : [sinceUs(Number.parseInt(time, 16) + 1)];
  }

  /** Whether journalctl did not understand the cursor; from now on we go by the time in it. */
  #forgetsCursor(complaint: string): boolean {
    if (!/seek to cursor/.test(complaint) || this.#cursor === null || this.#cursor.unknown) return false;
    this.#cursor = { ...this.#cursor, unknown: true };
    return true;
  }
}

function sinceUs(us: number): string {
  return `--since=@${Math.floor(us / 1e6)}.${String(us % 1e6).padStart(6, "0")}`;
}

function failed(complaint: string, status: number | null): MissingPartError {
  return new MissingPartError(
    "check",
    `journalctl failed: ${complaint || `exit status ${status}`}`,
    "run `journalctl --verify`",
  );
}

/** One run's output: the entry we already have is left out, and its absence is told. */
class Reading {
  readonly #parser: ExportParser;
  readonly #after: string | null;
  #first = true;

  constructor(after: string | null, maxLineBytes = 64 * 1024) {
    this.#parser = new ExportParser(maxLineBytes);
    this.#after = after;
  }

  push(piece: Buffer): { entries: JournalEntry[]; notices: EventBody[] } {
    const entries = this.#parser.push(piece);
    const notices: EventBody[] = [];
    const [head] = entries;
    if (this.#first && head !== undefined) {
      this.#first = false;
      if (head.cursor === this.#after) entries.shift();
      else if (this.#after !== null) {
        const because = "the entry read last is no longer in the journal: what followed it may be gone, too";
        notices.push({ type: "lines.skipped", source: SOURCE, count: 0, because });
      }
    }
    return { entries, notices };
  }
}

function readCursor(value: unknown): JournalCursor | null {
  if (typeof value !== "object" || value === null) return null;
  const { v, cursor } = value as Record<string, unknown>;
  if (v !== 1 || (cursor !== null && typeof cursor !== "string")) return null;
  return { v, cursor };
}
