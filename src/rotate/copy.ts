// Copies a log that its writer keeps open. The tail is copied again until none is left, and only then is the log emptied: what
// can still be lost is what a writer adds between one system call and the next.
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from "node:fs";
import type { Directories } from "./directories.ts";
import { withIdentity } from "./identity.ts";
import { createPart, finishPart, partName, removeIfThere } from "./newfile.ts";
import type { FileFact, Identity } from "./types.ts";

const CHUNK_BYTES = 1024 * 1024;
// A writer faster than we copy would keep us here for ever; after this many rounds over the tail the log is emptied anyway.
const MAX_ROUNDS = 50;

export type CopyWork = {
  readonly from: string;
  readonly to: string;
  readonly truncate: boolean;
  readonly identity: Identity | null;
  readonly stamp: string;
  /** The log as it was planned; anything else at its place is refused. null when it was moved by us since. */
  readonly seen: FileFact | null;
};

export type Copied = {
  readonly bytes: number;
  /** Bytes that arrived while the last round was copied: a measure of what may have arrived after it, too. */
  readonly bytesAtRisk: number;
};

/** Copies, and with `truncate` empties, one log. Throws when it cannot; then the log is as it was. */
export function copyLog(work: CopyWork, directories: Directories): Copied {
  return withIdentity(work.identity, () => {
    const flags = work.truncate ? constants.O_RDWR : constants.O_RDONLY;
    const source = openSync(directories.at(work.from), flags | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stat = fstatSync(source);
      if (!stat.isFile()) throw new Error(`${work.from} is not a regular file`);
      if (work.seen !== null && (stat.ino !== work.seen.ino || stat.dev !== work.seen.dev)) {
        throw new Error(`${work.from} was replaced while it was being rotated`);
      }
      const part = partName(work.to);
      const target = createPart(part, stat, source, directories);
      try {
        let bytes = copyTail(source, target, 0);
        // The copy must be on the disk before the original is emptied; what was written meanwhile is copied after it.
        fsyncSync(target);
        finishPart(part, work.to, work.stamp, directories);
        let bytesAtRisk = 0;
        for (let round = 0; work.truncate && round < MAX_ROUNDS; round++) {
          const more = copyTail(source, target, bytes);
          if (more === bytes) break;
          bytesAtRisk = more - bytes;
          bytes = more;
        }
        if (work.truncate) ftruncateSync(source, 0);
        if (bytesAtRisk > 0) fsyncSync(target);
        return { bytes, bytesAtRisk };
      } catch (error) {
        removeIfThere(directories.at(part));
        throw error;
      } finally {
        closeSync(target);
      }
    } finally {
      closeSync(source);
    }
  });
}

/** Empties a log without keeping it. */
export function truncateLog(
  path: string,
  seen: FileFact | null,
  identity: Identity | null,
  directories: Directories,
): void {
  withIdentity(identity, () => {
    const fd = openSync(directories.at(path), constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile()) throw new Error(`${path} is not a regular file`);
      if (seen !== null && (stat.ino !== seen.ino || stat.dev !== seen.dev)) {
        throw new Error(`${path} was replaced while it was being rotated`);
      }
      ftruncateSync(fd, 0);
    } finally {
      closeSync(fd);
    }
  });
}

const buffer = Buffer.allocUnsafe(CHUNK_BYTES);

// A log whose writer kept its offset when it was emptied begins with a hole as large as what it held before; a block of zeros
// stays a hole, or each copy would fill the disk with them.
const BLOCK_BYTES = 16 * 1024;
const zeros = Buffer.alloc(BLOCK_BYTES);

function isZero(at: number, size: number): boolean {
  return buffer[at] === 0 && buffer.compare(zeros, 0, size, at, at + size) === 0;
}

// Copies from `at` to the present end; returns where that was.
function copyTail(source: number, target: number, at: number): number {
  let end = at;
  let holeAtEnd = false;
  for (;;) {
    const count = readSync(source, buffer, 0, CHUNK_BYTES, end);
    if (count === 0) {
      if (holeAtEnd) ftruncateSync(target, end);
      return end;
    }
    for (let at = 0; at < count; at += BLOCK_BYTES) {
      const size = Math.min(BLOCK_BYTES, count - at);
      holeAtEnd = isZero(at, size);
      if (holeAtEnd) continue;
      for (let done = 0; done < size; )
        done += writeSync(target, buffer, at + done, size - done, end + at + done);
    }
    end += count;
  }
}
