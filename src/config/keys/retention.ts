// Each `[retention.NAME]` section may hold these. For logs that no rotation names, or that are named by date or by
// request: files are judged as a group, not renamed.
import type { KeyDefinition } from "./kind.ts";

const WEEK_MS = 604_800_000;

export const RETENTION_KEYS: readonly KeyDefinition[] = [
  {
    name: "retention.NAME.paths",
    kind: { is: "texts" },
    fallback: [],
    summary: "the files of the group: paths with wildcards",
    reason: "there is no sensible guess at which files may be removed",
  },
  {
    name: "retention.NAME.max_bytes",
    kind: { is: "size" },
    fallback: "0",
    summary: "all files together are kept below this (500M, 2G); 0: no limit",
    reason: "a group without a limit is only compressed",
  },
  {
    name: "retention.NAME.max_age",
    kind: { is: "duration", minMs: 0, maxMs: 520 * WEEK_MS },
    fallback: "0s",
    summary: "files not written for this long are removed; 0s: no limit",
    reason: "nothing is removed unasked",
  },
  {
    name: "retention.NAME.max_files",
    kind: { is: "count", min: 0, max: 10_000_000 },
    fallback: 0,
    summary: "so many files are kept; 0: no limit",
    reason: "nothing is removed unasked",
  },
  {
    name: "retention.NAME.min_keep",
    kind: { is: "count", min: 0, max: 10_000_000 },
    fallback: 3,
    summary: "the newest files, which no limit removes",
    reason: "a limit that is set too low must not leave nothing to look at",
  },
  {
    name: "retention.NAME.compress_after",
    kind: { is: "duration", minMs: 0, maxMs: 520 * WEEK_MS },
    fallback: "0s",
    summary: "files not written for this long are compressed with gzip; 0s: never",
    reason: "some readers want plain files",
  },
];
