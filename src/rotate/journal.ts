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
} from "node:fs";
import { LineBuffer } from "./linebuffer.ts";
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

// What finishing needs of a plan.
type LogLine = Omit<LogPlan, "stanza" | "verdict" | "blocked" | "mend" | "lastRotated">;

// `begin`, then so many `log` lines, then what is done of them.
type Line =
  | { begin: number; at: number; clock: number; stanza: StanzaPlan; logs: number }
  | { log: LogLine; of: number }
  | { done: string; of: number };

type Begun = Omit<Extract<Line, { begin: number }>, "begin"> & { plans: LogPlan[]; done: Set<string> };

/** The notes of a run that keeps none. */
export const NO_NOTES: Notes = { done() {} };

/** The journal of one run. Closing it removes it: call `close` once the state is saved. */
export class Journal {
  readonly #path: string;
  readonly #lines = new LineBuffer();
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
    this.#add({ begin, at: atMs, clock: Date.now(), stanza: plans[0]!.stanza, logs: plans.length });
    for (const plan of plans) this.#add({ log: logLine(plan), of: begin });
    this.#lines.writeTo(this.#fd);
    fsyncSync(this.#fd);
    return {
      done: (what) => {
        try {
          this.#add({ done: what, of: begin });
          this.#lines.writeTo(this.#fd);
        } catch {
          // The disk is full: after a kill this script would run twice, which is no reason to stop now.
        }
      },
    };
  }

  #add(line: Line): void {
    this.#lines.add(JSON.stringify(line));
    this.#lines.add("\n");
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

function logLine(plan: LogPlan): LogLine {
  const { log, why, seen, before, rotate, after, prerotate, postrotate, finalPath, bytesFreed } = plan;
  return { log, why, seen, before, rotate, after, prerotate, postrotate, finalPath, bytesFreed };
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
  const open = new Map<number, Begun>();
  for (const line of text.split("\n")) {
    const entry = parseLine(line);
    if (entry === null) continue;
    if ("begin" in entry) open.set(entry.begin, { ...entry, plans: [], done: new Set() });
    else {
      const begun = open.get(entry.of);
      if (begun === undefined) continue;
      if ("done" in entry) begun.done.add(entry.done);
      else
        begun.plans.push({
          ...entry.log,
          stanza: begun.stanza,
          verdict: "rotate",
          mend: "",
          lastRotated: null,
        });
    }
  }
  // Where a plan is missing, writing them down was cut short: then nothing had been done of any.
  const whole = [...open.values()].filter(({ plans, logs }) => plans.length === logs);
  return whole.map(({ plans, done, clock, at }) => ({ plans, replay: { done, begunMs: clock }, atMs: at }));
}

// The last line may have been cut off by the kill: then what it says had not been done.
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
