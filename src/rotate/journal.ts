// What a run is about to do, written down beside the state before it does it: a run that is killed, or loses power, between any
// two steps is finished by the next one. Lines of JSON; the file is there only while a rotation is going on.
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import type { Replay } from "./replay.ts";
import type { LogPlan, StanzaPlan } from "./types.ts";

/** A stanza's run that was begun and not finished. */
export type Unfinished = {
  readonly plans: readonly LogPlan[];
  readonly replay: Replay;
  /** The moment it rotated for, milliseconds since the epoch: what the state would have been stamped with. */
  readonly atMs: number;
};

/** Where a stanza's run notes what has been done: scripts, and copies, which leave no other trace. */
export type Notes = { done(what: string): void };

type Line =
  | { begin: number; at: number; clock: number; stanza: StanzaPlan; logs: Omit<LogPlan, "stanza">[] }
  | { done: string; of: number };

/** The notes of a run that keeps none. */
export const NO_NOTES: Notes = { done() {} };

/** The journal of one run. Closing it removes it: call `close` once the state is saved. */
export class Journal {
  readonly #path: string;
  #fd: number;
  #begun = 0;

  /** Begins a journal. Throws when it cannot be written, or when another stands at its place. */
  constructor(path: string) {
    this.#path = path;
    const flags =
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | constants.O_APPEND;
    this.#fd = openSync(path, flags, 0o600);
  }

  /** Writes down, durably, what is about to be done. Returns where to note what has been. */
  begin(plans: readonly LogPlan[], atMs: number): Notes {
    const begin = this.#begun++;
    const logs = plans.map(({ stanza: _, ...log }) => log);
    this.#write({ begin, at: atMs, clock: Date.now(), stanza: plans[0]!.stanza, logs });
    fsyncSync(this.#fd);
    return {
      done: (what) => {
        try {
          this.#write({ done: what, of: begin });
        } catch {
          // The disk is full: after a kill this script would run twice, which is no reason to stop now.
        }
      },
    };
  }

  #write(line: Line): void {
    writeSync(this.#fd, `${JSON.stringify(line)}\n`);
  }

  /** Ends the journal, with the work it tells of all done. */
  close(): void {
    closeSync(this.#fd);
    unlinkSync(this.#path);
  }

  /** Leaves the journal where it is, for the next run to finish what this one did not. */
  leave(): void {
    closeSync(this.#fd);
  }
}

/**
 * What the last run left unfinished; empty when there is no journal. Throws when there is one that only somebody else can
 * have written: it must not be obeyed.
 */
export function readJournal(path: string): Unfinished[] {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return [];
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  let text: string;
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.uid !== (process.geteuid?.() ?? 0) || (stat.mode & 0o022) !== 0) {
      throw new Error("it is not a private file of the user that rotates");
    }
    text = readFileSync(fd, "utf8");
  } finally {
    closeSync(fd);
  }
  const open = new Map<number, { plans: LogPlan[]; done: Set<string>; begunMs: number; atMs: number }>();
  for (const line of text.split("\n")) {
    const entry = parseLine(line);
    if (entry === null) continue;
    if ("begin" in entry) {
      const plans = entry.logs.map((log): LogPlan => ({ ...log, stanza: entry.stanza }));
      open.set(entry.begin, { plans, done: new Set(), begunMs: entry.clock, atMs: entry.at });
    } else open.get(entry.of)?.done.add(entry.done);
  }
  return [...open.values()].map(({ plans, done, begunMs, atMs }) => ({
    plans,
    replay: { done, begunMs },
    atMs,
  }));
}

// The last line may have been cut off by the kill: then what it says had not begun.
function parseLine(line: string): Line | null {
  try {
    return line === "" ? null : (JSON.parse(line) as Line);
  } catch {
    return null;
  }
}

/** Removes the journal of an earlier run, once what it told of is done. */
export function dropJournal(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) unlinkSync(path);
}
