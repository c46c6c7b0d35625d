// Makes room on the file systems of the logs when a limit under [disk] asks for it: gathers what there is, has it planned, and
// lends the plan the hands of the rotation.
import { lstatSync } from "node:fs";
import { availableParallelism } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import { systemClock } from "../core/clock.ts";
import type { Emit } from "../core/events.ts";
import { lookAtRooms } from "../disk/mounts.ts";
import type { GenerationFact, Keep, LogFact, ReliefFacts, ReliefLimits } from "../disk/relief/plan.ts";
import type { Hands } from "../disk/relief.ts";
import { RESERVE_NAME } from "../disk/reserve.ts";
import { filesUnder, lookQuietly } from "../disk/walk.ts";
import { Coverage, generationsOf } from "../rotate/coverage.ts";
import { Directories } from "../rotate/directories.ts";
import { scriptStep } from "../rotate/draft/plan.ts";
import { Listings } from "../rotate/glob/expand.ts";
import { matchPath } from "../rotate/glob/match.ts";
import { directoryOf } from "../rotate/names/match.ts";
import { loadRotation, runRotations } from "../rotate/run.ts";
import { SqueezeThreads } from "../rotate/squeeze/threads.ts";
import { doStep } from "../rotate/step.ts";
import type { FileFact, LogStanza, Rotation, RotationStep } from "../rotate/types.ts";
import { type OpenFile, openForWritingLater } from "../sys/open-files.ts";
import { limitsFor } from "./disk-limits.ts";
import type { Settings } from "./settings.ts";

const JOURNAL = /\.journal~?$/;

/** Everything about one file system that a plan needs, and what carrying it out needs besides. */
export type Pressed = {
  readonly facts: ReliefFacts;
  readonly limits: ReliefLimits;
};

export function loadForRelief(settings: Settings): Promise<Rotation> {
  return loadRotation({ configs: settings.rotateConfigs, statePath: settings.rotateState });
}

// A program that opens its log anew for every line, or every thousand, is seen at one of a few looks.
const WRITER_LOOKS_MS = 250;
const WRITER_LOOK_EVERY_MS = 5;

/** @returns who has the file open for writing, as "name[pid]"; null when nobody was seen within a quarter of a second */
export async function seekWriter(path: string): Promise<string | null> {
  const until = systemClock.monotonicMs() + WRITER_LOOKS_MS;
  for (;;) {
    const [writer] = (await openForWritingLater((open) => open === path)).files;
    if (writer !== undefined) return nameOf(writer);
    if (systemClock.monotonicMs() > until) return null;
    await wait(WRITER_LOOK_EVERY_MS);
  }
}

function nameOf({ name, pid }: OpenFile): string {
  return `${name}[${pid}]`;
}

/**
 * The file systems that logs lie on, with all that may give way on each.
 * @param aheadBytes what is expected to be written soon, by mount point
 */
export async function gatherRelief(
  settings: Settings,
  rotation: Rotation,
  aheadBytes: ReadonlyMap<string, number> = new Map(),
): Promise<Pressed[]> {
  const { roots } = settings.config.rotate;
  const listings = new Listings();
  const found = rotation.stanzas.flatMap((stanza) =>
    generationsOf(stanza, stanza.logs, listings).map((each) => ({ stanza, ...each })),
  );
  const paths = new Set(
    found.flatMap(({ log, generations }) => [log.path, ...generations.map(({ path }) => path)]),
  );
  const open = (await openForWritingLater((path) => paths.has(path))).files;
  const writers = new Map(open.map((file) => [file.path, nameOf(file)]));
  const directories = new Set(found.map(({ log }) => directoryOf(log.path)));
  const rooms = await lookAtRooms([...roots, ...directories]);
  const sizes = await sizesByDevice(roots, found);
  return rooms.map((room) => {
    const here = found.filter(({ log }) => log.dev === room.dev && log.kind === "file");
    const logs = here.map(({ stanza, log, generations: old }) =>
      logFact(settings, stanza, log, old, writers),
    );
    return {
      facts: {
        mount: room.mount,
        sizeBytes: room.sizeBytes,
        freeBytes: room.freeBytes,
        logBytes: sizes.get(room.dev) ?? 0,
        aheadBytes: aheadBytes.get(room.mount) ?? 0,
        logs,
      },
      limits: limitsFor(settings, room.sizeBytes),
    };
  });
}

type Found = { readonly log: FileFact; readonly generations: readonly FileFact[] };

// What logs take: everything in the log directories but the journal and the reserve, and covered logs elsewhere.
async function sizesByDevice(
  roots: readonly string[],
  found: readonly Found[],
): Promise<Map<number, number>> {
  const sizes = new Map<number, number>();
  const counted = new Set<string>();
  const count = (dev: number, ino: number, diskBytes: number): void => {
    const id = `${dev}:${ino}`;
    if (counted.has(id)) return;
    counted.add(id);
    sizes.set(dev, (sizes.get(dev) ?? 0) + diskBytes);
  };
  for (const { path, stat } of (await filesUnder(roots)).files) {
    if (JOURNAL.test(path) || path.endsWith(`/${RESERVE_NAME}`)) continue;
    count(stat.dev, stat.ino, stat.blocks * 512);
  }
  for (const { log, generations } of found)
    for (const file of [log, ...generations]) count(file.dev, file.ino, diskBytesOf(file));
  return sizes;
}

