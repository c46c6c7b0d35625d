// Looks for the logs that no rotation keeps in bounds: files under the log directories and files anywhere that a process
// appends to. These are the ones that fill a disk one night. What looking needs of root is reading /proc/*/fd.
import { closeSync, constants, openSync, readFileSync, readlinkSync, readSync, type Stats } from "node:fs";
import { type OpenFile, openForWritingLater } from "../sys/open-files.ts";
import { namesOf } from "./accounts.ts";
import { journalUses } from "./journal.ts";
import { coveredTwice, matchesNothing, neverReopened, stillOpen } from "./mishandled/decide.ts";
import { packageOf } from "./packages.ts";
import { decideReopening } from "./reopen/decide.ts";
import { RESERVE_NAME } from "./reserve.ts";
import { renderStanza } from "./stanza/render.ts";
import type { CoverageReport, Covering, Mishandled, UncoveredLog } from "./types.ts";
import { type FoundFile, filesUnder, lookQuietly } from "./walk.ts";

export type CoverageOptions = {
  /** Directories where software puts its logs. */
  readonly roots: readonly string[];
  readonly now: Date;
  /** Measured growth, by path; null when a log was never measured. */
  readonly bytesPerDay?: (path: string) => number | null;
  /** Files smaller than this are left out; 1 when left out, since an empty file fills no disk. */
  readonly leastBytes?: number;
  /** At most so many are returned, the largest first; 200 when left out. */
  readonly most?: number;
};

// Old generations by name, whoever made them: `.1`, `.2.gz`, `-20261122`, `-20261122.gz`, `.0`, `.old`.
const GENERATION = /(\.\d{1,3}|[-.]\d{8}(\d{2}|-\d+)?|\.old|\.bak|\.backup)(\.(gz|bz2|xz|zst|Z|zip|lz4))?$/;
const COMPRESSED = /\.(gz|bz2|xz|zst|Z|zip|lz4)$/;
// systemd-journald keeps its own files in bounds; what it uses is told apart.
const JOURNAL = /\.journal~?$/;
const LOG_LIKE = /(\.log|_log|\.err|\.out|\/logs?\/[^/]+)$/i;
// Appended to as well, and no logs: databases, histories of shells.
const NO_LOG = /(\.(aof|db|wal|sqlite3?|db-wal|db-journal|mbox)|\/\.[^/]*history|\/mail\/[^/]+|\/spool\/.*)$/;
const VIRTUAL = /^\/(proc|sys|dev|run|memfd:)(\/|$)/;
// Records of a fixed place for each user, not lines: they do not grow by being written (lastlog(8), faillog(5)).
const FIXED = /\/(lastlog|faillog|tallylog)$/;
// Nobody writes it, and nobody has for so long: it is left from an installation, and does not grow.
const STILL_MS = 8 * 86_400_000;
// Fewer than this old says nothing about a day.
const LEAST_AGE_MS = 60_000;
const DAY_MS = 86_400_000;
// Two stanzas are compared for so many logs; a stanza of ten thousand has one pattern as a rule.
const MAX_COMPARED = 2_000;
// So many logs are measured at each look.
const MAX_FOLLOWED = 2_000;
// The first bytes of a file tell text from a database.
const HEAD_BYTES = 512;

/** Looks at everything. Never throws for what it may not see; without root, other users' processes are not seen. */
export async function lookAtCoverage(covering: Covering, options: CoverageOptions): Promise<CoverageReport> {
  const { roots } = options;
  const underRoot = (path: string): boolean => roots.some((root) => path.startsWith(`${root}/`));
  const open = await openForWritingLater((path) => !VIRTUAL.test(path));
  const walked = await filesUnder(roots);
  const writers = new Map<string, OpenFile>();
  for (const file of open.files) {
    if (!file.deleted && (underRoot(file.path) || file.append)) writers.set(file.path, file);
  }
  const unnamed = await uncovered(covering, options, walked.files, writers, underRoot);
  const isLog = (path: string): boolean => underRoot(path) || LOG_LIKE.test(path) || covering.has(path);
  return {
    uncovered: unnamed,
    mishandled: mishandled(covering, open.files, writers, isLog),
    journals: journalUses(walked.files),
    logs: followed(covering, unnamed),
    looked: {
      processes: open.processes,
      descriptors: open.descriptors,
      files: walked.files.length,
      cpuMs: cpuMs(),
    },
    cut: open.cut || walked.cut,
  };
}

async function uncovered(
  covering: Covering,
  options: CoverageOptions,
  under: readonly FoundFile[],
  writers: ReadonlyMap<string, OpenFile>,
  underRoot: (path: string) => boolean,
): Promise<UncoveredLog[]> {
  const { leastBytes = 1, most = 200 } = options;
  const found = new Map<string, { path: string; stat: Stats; writer: OpenFile | null }>();
  for (const { path, stat } of under) {
    const writer = writers.get(path) ?? null;
    if (
      stat.size < leastBytes ||
      JOURNAL.test(path) ||
      path.endsWith(`/${RESERVE_NAME}`) ||
      covering.has(path)
    )
      continue;
    if (FIXED.test(path)) continue;
    const isStill = options.now.getTime() - stat.mtimeMs > STILL_MS;
    if (writer === null && (isStill || GENERATION.test(path) || COMPRESSED.test(path))) continue;
    found.set(path, { path, stat, writer });
  }
  for (const writer of writers.values()) {
    const { path } = writer;
    if (underRoot(path) || writer.sizeBytes < leastBytes || NO_LOG.test(path) || covering.has(path)) continue;
    const stat = lookQuietly(path);
    // Another mount namespace may have another file by this name.
    if (stat === null || stat.ino !== writer.ino || stat.dev !== writer.dev) continue;
    if (LOG_LIKE.test(path) || isText(path)) found.set(path, { path, stat, writer });
  }
  const largest = [...found.values()]
    .sort((a, b) => b.stat.size - a.stat.size || (a.path < b.path ? -1 : 1))
    .slice(0, most);
  const accounts = { users: namesOf("/etc/passwd"), groups: namesOf("/etc/group") };
  const told: UncoveredLog[] = [];
  for (const each of largest) told.push(await describe(each, options, accounts));
  return told;
}

