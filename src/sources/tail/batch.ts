// What is handed over at a time: lines, the place after them, and what has to be said about them.
import { describeError } from "../../core/errors.ts";
import type { EventBody } from "../../core/events.ts";
import type { FileCursor } from "./cursor.ts";
import type { Skipped } from "./incarnation.ts";

export type LineBatch = {
  readonly source: string;
  /** Without their newlines. Views that are valid only until `commit` returns: copy what you keep. */
  readonly lines: Uint8Array[];
  readonly cursor: FileCursor;
  /** What to record with these lines: a log that shrank, lines that were cut. */
  readonly notices: EventBody[];
};

/** What `commit` threw, told apart from what reading throws. */
export class CommitError extends Error {
  constructor(cause: unknown) {
    super(describeError(cause), { cause });
    this.name = "CommitError";
  }
}

/** What to say about bytes that were not handed out whole. */
export function noticesOf(skipped: Skipped | undefined, source: string, maxLineBytes: number): EventBody[] {
  const notices: EventBody[] = [];
  if (skipped !== undefined && skipped.cutLines > 0) {
    const because = `longer than ${maxLineBytes} bytes: only the beginning was read`;
    notices.push({ type: "lines.skipped", source, count: skipped.cutLines, because });
  }
  if (skipped !== undefined && skipped.nulBytes > 0) {
    const because = `${skipped.nulBytes} NUL bytes before a line left out: its writer does not append, or a crash`;
    notices.push({ type: "lines.skipped", source, count: 0, because });
  }
  return notices;
}
