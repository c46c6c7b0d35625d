// What every source of lines needs and gives, whatever it reads.
import type { EventBody } from "../core/events.ts";

/** Where cursors are kept. `set` is for whoever commits a batch: it belongs into the transaction of the findings. */
export interface CursorShelf {
  get(source: string): unknown;
  set?(source: string, cursor: { readonly [key: string]: unknown }): void;
}

/** What every source commits: for a `commit` that serves more than one. */
export type SourceBatch = {
  readonly source: string;
  readonly lines: Uint8Array[];
  readonly cursor: { readonly [key: string]: unknown };
  readonly notices: EventBody[];
};

export interface Follower {
  /**
   * Reads everything that is new now. Rejects with what `commit` threw (after the other logs were read), or with
   * MissingPartError when the source as a whole cannot be read.
   */
  poll(): Promise<void>;
  /** Begins to follow; what is new already is read first. */
  start(): Promise<void>;
  /** Ends after the batch in hand; nothing is committed once this resolved. */
  stop(): Promise<void>;
  /**
   * Follows one more log; for a journal, nothing.
   * @param from where to begin when it exists and was never read; a log that just appeared wants "start"
   */
  add(path: string, from?: "start" | "end"): void;
  /** No longer follows a log; its cursor stays where it is. */
  remove(path: string): void;
}
