// Decides which files of a group go and which are compressed. Pure. For logs that no rotation renames: named by date,
// by request, by container. The newest are kept, whatever the limits say; a file somebody writes is never touched.
import type { FileFact } from "../types.ts";

/** What a group may hold. A limit of 0 is none. */
export type RetentionLimits = {
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  readonly maxFiles: number;
  readonly minKeep: number;
  readonly compressAfterMs: number;
};

export type RetentionStep =
  | { readonly do: "remove"; readonly file: FileFact; readonly because: string }
  | { readonly do: "compress"; readonly file: FileFact; readonly to: string; readonly because: string };

export type RetentionPlan = {
  readonly steps: readonly RetentionStep[];
  readonly bytesFreed: number;
  readonly files: number;
  readonly sizeBytes: number;
  /** Files that a limit would remove, but that somebody has open for writing or that have several names. */
  readonly spared: readonly string[];
};

const COMPRESSED = /\.(gz|bz2|xz|zst|Z|zip|lz4|br)$/;

/**
 * @param files the files of the group: regular files and others
 * @param busy paths that a process has open for writing, or that are live logs of a rotation
 */
export function planRetention(
  limits: RetentionLimits,
  files: readonly FileFact[],
  busy: ReadonlySet<string>,
  now: Date,
): RetentionPlan {
  const newestFirst = files
    .filter((file) => file.kind === "file")
    .sort((a, b) => b.mtimeMs - a.mtimeMs || (a.path < b.path ? 1 : -1));
  const names = new Set(files.map((file) => file.path));
  const steps: RetentionStep[] = [];
  const spared: string[] = [];
  let keptBytes = 0;
  let keptFiles = 0;
  let bytesFreed = 0;
  for (const [index, file] of newestFirst.entries()) {
    const ageMs = now.getTime() - file.mtimeMs;
    const over = overLimit(limits, file, ageMs, keptBytes, keptFiles);
    const isUntouchable = busy.has(file.path) || file.links > 1;
    if (over !== null && index >= limits.minKeep) {
      if (!isUntouchable) {
        steps.push({ do: "remove", file, because: over });
        bytesFreed += file.sizeBytes;
        continue;
      }
      spared.push(file.path);
    }
    keptBytes += file.sizeBytes;
    keptFiles++;
    const to = `${file.path}.gz`;
    const isDue = limits.compressAfterMs > 0 && ageMs > limits.compressAfterMs && file.sizeBytes > 0;
    if (isDue && !isUntouchable && !COMPRESSED.test(file.path) && !names.has(to)) {
      steps.push({ do: "compress", file, to, because: "compress_after" });
    }
  }
  // The oldest go first: should a removal fail half way, what is left is the newest.
  const order = (step: RetentionStep) => (step.do === "remove" ? 0 : 1);
  steps.sort((a, b) => order(a) - order(b) || a.file.mtimeMs - b.file.mtimeMs);
  const sizeBytes = newestFirst.reduce((sum, file) => sum + file.sizeBytes, 0);
  return { steps, bytesFreed, files: newestFirst.length, sizeBytes, spared };
}

function overLimit(
  limits: RetentionLimits,
  file: FileFact,
  ageMs: number,
  keptBytes: number,
  keptFiles: number,
): string | null {
  if (limits.maxAgeMs > 0 && ageMs > limits.maxAgeMs) return "max_age";
  if (limits.maxFiles > 0 && keptFiles + 1 > limits.maxFiles) return "max_files";
  if (limits.maxBytes > 0 && keptBytes + file.sizeBytes > limits.maxBytes) return "max_bytes";
  return null;
}
