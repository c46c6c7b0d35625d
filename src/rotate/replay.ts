// Tells, for one step of a rotation that was cut short, whether it had been done. Files are known by their inode, which a rename
// keeps: what stands at a path now is either the file that the step was to move, or what came after.
import { lstatSync, type Stats } from "node:fs";
import type { Directories } from "./directories.ts";
import { withIdentity } from "./identity.ts";
import type { Identity, LogPlan, RotationStep } from "./types.ts";

/** What is known of a run that was cut short. */
export type Replay = {
  /** Scripts that have run: `firstaction`, `prerotate`, …, `N:prerotate`, `N:postrotate` of the Nth log; `N:moved` for its copy. */
  readonly done: ReadonlySet<string>;
  /** When that run began, by the machine's clock: a file made later only looks like a planned one, its inode used anew. */
  readonly begunMs: number;
};

/** Whether the step is over, or can no longer be done; the steps before it are taken to be over. */
function stepIsOver(
  step: RotationStep,
  replay: Replay,
  identity: Identity | null,
  directories: Directories,
): boolean {
  const look = (path: string): Stats | undefined =>
    withIdentity(identity, () => lstatSync(directories.at(path), { throwIfNoEntry: false }));
  const waits = (path: string, planned: number | null): boolean => {
    const stat = look(path);
    return (
      stat !== undefined && (planned === null || (stat.ino === planned && stat.birthtimeMs <= replay.begunMs))
    );
  };
  switch (step.do) {
    case "compress":
      return !waits(step.from, step.ino);
    case "rename":
      // A file that had no inode when it was planned is moved only to where nothing stands.
      return !waits(step.from, step.ino) || (step.ino === null && look(step.to) !== undefined);
    case "remove":
      return !waits(step.path, step.ino);
    case "copy":
      // A copy gets its name when it is whole. Whether the log was emptied after that cannot be told: it is left, and its lines
      // stand in two generations rather than in none.
      return look(step.to) !== undefined || look(step.from) === undefined;
    case "truncate":
      return true;
    case "mail":
    case "unlink":
      return look(step.path) === undefined;
    default:
      return false;
  }
}

/** What is left to do of a step: nothing, all of it, or the end of a compression that had made its file. */
export function restOfStep(
  step: RotationStep,
  replay: Replay,
  identity: Identity | null,
  directories: Directories,
): readonly RotationStep[] {
  if (stepIsOver(step, replay, identity, directories)) return [];
  if (step.do !== "compress") return [step];
  const made = withIdentity(identity, () => lstatSync(directories.at(step.to), { throwIfNoEntry: false }));
  if (made === undefined || made.birthtimeMs < replay.begunMs) return [step];
  const { from: path, sizeBytes, ino, shred } = step;
  const remove: RotationStep = { do: "remove", path, because: "rotate", sizeBytes, ino, shred };
  return step.preremove === null ? [remove] : [step.preremove, remove];
}

/** Whether the Nth log itself had been moved or copied before the run was cut short. */
export function logIsMoved(
  plan: LogPlan,
  index: number,
  replay: Replay,
  identity: Identity | null,
  directories: Directories,
): boolean {
  const move = plan.rotate.find((step) => step.do === "rename" || step.do === "copy");
  if (move === undefined || replay.done.has(`${index}:moved`)) return true;
  return stepIsOver(move, replay, identity, directories);
}
