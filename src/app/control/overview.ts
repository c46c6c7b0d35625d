// The running guard as the control socket shows it: counts what happens, and gathers what the parts say of themselves.
import type { Clock } from "../../core/clock.ts";
import { renderMetrics } from "../../report/metrics/render.ts";
import { Metrics } from "../../report/metrics.ts";
import { diskGauges } from "../disk-gauges.ts";
import type { Guard } from "../lifecycle.ts";
import { memoryShareBytes } from "../memory.ts";
import { isPanicked, PANIC_HOLDS } from "../panic.ts";
import type { Settings } from "../settings.ts";
import { VERSION } from "../version.ts";
import { blocksOf } from "./blocks.ts";
import { COUNTED, Today } from "./today.ts";
import type { Controlled, GuardStatus } from "./types.ts";

// So much of the history is read for the figures of today when the guard starts: about 50 ms.
const MAX_RECENT = 10_000;

export type Hands = {
  /** Reads the configuration again. */
  readonly gather: () => Settings;
  /** Begins to stop the guard. */
  readonly stop: (because: string) => void;
};

/** What the control socket may ask of this guard. To be called before the guard starts, so that all is counted. */
export function controlled(guard: Guard, clock: Clock, { gather, stop }: Hands): Controlled {
  const startedAt = clock.now();
  const began = clock.monotonicMs();
  const today = todaySoFar(guard, startedAt);
  const metrics = new Metrics();
  guard.bus.subscribe((event) => {
    today.observe(event);
    metrics.observe(event);
  });
  const gauges = () => {
    const outlooks = guard.outlooks();
    const believed = outlooks.find(({ blocksInForce }) => blocksInForce !== undefined)?.blocksInForce;
    return {
      // Reading 100,000 rows takes a quarter of a second: the history is asked only where nobody responds.
      blocksInForce: believed ?? guard.store.blocks.countInForce(clock.now()),
      reportsWaiting: outlooks.reduce((sum, { reportsWaiting = 0 }) => sum + reportsWaiting, 0),
    };
  };
  const disks = diskGauges(guard.store, clock);
  return {
    status: (): GuardStatus => {
      const { settings } = guard;
      const { user, system } = process.cpuUsage();
      // The brake may have been pulled since the start.
      const isBraked = settings.mode === "block" && isPanicked(settings.storeDirectory);
      return {
        version: VERSION,
        host: settings.host,
        pid: process.pid,
        startedAt: startedAt.toISOString(),
        uptimeMs: Math.round(clock.monotonicMs() - began),
        mode: isBraked ? "observe" : settings.mode,
        modeBecause: isBraked ? PANIC_HOLDS : settings.modeBecause,
        configFiles: settings.configFiles,
        parts: guard.status().map(({ part, lines, off }) => ({ part, on: !off, lines })),
        today: today.read(clock.now()),
        ...gauges(),
        next: guard
          .outlooks()
          .flatMap(({ next = [] }) => next)
          .sort((a, b) => a.at.getTime() - b.at.getTime())
          .map(({ what, at }) => ({ what, at: at.toISOString() })),
        memoryBytes: memoryShareBytes(),
        cpuMs: Math.round((user + system) / 1_000),
        faults: settings.faults,
      };
    },
    blocks: () => blocksOf(guard, clock),
    metrics: async () => renderMetrics(metrics.read({ ...gauges(), disks: await disks() })),
    reload: () => guard.reload(gather()),
    stop,
    subscribe: (listener) => guard.bus.subscribe(listener),
  };
}

// What happened today before this process is in the history; of a busy day, its newest part.
function todaySoFar({ store }: Guard, now: Date): Today {
  const from = Math.max(0, store.lastSeq() - MAX_RECENT);
  const recent = store.eventsSince(from, { types: COUNTED, limit: MAX_RECENT });
  const first = from === 0 ? new Date(0) : new Date(recent[0]?.event.at ?? now);
  const today = new Today(now, first);
  for (const { event } of recent) today.observe(event);
  return today;
}
