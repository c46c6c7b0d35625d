// Reads a log, or standard input, from beginning to end, line by line, in bounded memory.
import { closeSync, openSync, readSync } from "node:fs";
import { LineSplitter, type LineTaker } from "../check/lines.ts";

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
