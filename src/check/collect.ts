// Reads the unseen part of every listed log into a report, and keeps the marks to write once the report is delivered:
// a mark that moves earlier loses lines when the mail cannot be sent.
import { statSync } from "node:fs";
import { basename, join } from "node:path";
import { describeError } from "../core/errors.ts";
import type { Gatherer } from "./gather.ts";
import { JournalError, type JournalMark, readJournal, readJournalMark, writeJournalMark } from "./journal.ts";
import { JOURNAL_ENTRY } from "./logfiles.ts";
import {
  LogtailError,
  offsetFileName,
  planUnseen,
  readOffsetMark,
  readUnseen,
  shrinkWarning,
  type UnseenPlan,
  writeOffsetMark,
} from "./logtail.ts";

export type Collected = {
  /** Logs that could not be read, as and in the order they are listed. */
  readonly unreadable: readonly { readonly entry: string; readonly why: string }[];
  /** The journal was never read before: only its last hours were. */
  readonly firstJournal: boolean;
  /** Marks everything that was read. Throws LogtailError 73 when a mark cannot be written. */
  readonly commit: () => void;
};

/** What is asked of a finder of lost lines. */
export type LostLinesQuery = {
  readonly log: string;
  /** Bytes that were read of the file that is gone. */
  readonly offsetBytes: number;
  /** When the mark was made, milliseconds since the epoch. */
  readonly markedAtMs: number;
  /** Paths that are read anyhow. */
  readonly known: ReadonlySet<string>;
};

/** Gives `take` what was written to a log after it was read, and is in none of its plain generations any more. */
export type LostLines = (query: LostLinesQuery, take: (chunk: Uint8Array) => void) => Promise<void>;

export type CollectOptions = {
  /** Where the offset files are. */
  readonly stateDir: string;
  /** What journalctl runs in. */
  readonly env: NodeJS.ProcessEnv;
  readonly lostLines: LostLines;
};

/**
 * Reads the entries (paths, and the word `journal`) in the order in which logcheck sorts them: by file name, logs
 * of one name in the order they are listed. Each log is read once, however often it is listed.
 */
export async function collectUnseen(
  entries: readonly string[],
  gatherer: Gatherer,
  { stateDir, env, lostLines }: CollectOptions,
): Promise<Collected> {
  const unreadable: { entry: string; why: string; order: number }[] = [];
  const commits: (() => void)[] = [];
  let firstJournal = false;
  for (const group of byFileName([...new Set(entries)])) {
    for (const entry of group) {
      try {
        if (entry === JOURNAL_ENTRY && !isFile(entry)) {
          const path = join(stateDir, `offset.${entry}`);
          const mark = readJournalMark(path);
          commits.push(await collectJournal(mark, path, gatherer, env));
          firstJournal ||= mark.at === "beginning";
        } else {
          const commit = await collectLog(
            entry,
            join(stateDir, offsetFileName(entry)),
            gatherer,
            async (query, take) => {
              try {
                await lostLines(query, take);
              } catch (error) {
                // What is left of the log is read all the same.
                unreadable.push({
                  entry: `${entry} (an earlier generation)`,
                  why: describeError(error),
                  order: entries.indexOf(entry),
                });
              }
            },
          );
          if (commit !== null) commits.push(commit);
        }
      } catch (error) {
        if (!(error instanceof LogtailError || error instanceof JournalError)) throw error;
        unreadable.push({ entry, why: error.message, order: entries.indexOf(entry) });
      }
    }
    gatherer.endOfLog();
  }
  unreadable.sort((a, b) => a.order - b.order);
  return { unreadable, firstJournal, commit: () => commitAll(commits) };
}

// A mark that cannot be written costs its own log a repetition; the others are still written.
function commitAll(commits: readonly (() => void)[]): void {
  const failures: unknown[] = [];
  for (const commit of commits) {
    try {
      commit();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

async function collectLog(
  log: string,
  offsetFile: string,
  gatherer: Gatherer,
  lostLines: LostLines,
): Promise<(() => void) | null> {
  const lookedAt = new Date();
  const mark = readOffsetMark(offsetFile);
  const plan = planUnseen(log, mark);
  if (plan === null) return null;
  gatherer.expect(unreadBytes(plan));
  const take = (chunk: Uint8Array) => gatherer.write(chunk);
  if (plan.lost) {
    const known = new Set(plan.parts.map(({ path }) => path));
    await lostLines({ log, offsetBytes: mark.offsetBytes, markedAtMs: mark.markedAtMs, known }, take);
  }
  if (plan.shrank !== undefined) take(shrinkWarning(log));
  const next = readUnseen(
    plan,
    ({ length }) => gatherer.filled(length),
    () => gatherer.room(),
  );
  return () => writeOffsetMark(offsetFile, next, lookedAt);
}

function unreadBytes(plan: UnseenPlan): number {
  return plan.parts.reduce((sum, { path, startBytes }) => {
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    return sum + Math.max(0, size - startBytes);
  }, 0);
}

async function collectJournal(
  mark: JournalMark,
  path: string,
  gatherer: Gatherer,
  env: NodeJS.ProcessEnv,
): Promise<() => void> {
  const lookedAt = new Date();
  const cursor = await readJournal(mark, (chunk) => gatherer.write(chunk), env);
  return () => writeJournalMark(path, cursor, lookedAt);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function byFileName(entries: readonly string[]): string[][] {
  const groups = new Map<string, string[]>();
  for (const entry of entries) {
    const name = basename(entry);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [entry]);
    else group.push(entry);
  }
  return [...groups.entries()]
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(([, group]) => group);
}
