// The status of a split guard: what the listener says of itself, and what the warden knows better.
import { systemClock } from "../../core/clock.ts";
import { Today } from "../control/today.ts";
import type { GuardStatus } from "../control/types.ts";
import { memoryShareBytes } from "../memory.ts";
import type { Settings } from "../settings.ts";
import { VERSION } from "../version.ts";

/** @param said the listener's own status, or null while there is no listener that answers */
export function statusOf(settings: Settings, said: unknown, startedAt: Date): GuardStatus {
  const { user, system } = process.cpuUsage();
  const now = systemClock.now();
  const own = {
    pid: process.pid,
    startedAt: startedAt.toISOString(),
    uptimeMs: now.getTime() - startedAt.getTime(),
  };
  const cpuMs = Math.round((user + system) / 1_000);
  const memoryBytes = memoryShareBytes();
  if (said !== null) {
    const theirs = said as GuardStatus;
    return {
      ...theirs,
      ...own,
      memoryBytes: theirs.memoryBytes + memoryBytes,
      cpuMs: theirs.cpuMs + cpuMs,
    };
  }
  return {
    ...own,
    version: VERSION,
    host: settings.host,
    mode: settings.mode,
    modeBecause: settings.modeBecause,
    configFiles: settings.configFiles,
    parts: [
      { part: "listener", on: false, lines: ["it has ended, or does not answer; it is started again"] },
    ],
    today: new Today(now).read(now),
    blocksInForce: 0,
    reportsWaiting: 0,
    next: [],
    memoryBytes,
    cpuMs,
    faults: settings.faults,
  };
}
