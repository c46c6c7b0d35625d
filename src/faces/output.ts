// Where a face writes: bytes as they are, at once, because an offset may only move after what was read has left.
import { writeSync } from "node:fs";

/** Tests give their own. */
export type FaceOutput = {
  readonly out: (bytes: Uint8Array) => void;
  readonly err: (text: string) => void;
};

// A reader slower than we are, on a pipe that some other part of the process made non-blocking.
const RETRY_MS = 2;

export const standardOutput: FaceOutput = {
  out: (bytes) => writeAll(1, bytes),
  err: (text) => writeAll(2, Buffer.from(text)),
};

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    }
  }
}