// Covered logs first: an uncovered one is told of in any case.
function followed(covering: Covering, unnamed: readonly UncoveredLog[]): string[] {
  const logs = [...covering.stanzas.flatMap((stanza) => stanza.logs), ...unnamed.map(({ path }) => path)];
  return [...new Set(logs)].filter((path) => lookQuietly(path)?.isFile()).slice(0, MAX_FOLLOWED);
}

type Accounts = { readonly users: ReadonlyMap<number, string>; readonly groups: ReadonlyMap<number, string> };

async function describe(
  { path, stat, writer }: { path: string; stat: Stats; writer: OpenFile | null },
  options: CoverageOptions,
  { users, groups }: Accounts,
): Promise<UncoveredLog> {
  const measured = options.bytesPerDay?.(path) ?? null;
  const ageMs = stat.birthtimeMs > 0 ? options.now.getTime() - stat.birthtimeMs : 0;
  const byAge = ageMs >= LEAST_AGE_MS ? (stat.size * DAY_MS) / ageMs : null;
  const bytesPerDay = measured ?? byAge;
  const program = writer === null ? "" : programOf(writer.pid);
  const reopening = decideReopening(
    writer?.name ?? "",
    writer === null ? "" : unitOf(writer.pid),
    writer?.append ?? true,
  );
  const name = (id: number, names: ReadonlyMap<number, string>) => names.get(id) ?? String(id);
  const parent = lookQuietly(path.slice(0, path.lastIndexOf("/")) || "/");
  const shared = parent !== null && isShared(parent);
  const stanza = renderStanza(
    {
      path,
      mode: stat.mode & 0o777,
      user: name(stat.uid, users),
      group: name(stat.gid, groups),
      bytesPerDay,
      su: shared ? { user: name(parent.uid, users), group: name(parent.gid, groups) } : null,
    },
    reopening,
  );
  return {
    path,
    sizeBytes: stat.size,
    writer: writer === null ? "" : `${writer.name} (pid ${writer.pid})`,
    program,
    package: await packageOf(program),
    bytesPerDay,
    growthFrom: measured !== null ? "samples" : byAge !== null ? "age" : null,
    stanza,
    stanzaBecause: reopening.because,
  };
}

// logrotate(8) refuses such a directory without `su`.
function isShared({ mode, gid }: Stats): boolean {
  return (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && gid !== 0);
}

function mishandled(
  covering: Covering,
  open: readonly OpenFile[],
  writers: ReadonlyMap<string, OpenFile>,
  isLog: (path: string) => boolean,
): Mishandled[] {
  const said = ({ name, pid }: OpenFile) => `${name} (pid ${pid})`;
  const deleted = new Map<string, OpenFile>();
  for (const file of open) if (file.deleted) deleted.set(`${file.dev}:${file.ino}`, file);
  const logs = covering.stanzas.flatMap((stanza) => stanza.logs).slice(0, MAX_COMPARED);
  const existing = [...new Set(logs)].filter((path) => lookQuietly(path) !== null);
  return [
    ...stillOpen(
      [...deleted.values()].map((file) => ({ ...file, writer: said(file) })),
      isLog,
    ),
    ...neverReopened(
      [...writers.values()].flatMap((writer) => {
        const generation = covering.generation(writer.path);
        if (generation === null || generation.compressed) return [];
        const stat = lookQuietly(writer.path);
        if (stat === null || stat.ino !== writer.ino) return [];
        const live = lookQuietly(generation.log);
        const generationOf = { log: generation.log, bornMs: live?.birthtimeMs ?? null };
        return [{ ...writer, writer: said(writer), mtimeMs: stat.mtimeMs, generationOf }];
      }),
    ),
    ...matchesNothing(covering.stanzas, (path) => lookQuietly(path) !== null),
    ...coveredTwice(
      existing.map((path) => ({
        path,
        places: covering.placesFor(path),
        generationOf: covering.generation(path)?.log ?? null,
      })),
    ),
  ];
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

function programOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, "");
  } catch {
    return ""; // It has ended, or is not ours to look at.
  }
}

// `0::/system.slice/nginx.service` (cgroups(7)): the last component that is a service.
function unitOf(pid: number): string {
  try {
    const hit = /\/([^/\n]+\.service)(?:\/[^\n]*)?$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "latin1"));
    return hit?.[1] ?? "";
  } catch {
    return ""; // As above.
  }
}

function isText(path: string): boolean {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const head = Buffer.alloc(HEAD_BYTES);
      return !head.subarray(0, readSync(fd, head, 0, HEAD_BYTES, 0)).includes(0);
    } finally {
      closeSync(fd);
    }
  } catch {
    return false; // What we may not read is not taken for a log by its content.
  }
}
