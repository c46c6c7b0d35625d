// What a process takes of the host's memory.
import { readFileSync } from "node:fs";

/** This process's share in bytes: pages that several map are divided among them (Pss of proc_pid_smaps(5)). */
export function memoryShareBytes(): number {
  try {
    const kilobytes = /^Pss: +(\d+) kB$/m.exec(readFileSync("/proc/self/smaps_rollup", "latin1"))?.[1];
    if (kilobytes !== undefined) return Number(kilobytes) * 1_024;
  } catch {
    // A kernel without it: what is resident counts in full.
  }
  return process.memoryUsage.rss();
}
