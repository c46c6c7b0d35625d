// Looks at the file systems that logs lie on.
import { statfsSync, statSync } from "node:fs";
import type { DiskSample } from "./types.ts";

/**
 * One sample for each file system that one of the paths lies on, named by the first path on it. A path that is not
 * there, or a file system that does not answer, is left out: its log has its own event.
 */
export function sampleDisks(paths: readonly string[], at: Date): DiskSample[] {
  const byDevice = new Map<number, DiskSample>();
  for (const path of paths) {
    const device = statSync(path, { throwIfNoEntry: false })?.dev;
    if (device === undefined || byDevice.has(device)) continue;
    const { bsize, blocks, bfree, bavail, files, ffree } = statfsSync(path);
    byDevice.set(device, {
      at: at.toISOString(),
      mount: path,
      // What only root may still use counts as used: daemons write as somebody else (statfs(2), f_bavail).
      sizeBytes: bsize * (blocks - bfree + bavail),
      freeBytes: bsize * bavail,
      sizeFiles: files,
      freeFiles: ffree,
    });
  }
  return [...byDevice.values()];
}
