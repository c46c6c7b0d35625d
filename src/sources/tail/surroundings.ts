// What a followed log gets from whoever follows it, the same for all of them.
import type { Clock } from "../../core/clock.ts";
import type { Emit } from "../../core/events.ts";
import type { CursorShelf } from "../types.ts";
import type { LineBatch } from "./batch.ts";
import type { OpenForUs } from "./open-log.ts";

export type LogSurroundings = {
  readonly cursors: CursorShelf;
  readonly commit: (batch: LineBatch) => void;
  readonly emit: Emit;
  readonly clock: Clock;
  readonly maxLineBytes: number;
  /** Further folders where generations of this log may be (logrotate's `olddir`). */
  readonly generationFolders: (path: string) => readonly string[];
  /** Opens for us what we may not open. */
  readonly openForUs: OpenForUs | undefined;
  readonly isFollowed: (path: string) => boolean;
  /** Whether whoever reads was told to stop: an archive may take long. */
  readonly stopping: () => boolean;
};
