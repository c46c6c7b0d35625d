// Reads a log, or standard input, from beginning to end, line by line, in bounded memory.
import { closeSync, openSync, readSync } from "node:fs";
import { IGNORED } from "../check/classify.ts";
import { LineSplitter, type LineTaker } from "../check/lines.ts";
import type { RuleBook } from "../check/rules.ts";
import { Team, type TeamOutput } from "../check/team/team.ts";
import { describeError } from "../core/errors.ts";
import { showable } from "../core/hostile.ts";

// One buffer for the whole log: a stream makes one for each read, and the collector comes too late for a large log.
const CHUNK_BYTES = 256 << 10;

/**
 * Calls `take` with each line's bytes, newline excluded; the bytes change once it returns.
 * @param path a file, or `-` for standard input
 * @throws what the file system throws
 */
export async function readLog(path: string, take: LineTaker): Promise<void> {
  const splitter = new LineSplitter(take);
  if (path === "-") for await (const chunk of process.stdin as AsyncIterable<Buffer>) splitter.write(chunk);
  else {
    const buffer = new Uint8Array(CHUNK_BYTES);
    readFile(
      path,
      () => buffer,
      (size) => splitter.write(buffer.subarray(0, size)),
    );
  }
  splitter.end();
}

/**
 * Gives `output` the lines that the rules do not ignore, and how many there are: a file many lines at a time, standard
 * input line by line as it comes.
 * @param path a file, or `-` for standard input
 * @throws what the file system throws; the lines before it are judged
 */
export async function judgeLog(path: string, rules: RuleBook, output: TeamOutput): Promise<void> {
  const judge: LineTaker = (bytes, start, end) => {
    output.count(1);
    const verdict = rules.verdict(bytes, start, end);
    if (verdict !== IGNORED) output.take(bytes, start, end, verdict);
  };
  if (path === "-") return await readLog(path, judge);
  using team = new Team(rules.verdicts, output, new LineSplitter(judge));
  try {
    readFile(
      path,
      () => team.room(),
      (size) => team.filled(size),
    );
  } finally {
    team.flush();
  }
}

/** Says on standard error why a log that was named cannot be read, and what to do. @param command what was called */
export function sayUnreadable(command: string, path: string, error: unknown): void {
  const { why, mend } = explain(error);
  process.stderr.write(`${command}: ${showable(path)}: ${showable(why)}\n    mend: ${mend}\n`);
}

function explain(error: unknown): { why: string; mend: string } {
  switch ((error as NodeJS.ErrnoException).code) {
    case "ENOENT":
      return { why: "there is no such log", mend: "check its name" };
    case "EACCES":
      return { why: "may not be read by you", mend: "sudo, or join the group adm" };
    case "EISDIR":
      return { why: "is a directory", mend: "name the logs in it" };
    default:
      return { why: describeError(error), mend: "look at the file system that it lies on" };
  }
}

function readFile(path: string, room: () => Uint8Array, filled: (size: number) => void): void {
  const fd = openSync(path, "r");
  try {
    for (;;) {
      const got = readSync(fd, room());
      if (got === 0) return;
      filled(got);
    }
  } finally {
    closeSync(fd);
  }
}
