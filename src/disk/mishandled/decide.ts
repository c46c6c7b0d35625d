// Decides what is wrong with the way logs are looked after: a stanza that matches nothing any more, a log in two stanzas, a
// deleted file that is still written, a writer that never let go of a rotated one. Pure.
import type { CoveringStanza, Mishandled } from "../types.ts";

/** A file somebody writes, with what rotation calls it. */
export type WrittenFile = {
  readonly path: string;
  readonly writer: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  /** For a generation: its log, and since when the log that took its place is there; null when there is none. */
  readonly generationOf: { readonly log: string; readonly bornMs: number | null } | null;
};

/** What is known of a deleted file. */
export type DeletedFile = { readonly path: string; readonly writer: string; readonly diskBytes: number };

// Writers are told to reopen right after the rotation; some finish a request first.
const REOPEN_GRACE_MS = 10_000;
// Temporary files are deleted while open on purpose; one of this size is worth a word whatever it is.
const LARGE_DELETED_BYTES = 64 * 1024 * 1024;

/** Stanzas none of whose logs is there. */
export function matchesNothing(
  stanzas: readonly CoveringStanza[],
  isThere: (path: string) => boolean,
): Mishandled[] {
  return stanzas
    .filter((stanza) => stanza.logs.length > 0 && !stanza.logs.some(isThere))
    .map(({ place, patterns, everRotated }) => ({
      how: "matches-nothing",
      path: patterns.join(" "),
      sizeBytes: 0,
      writer: "",
      why: everRotated
        ? `the stanza at ${place} matches nothing any more: what it named has been rotated, and is gone`
        : `the stanza at ${place} matches nothing`,
      mend: everRotated
        ? "see where its writer writes now (telltale rotate --uncovered), and name that"
        : "nothing to do if its program is not in use",
      ...(!everRotated && { usual: true as const }),
    }));
}

/** Logs that several stanzas name, and generations that a wide pattern takes for logs. */
export function coveredTwice(
  logs: readonly {
    readonly path: string;
    readonly places: readonly string[];
    readonly generationOf: string | null;
  }[],
): Mishandled[] {
  return logs.flatMap(({ path, places, generationOf }): Mishandled[] => {
    const base = { how: "covered-twice" as const, path, sizeBytes: 0, writer: "" };
    if (generationOf !== null && places.length > 0) {
      const why = `the pattern at ${places[0]} also matches a generation of ${generationOf}: it is rotated again and again`;
      return [{ ...base, why, mend: "make the pattern narrower: *.log instead of *" }];
    }
    if (places.length < 2) return [];
    const why = `${places.length} stanzas name it: ${places.join(", ")}; only the first counts`;
    return [{ ...base, why, mend: "name it in one of them" }];
  });
}

/** Deleted files that still take room. */
export function stillOpen(deleted: readonly DeletedFile[], isLog: (path: string) => boolean): Mishandled[] {
  return deleted
    .filter(({ path, diskBytes }) => diskBytes >= LARGE_DELETED_BYTES || (diskBytes > 0 && isLog(path)))
    .map(({ path, writer, diskBytes }) => ({
      how: "deleted-open",
      path,
      sizeBytes: diskBytes,
      writer,
      why: `deleted, and ${writer} still has it open: its room is free only when that lets go`,
      mend: `restart or reload ${writer}, and have its rotation make it reopen its log (postrotate)`,
    }));
}

/** Rotated files that their writer goes on writing. */
export function neverReopened(written: readonly WrittenFile[]): Mishandled[] {
  return written.flatMap(({ path, writer, sizeBytes, mtimeMs, generationOf }): Mishandled[] => {
    if (generationOf === null) return [];
    const { log, bornMs } = generationOf;
    if (bornMs !== null && mtimeMs <= bornMs + REOPEN_GRACE_MS) return [];
    const why = `${writer} goes on writing the rotated file: it was never made to reopen ${log}`;
    const mend = `give the stanza of ${log} a postrotate script that makes it reopen, or copytruncate`;
    return [{ how: "never-reopened", path, sizeBytes, writer, why, mend }];
  });
}
