// Reads a log, or standard input, from beginning to end, line by line, in bounded memory.
import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { LineSplitter, type LineTaker } from "../check/lines.ts";

/**
 * Calls `take` with each line's bytes, newline excluded.
 * @param path a file, or `-` for standard input
 * @throws what the file system throws
 */
export async function readLog(path: string, take: LineTaker): Promise<void> {
  const stream: Readable = path === "-" ? process.stdin : createReadStream(path);
  const splitter = new LineSplitter(take);
  for await (const chunk of stream as AsyncIterable<Buffer>) splitter.write(chunk);
  splitter.end();
}
