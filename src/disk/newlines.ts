// Reads the newest lines of a log, so that a sudden growth can be told with what it is made of.
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

// A few thousand lines show what there is most of.
const MAX_BYTES = 256 * 1024;

/**
 * The whole lines among the last of a log, from an offset on. Empty when the log cannot be read: its growth is news all the same.
 * @param fromBytes where the new lines begin
 */
export function newestLines(path: string, fromBytes: number): string[] {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return []; // Not ours to read, or rotated in this moment.
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return [];
    const start = Math.max(0, fromBytes, stat.size - MAX_BYTES);
    const piece = Buffer.alloc(Math.min(MAX_BYTES, Math.max(0, stat.size - start)));
    const text = piece.toString("utf8", 0, readSync(fd, piece, 0, piece.length, start));
    const lines = text.split("\n");
    lines.pop(); // not ended yet, or ""
    if (start > fromBytes) lines.shift(); // begun before what was read
    return lines;
  } finally {
    closeSync(fd);
  }
}