function diskBytesOf({ path }: FileFact): number {
  return (lookQuietly(path)?.blocks ?? 0) * 512;
}

function logFact(
  settings: Settings,
  { settings: stanza }: LogStanza,
  log: FileFact,
  generations: readonly FileFact[],
  writers: ReadonlyMap<string, string>,
): LogFact {
  return {
    path: log.path,
    sizeBytes: log.sizeBytes,
    diskBytes: diskBytesOf(log),
    keep: keepOf(settings, log.path),
    compresses: stanza.compress,
    copies: stanza.copy !== "no",
    writer: writers.get(log.path) ?? null,
    generations: generations
      .filter(({ kind, dev }) => kind === "file" && dev === log.dev)
      .map(
        (file): GenerationFact => ({
          path: file.path,
          sizeBytes: file.sizeBytes,
          diskBytes: diskBytesOf(file),
          mtimeMs: file.mtimeMs,
          dev: file.dev,
          ino: file.ino,
          compressed: file.path.endsWith(stanza.compressExt),
          busy: writers.has(file.path) || file.links > 1,
        }),
      ),
  };
}

function keepOf({ config }: Settings, log: string): Keep {
  const within = (patterns: readonly string[]) => patterns.some((pattern) => matchPath(pattern, log));
  return within(config.disk.keep_high) ? "high" : within(config.disk.keep_low) ? "low" : "normal";
}

/** What a plan is carried out with. Dispose of it afterwards. */
export class RotationHands implements Hands, AsyncDisposable {
  readonly #settings: Settings;
  readonly #rotation: Rotation;
  readonly #coverage: Coverage;
  readonly #emit: Emit;
  readonly #signal: AbortSignal | undefined;
  readonly #directories = new Directories();
  readonly #threads = new SqueezeThreads(availableParallelism());

  constructor(settings: Settings, rotation: Rotation, emit: Emit, signal?: AbortSignal) {
    this.#settings = settings;
    this.#rotation = rotation;
    this.#coverage = new Coverage(rotation);
    this.#emit = emit;
    this.#signal = signal;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#directories[Symbol.dispose]();
    await this.#threads[Symbol.asyncDispose]();
  }

  async rotate(log: string): Promise<boolean> {
    const { rotateConfigs: configs, rotateState: statePath } = this.#settings;
    const options = { configs, statePath, force: true, only: [log], lock: "wait" } as const;
    const { rotated } = await runRotations(
      this.#rotation,
      { ...options, ...(this.#signal !== undefined && { signal: this.#signal }) },
      (body) => this.#emit(body.type === "log.rotated" ? { ...body, because: "early, to make room" } : body),
    );
    return rotated > 0;
  }

  async compress(file: GenerationFact): Promise<{ to: string; sizeBytes: number }> {
    this.#mustBeTheSame(file);
    const stanza = this.#stanzaOf(file);
    const { compressCommand, compressOptions, compressExt } = stanza.settings;
    const to = `${file.path}${compressExt}`;
    const { path, ino, sizeBytes, mtimeMs } = file;
    await this.#do({
      do: "compress",
      from: path,
      to,
      with: { command: compressCommand, options: compressOptions },
      sizeBytes,
      ino,
      times: { atimeMs: mtimeMs, mtimeMs },
      preremove: scriptStep(stanza, "preremove", [path]),
      shred: shredding(stanza),
    });
    return { to, sizeBytes: lookQuietly(to)?.size ?? 0 };
  }

  async remove(file: GenerationFact): Promise<void> {
    this.#mustBeTheSame(file);
    const stanza = this.#stanzaOf(file);
    const { path, ino, sizeBytes } = file;
    const script = scriptStep(stanza, "preremove", [path]);
    if (script !== null) {
      await this.#do(script);
      // A script that carries the file away has made room, too.
      if (lstatSync(this.#directories.at(path), { throwIfNoEntry: false }) === undefined) return;
      this.#mustBeTheSame(file);
    }
    await this.#do({ do: "remove", path, because: "rotate", sizeBytes, ino, shred: shredding(stanza) });
  }

  async #do(step: RotationStep): Promise<void> {
    await doStep(step, null, {
      directories: this.#directories,
      threads: this.#threads,
      identity: null,
      stamp: "disk",
      mailCommand: [],
      inherit: false,
      signal: this.#signal,
    });
  }

  // Between plan and deed somebody may have put another file or a link there: only the very file that was planned is touched,
  // and only while its name is that of a generation. A name that is a link is itself looked at, never what it leads to.
  #mustBeTheSame({ path, dev, ino }: GenerationFact): void {
    const stat = lstatSync(this.#directories.at(path));
    if (!stat.isFile() || stat.dev !== dev || stat.ino !== ino || stat.nlink !== 1)
      throw new Error(`${path} is not the file that was planned any more: it is left alone`);
    if (this.#coverage.generation(path) === null) throw new Error(`${path} is no generation of a log`);
  }

  #stanzaOf({ path }: GenerationFact): LogStanza {
    const log = this.#coverage.generation(path)?.log;
    const stanza = this.#rotation.stanzas.find((each) => log !== undefined && each.logs.includes(log));
    if (stanza === undefined) throw new Error(`${path} is no generation of a log`);
    return stanza;
  }
}

function shredding({ settings }: LogStanza): number | null {
  return settings.shred ? settings.shredCycles : null;
}
