// Notices a log that used to speak and stopped: a syslog daemon that died, a disk that filled, a log that somebody
// switched off. Pure: times come in, and the state is plain data that survives a restart.

/** What is remembered of one log. Times in milliseconds since the epoch. */
export type Heartbeat = {
  readonly lastAt: number;
  /** How often it spoke after being quiet for a moment, up to the number that counts as a habit. */
  readonly spells: number;
  /** The longest quiet of each of the last days, newest first, in milliseconds. */
  readonly dailyLongestMs: readonly number[];
  /** The day of the newest of them, counted from the epoch. */
  readonly day: number;
  /** Its present silence was told already. */
  readonly told: boolean;
};

/** A log that is quiet for longer than it ever is. */
export type Silence = {
  readonly log: string;
  readonly lastAt: number;
  readonly quietMs: number;
  /** The longest quiet of the days that are remembered. */
  readonly usualLongestMs: number;
};

/** The memory of all logs, by name: what is kept across restarts. */
export type Heartbeats = Readonly<Record<string, Heartbeat>>;

const DAY_MS = 86_400_000;

// Lines that come together are one spell, so that a burst does not look like a habit of speaking every millisecond.
const SPELL_GAP_MS = 60_000;

// Before so many spells nothing is known about a log's habits.
const SPELLS_MIN = 20;

// Two weeks hold two weekends, and what a log does on every weekend is no surprise.
const DAYS_KEPT = 14;

// Twice the longest quiet of two weeks, and never less than an hour: a log that speaks every minute may still be held up
// by a reboot.
const QUIET_FACTOR = 2;
const QUIET_MIN_MS = 3_600_000;

// Logs are named in a configuration, not by strangers; a wildcard may still find very many.
const LOGS_MAX = 4_096;

/** Remembers when each log spoke. */
export class SilenceWatch {
  /** Logs that are not watched because too many are. */
  unwatched = 0;
  readonly #logs: Map<string, Heartbeat>;

  /** @param remembered what `remember` gave, from wherever it was kept; what is no heartbeat in it is learnt again */
  constructor(remembered: unknown = {}) {
    const entries = typeof remembered === "object" && remembered !== null ? Object.entries(remembered) : [];
    this.#logs = new Map(entries.filter(isHeartbeatOf).slice(0, LOGS_MAX));
  }

  /** The log spoke at this time. */
  heard(log: string, atMs: number): void {
    const before = this.#logs.get(log);
    if (before === undefined) {
      if (this.#logs.size >= LOGS_MAX) this.unwatched++;
      else
        this.#logs.set(log, { lastAt: atMs, spells: 0, dailyLongestMs: [], day: dayOf(atMs), told: false });
      return;
    }
    const quietMs = atMs - before.lastAt;
    // A clock that was set back tells nothing about quiet.
    if (quietMs < 0) this.#logs.set(log, { ...before, lastAt: atMs, told: false });
    else if (quietMs < SPELL_GAP_MS) this.#logs.set(log, { ...before, lastAt: atMs });
    else {
      this.#logs.set(log, {
        lastAt: atMs,
        spells: Math.min(before.spells + 1, SPELLS_MIN),
        ...withQuiet(before, quietMs, dayOf(atMs)),
        told: false,
      });
    }
  }

  /** The log is not read any more: its silence means nothing. */
  forget(log: string): void {
    this.#logs.delete(log);
  }

  /**
   * The logs whose silence became unusual, each told once until it speaks again.
   * @param watchedSinceMs since when we have been listening without a break: quiet before that may be our own deafness
   */
  overdue(nowMs: number, watchedSinceMs: number): Silence[] {
    const silent: Silence[] = [];
    for (const [log, beat] of this.#logs) {
      if (beat.told || beat.spells < SPELLS_MIN) continue;
      const usualLongestMs = Math.max(0, ...beat.dailyLongestMs);
      const limitMs = Math.max(QUIET_MIN_MS, usualLongestMs * QUIET_FACTOR);
      if (nowMs - Math.max(beat.lastAt, watchedSinceMs) <= limitMs) continue;
      this.#logs.set(log, { ...beat, told: true });
      silent.push({ log, lastAt: beat.lastAt, quietMs: nowMs - beat.lastAt, usualLongestMs });
    }
    return silent;
  }

  /** What to keep for the next start. */
  remember(): Heartbeats {
    return Object.fromEntries(this.#logs);
  }
}

function isHeartbeatOf(entry: [string, unknown]): entry is [string, Heartbeat] {
  const beat = entry[1] as Partial<Record<keyof Heartbeat, unknown>> | null;
  if (typeof beat !== "object" || beat === null) return false;
  const { lastAt, spells, dailyLongestMs, day, told } = beat;
  return (
    [lastAt, spells, day].every(Number.isFinite) &&
    typeof told === "boolean" &&
    Array.isArray(dailyLongestMs) &&
    dailyLongestMs.length <= DAYS_KEPT &&
    dailyLongestMs.every(Number.isFinite)
  );
}

function dayOf(atMs: number): number {
  return Math.floor(atMs / DAY_MS);
}

function withQuiet(
  before: Heartbeat,
  quietMs: number,
  today: number,
): Pick<Heartbeat, "dailyLongestMs" | "day"> {
  const passed = Math.max(0, today - before.day);
  const blankDays = Array.from({ length: Math.min(passed, DAYS_KEPT) }, () => 0);
  const [newest = 0, ...older] = [...blankDays, ...before.dailyLongestMs];
  return { dailyLongestMs: [Math.max(newest, quietMs), ...older].slice(0, DAYS_KEPT), day: today };
}
