// Reads a log, or standard input, from beginning to end, line by line, in bounded memory.
import { closeSync, openSync, readSync } from "node:fs";
import { LineSplitter, type LineTaker } from "../check/lines.ts";
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
  else readFile(path, splitter);
  splitter.end();
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

function readFile(path: string, into: LineSplitter): void {
  const fd = openSync(path, "r");
  try {
    const buffer = new Uint8Array(CHUNK_BYTES);
    for (;;) {
      const got = readSync(fd, buffer, 0, CHUNK_BYTES, null);
      if (got === 0) return;
      into.write(buffer.subarray(0, got));
    }
  } finally {
    closeSync(fd);
  }
}
