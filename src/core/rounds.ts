// Work that comes back every few seconds, without waking a sleeping process for each piece of it: whatever has a period is done
// at the multiples of that period, so that what comes every five and what comes every ten seconds is one wake-up and not two. The
// clock they are multiples of is the machine's, so that processes that talk to each other are awake at the same moments.

/** Work that is done round after round, until it is disposed of. */
export type Round = Disposable;

type Entry = { readonly periodMs: number; readonly work: () => void; readonly holds: boolean; dueMs: number };

// A timer may come a moment early, by the fraction of a millisecond that it does not count.
const EARLY_MS = 1;

const entries = new Set<Entry>();
let timer: NodeJS.Timeout | undefined;
let timerMs = 0;

/** CLOCK_MONOTONIC of clock_gettime(2), in milliseconds: the same for every process of the machine. */
const machineMs = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;

/**
 * Calls `work` every `periodMs`, the first time within the first period. What was missed because the process was busy or the host
 * asleep is not made up for. An error is thrown like that of a timer, and the others have their turn all the same.
 * @param options.holds keeps the process alive, as a timer does; by default it does not
 */
export function every(periodMs: number, work: () => void, options: { readonly holds?: boolean } = {}): Round {
  const entry: Entry = { periodMs, work, holds: options.holds === true, dueMs: 0 };
  entry.dueMs = nextMultiple(periodMs, machineMs());
  entries.add(entry);
  arm();
  return {
    [Symbol.dispose]: () => {
      if (entries.delete(entry)) arm();
    },
  };
}

/** Milliseconds until the next multiple of a period, for whoever has a timer of their own and can wait for company. */
export function untilRound(periodMs: number): number {
  const nowMs = machineMs();
  return Math.ceil(nextMultiple(periodMs, nowMs) - nowMs);
}

function nextMultiple(periodMs: number, nowMs: number): number {
  return (Math.floor(nowMs / periodMs) + 1) * periodMs;
}

function arm(): void {
  let dueMs = Number.POSITIVE_INFINITY;
  let holds = false;
  for (const entry of entries) {
    dueMs = Math.min(dueMs, entry.dueMs);
    holds ||= entry.holds;
  }
  if (timer === undefined || dueMs !== timerMs) {
    clearTimeout(timer);
    timer = undefined;
    timerMs = dueMs;
    if (entries.size > 0) timer = setTimeout(turn, Math.max(1, Math.ceil(dueMs - machineMs())));
  }
  if (holds) timer?.ref();
  else timer?.unref();
}

function turn(): void {
  timer = undefined;
  const nowMs = machineMs() + EARLY_MS;
  const due = [...entries].filter((entry) => entry.dueMs <= nowMs);
  for (const entry of due) entry.dueMs = nextMultiple(entry.periodMs, nowMs);
  try {
    for (const entry of due) if (entries.has(entry)) run(entry.work);
  } finally {
    arm();
  }
}

function run(work: () => void): void {
  try {
    work();
  } catch (error) {
    setImmediate(() => {
      throw error;
    });
  }
}
