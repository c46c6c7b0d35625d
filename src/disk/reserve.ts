// A file that only takes room, so that there is some to give up when the disk is full: rotating and compressing need a little.

import { randomFillSync } from "node:crypto";
import { closeSync, constants, lstatSync, openSync, unlinkSync, writeSync } from "node:fs";
import { lookQuietly } from "./walk.ts";

/** Its name in the log directory; no look takes it for a log. */
export const RESERVE_NAME = ".telltale-reserve";

const PIECE_BYTES = 1024 * 1024;

/** Makes the file where there is none. Returns whether it is there now; what was begun and did not fit is taken back. */
export function keepReserve(directory: string, sizeBytes: number): boolean {
  const path = `${directory}/${RESERVE_NAME}`;
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return true;
  let fd: number;
  try {
    fd = openSync(
      path,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
  } catch {
    return false; // Not ours to write, or read-only: the guard works without it, with less room for its work.
  }
  try {
    // Chance, because a file system that compresses would make nothing of zeros.
    const piece = randomFillSync(Buffer.allocUnsafe(Math.min(PIECE_BYTES, sizeBytes)));
    for (let left = sizeBytes; left > 0; ) left -= writeSync(fd, piece, 0, Math.min(left, piece.length));
    return true;
  } catch {
    unlinkSync(path);
    return false; // The disk filled while it was made: it is given back at once.
  } finally {
    closeSync(fd);
  }
}

/** Gives the room back. Returns the bytes it took; 0 when there was none. */
export function releaseReserve(directory: string): number {
  const path = `${directory}/${RESERVE_NAME}`;
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isFile()) return 0;
  unlinkSync(path);
  return stat.blocks * 512;
}

/** The log directories that lie on the file system of a path: the reserve is in the first. */
export function reserveDirectories(roots: readonly string[], mount: string): string[] {
  const dev = lookQuietly(mount)?.dev;
  return roots.filter((root) => lookQuietly(root)?.dev === dev);
}
