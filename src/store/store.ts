// The guard's memory: every event in order, who is blocked, how far each source was read. One file, so that a
// finding and the cursor that stands for it are written in one transaction.
import { type Clock, systemClock } from "../core/clock.ts";
import type { Event, EventBody } from "../core/events.ts";
import { type BlockQueries, blockQueries } from "./blocks.ts";
import { type CursorQueries, cursorQueries } from "./cursors.ts";
import { eventQueries, type StoredEvent } from "./events.ts";
import { isDamage, storeFault } from "./faults.ts";
import { type MarkQueries, markQueries } from "./marks.ts";
import { markSuspect, openForReading, openForWriting } from "./open.ts";
import { DEFAULT_LIMITS, type RetentionLimits, retention } from "./retention.ts";

export type { BlockRow } from "./blocks.ts";
export type { Cursor } from "./cursors.ts";
export type { StoredEvent } from "./events.ts";
export { StoreDamagedError, StoreFullError } from "./faults.ts";

export type StoreOptions = Partial<RetentionLimits> & {
  readonly clock?: Clock;
  /** For commands beside a running guard: writes nothing, repairs nothing, waits for nobody. */
  readonly readOnly?: boolean;
  /** Gets what is to be told later, while the store is open: events that the limits made it drop. */
  readonly onNotice?: (notice: EventBody) => void;
};

export interface Store {
  /** What opening had to do: a damaged file that was set aside. */
  readonly notices: readonly EventBody[];
  /**
   * Runs `work` as a whole or not at all; one inside another is undone alone. `work` must not be async.
   * Throws StoreFullError, StoreDamagedError or MissingPartError, and whatever `work` throws.
   */
  transaction<T>(work: () => T): T;
  /** Appending the same event (by its id) again does nothing. */
  append(event: Event): void;
  appendAll(events: readonly Event[]): void;
  /** Events after `seq`, oldest first, at most `limit` (10,000). */
  eventsSince(seq: number, options?: { types?: readonly string[]; limit?: number }): StoredEvent[];
  /** The seq of the newest event ever appended; 0 at first. */
  lastSeq(): number;
  /** Whether another process has written since this was asked last; true when it is asked for the first time. */
  changedElsewhere(): boolean;
  /** One event by its id: the finding behind a verdict. Null when it is not (or no longer) here. */
  event(id: string): StoredEvent | null;
  /** The evidence trail of an address: scans from it, verdicts on it, blocks of it or of a prefix that holds it; oldest first, the newest `limit` (1,000). */
  eventsAbout(address: string, limit?: number): Event[];
  readonly cursors: CursorQueries;
  readonly blocks: BlockQueries;
  readonly marks: MarkQueries;
  /** Drops what is over age, count and size; returns how many events went. */
  purge(now: Date): number;
  /** Puts everything committed so far on the disk, for what a power cut must not undo: about one fsync. */
  settle(): void;
  close(): void;
  [Symbol.dispose](): void;
}

// How many appended events pass between two looks at the limits: a look takes about 10 ms at 200,000 events.
const TRIM_EVERY = 2_048;

/**
 * Opens the history at `path`. Creates the folder (0700) and the file (0600); a damaged file is set aside as
 * `PATH.damaged-DATE` and a new one begun, which `notices` tells. `:memory:` is a history without a file.
 * Throws MissingPartError when it cannot be used.
 */
