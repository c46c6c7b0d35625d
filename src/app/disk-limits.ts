// The limits of `[disk]`, for a file system of a size.
import { parseSizeBytes } from "../config/value.ts";
import type { ReliefLimits } from "../disk/relief/plan.ts";
import type { Settings } from "./settings.ts";

/** Whether any limit is set: then, and only then, anything may be removed. */
export function limitsAreSet({ config }: Settings): boolean {
  const { max_log_bytes: bytes, min_free: room } = config.disk;
  return bytes > 0 || parseRoom(room, 1) > 0;
}

/** The limits for a file system of this size. */
export function limitsFor({ config }: Settings, sizeBytes: number): ReliefLimits {
  return {
    maxLogBytes: config.disk.max_log_bytes,
    minFreeBytes: parseRoom(config.disk.min_free, sizeBytes),
    minGenerations: config.disk.min_generations,
  };
}

/** `10%` of a file system of this size, or a size, in bytes; 0 for what is neither. */
export function parseRoom(text: string, sizeBytes: number): number {
  const share = /^(\d{1,2}(?:\.\d+)?)\s*%$/.exec(text.trim());
  return share === null ? (parseSizeBytes(text) ?? 0) : (Number(share[1]) / 100) * sizeBytes;
}
