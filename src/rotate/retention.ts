// Keeps groups of files in bounds that no rotation names: looks, plans, does. The plan is in retention/plan.ts.
import { lstatSync } from "node:fs";
import { availableParallelism } from "node:os";
import { describeError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import { Directories } from "./directories.ts";
import { expandPattern, Listings } from "./glob/expand.ts";
import { factOf } from "./inventory.ts";
import { bytesOf } from "./names/bytes.ts";
import {
  planRetention,
  type RetentionLimits,
  type RetentionPlan,
  type RetentionStep,
} from "./retention/plan.ts";
import { SqueezeThreads } from "./squeeze/threads.ts";
import { doStep } from "./step.ts";
import type { FileFact, Rotation } from "./types.ts";
import { openForWriting } from "./writers.ts";

export type RetentionGroup = RetentionLimits & {
  readonly name: string;
  /** Absolute paths with wildcards. */
  readonly paths: readonly string[];
};

export type GroupPlan = RetentionPlan & { readonly group: string };

/** What would be removed and compressed now, group by group. Changes nothing. */
export function planGroups(groups: readonly RetentionGroup[], rotation: Rotation, now: Date): GroupPlan[] {
  if (groups.length === 0) return [];
  const listings = new Listings();
  const found = groups.map((group) => ({ group, files: filesOf(group, listings) }));
  const wanted = new Set(found.flatMap(({ files }) => files.map((file) => file.path)));
  const busy = new Set(openForWriting((path) => wanted.has(path)).map((writer) => writer.path));
  for (const log of rotation.stanzas.flatMap((stanza) => stanza.logs)) busy.add(log);
  return found.map(({ group, files }) => ({ group: group.name, ...planRetention(group, files, busy, now) }));
}

/** Removes and compresses what the plan says; one file's failure is an event. */
export async function runGroups(
  groups: readonly RetentionGroup[],
  rotation: Rotation,
  now: Date,
  emit: Emit,
): Promise<{ removed: number; failed: number; bytesFreed: number }> {
  const done = { removed: 0, failed: 0, bytesFreed: 0 };
  using directories = new Directories();
  await using threads = new SqueezeThreads(availableParallelism());
  for (const { group, steps } of planGroups(groups, rotation, now)) {
    for (const step of steps) {
      const { path, sizeBytes } = step.file;
      try {
        await execute(step, directories, threads);
      } catch (error) {
        done.failed++;
        const why = `${step.do} for retention.${group}: ${describeError(error)}`;
        emit({
          type: "rotation.failed",
          log: path,
          why,
          mend: "check the rights of the file and of its directory",
        });
        continue;
      }
      if (step.do !== "remove") continue;
      done.removed++;
      done.bytesFreed += sizeBytes;
      emit({ type: "log.pruned", path, sizeBytes, because: `${step.because} of retention.${group}` });
    }
  }
  return done;
}

function filesOf(group: RetentionGroup, listings: Listings): FileFact[] {
  const paths = new Set(group.paths.flatMap((pattern) => expandPattern(pattern, listings).paths));
  return [...paths].flatMap((path) => {
    const stat = lstatSync(bytesOf(path), { throwIfNoEntry: false });
    return stat === undefined ? [] : [factOf(path, stat)];
  });
}

async function execute(
  step: RetentionStep,
  directories: Directories,
  threads: SqueezeThreads,
): Promise<void> {
  const { file } = step;
  const context = {
    directories,
    threads,
    identity: null,
    stamp: "retention",
    mailCommand: [],
    inherit: false,
  };
  if (step.do === "remove") {
    const remove = {
      do: "remove",
      path: file.path,
      because: "maxage",
      sizeBytes: file.sizeBytes,
      ino: file.ino,
      shred: null,
    } as const;
    await doStep(remove, null, context);
    return;
  }
  const compress = {
    do: "compress",
    from: file.path,
    to: step.to,
    with: { command: "gzip", options: [] },
    sizeBytes: file.sizeBytes,
    ino: file.ino,
    times: file,
    preremove: null,
    shred: null,
  } as const;
  await doStep(compress, null, context);
}