export function openStore(path: string, options: StoreOptions = {}): Store {
  const clock = options.clock ?? systemClock;
  const limits: RetentionLimits = { ...DEFAULT_LIMITS, ...definedOnly(options) };
  const notices: EventBody[] = [];
  const readOnly = options.readOnly === true;
  const database = readOnly ? openForReading(path) : openForWriting(path, clock, notices);

  let depth = 0;
  let closed = false;
  let sinceTrim = 0;

  /** Runs a query; SQLite's errors come out as ours. */
  function guarded<T>(query: () => T): T {
    try {
      return query();
    } catch (error) {
      if (isDamage(error) && !readOnly) markSuspect(path);
      throw storeFault(path, error);
    }
  }

  function transaction<T>(work: () => T): T {
    const savepoint = `level${depth}`;
    guarded(() => database.exec(depth === 0 ? "BEGIN IMMEDIATE" : `SAVEPOINT ${savepoint}`));
    depth++;
    try {
      const result = work();
      if (result instanceof Promise)
        throw new TypeError("a transaction must not be async: nothing was written");
      guarded(() => database.exec(depth === 1 ? "COMMIT" : `RELEASE ${savepoint}`));
      return result;
    } catch (error) {
      // On a full disk SQLite may have rolled back everything by itself.
      if (database.isTransaction) {
        database.exec(depth === 1 ? "ROLLBACK" : `ROLLBACK TO ${savepoint}; RELEASE ${savepoint}`);
      }
      throw storeFault(path, error);
    } finally {
      depth--;
    }
  }

  const events = guarded(() => eventQueries(database));
  // https://www.sqlite.org/pragma.html#pragma_data_version: another number after every commit by anybody else.
  const version = guarded(() => database.prepare("PRAGMA data_version"));
  let seenVersion = Number.NaN;
  const keep = guarded(() => retention(database, limits, transaction));

  const blocks = guardAll(
    guarded(() => blockQueries(database)),
    guarded,
  );

  const today = () => clock.now().toISOString().slice(0, 10);
  let droppedToday = "";

  function trimNowAndThen(appended: number): void {
    sinceTrim += appended;
    if (sinceTrim < TRIM_EVERY) return;
    sinceTrim = 0;
    const gone = keep.trim();
    if (gone === 0 || droppedToday === today()) return;
    droppedToday = today();
    // After whatever transaction this happened in: the listener will want to append.
    queueMicrotask(() => options.onNotice?.(droppedEarly(gone, limits)));
  }

  const store: Store = {
    notices,
    transaction,
    append(event) {
      store.appendAll([event]);
    },
    appendAll(batch) {
      transaction(() => {
        events.append(batch);
        trimNowAndThen(batch.length);
      });
    },
    eventsSince: (seq, { types, limit } = {}) => guarded(() => events.since(seq, types, limit)),
    lastSeq: () => guarded(() => events.lastSeq()),
    changedElsewhere() {
      const before = seenVersion;
      seenVersion = guarded(() => Number(version.get()?.["data_version"]));
      return seenVersion !== before;
    },
    event: (id) => guarded(() => events.byId(id)),
    eventsAbout: (address, limit = 1_000) => guarded(() => events.about(address, limit)),
    cursors: guardAll(cursorQueries(database, clock), guarded),
    // Among others it needs no transaction of its own: what is closed first has run out in any case.
    blocks: {
      ...blocks,
      put: (row) => (depth > 0 ? blocks.put(row) : transaction(() => blocks.put(row))),
    },
    marks: guardAll(markQueries(database), guarded),
    purge: (now) => guarded(() => keep.purge(now)),
    settle() {
      guarded(() => database.exec("PRAGMA wal_checkpoint(PASSIVE)"));
    },
    close() {
      if (closed) return;
      closed = true;
      database.close();
    },
    [Symbol.dispose]() {
      store.close();
    },
  };
  return store;
}

function droppedEarly(count: number, limits: RetentionLimits): EventBody {
  return {
    type: "part.failed",
    part: "store",
    why: `the history holds its limit of ${limits.maxEvents} events or ${limits.maxBytes} bytes: ${count} old ones dropped`,
    mend: "look what fills it with `telltale report`, or raise the limit",
    stillRuns: "the newest events are kept",
  };
}

/** The same object with every method's SQLite errors turned into ours. */
function guardAll<T extends object>(queries: T, guarded: <R>(query: () => R) => R): T {
  const out: Record<string, unknown> = {};
  for (const [name, method] of Object.entries(queries)) {
    out[name] = (...args: unknown[]) => guarded(() => (method as (...args: unknown[]) => unknown)(...args));
  }
  return out as T;
}

function definedOnly(options: StoreOptions): Partial<RetentionLimits> {
  return Object.fromEntries(
    Object.entries(options).filter(([name, value]) => name in DEFAULT_LIMITS && value !== undefined),
  );
}
