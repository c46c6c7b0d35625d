// Does one step of a plan. Each kind of step is one short piece of work on names resolved through open directories; what goes
// wrong is thrown, and execute.ts decides what that means for the log.
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  type PathLike,
  renameSync,
  unlinkSync,
} from "node:fs";
import { carryAccess, carryLabel, hasLabels } from "../sys/files.ts";
import { runCommand } from "./command.ts";
import { compressFile } from "./compress.ts";
import { copyLog, truncateLog } from "./copy.ts";
import type { Directories } from "./directories.ts";
import { withIdentity } from "./identity.ts";
import { mailFile } from "./mail.ts";
import { bytesOf } from "./names/bytes.ts";
import { createLike, exists, removeIfThere } from "./newfile.ts";
import type { RotationProgress } from "./progress.ts";
import type { SqueezeThreads } from "./squeeze/threads.ts";
import {
  COMPRESSOR_SAID,
  type FileFact,
  type Identity,
  type RotationStep,
  type ScriptStep,
} from "./types.ts";

export type StepContext = {
  readonly directories: Directories;
  /** Where compression goes on. */
  readonly threads: SqueezeThreads;
  readonly progress?: RotationProgress | undefined;
  readonly identity: Identity | null;
  /** For names of files moved aside. */
  readonly stamp: string;
  readonly mailCommand: readonly string[];
  /** Whether scripts write to our own stdout and stderr. */
  readonly inherit: boolean;
  /** Descriptor that scripts get as their descriptor 3. */
  readonly scriptLog?: number | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type StepResult = {
  /** Of a copied log. */
  readonly bytesAtRisk: number;
  /** What the administrator should read although the step succeeded. */
  readonly remark: string | null;
};

/** A script of the administrator's that failed: where it stands, and how it ended. */
export class ScriptError extends Error {
  readonly step: ScriptStep;

  constructor(step: ScriptStep, message: string) {
    super(message);
    this.name = "ScriptError";
    this.step = step;
  }
}

// Puts words together again that came as octal escapes, and goes on as `sh -c SCRIPT logrotate_script WORDS`. The full stop keeps
// newlines at a word's end, which `$(…)` would cut off.
const UNESCAPE = `n=$#
while [ $n -gt 0 ]; do word=$(printf '%b.' "$1"); shift; set -- "$@" "\${word%.}"; n=$((n - 1)); done
script=$1; shift; exec /bin/sh -c "$script" logrotate_script "$@"`;

// Node gives programs arguments in UTF-8 only; where a name is not, the shell makes it from what is.
function shellCall(script: string, args: readonly string[]): [string, ...string[]] {
  const words = [script, ...args];
  if (words.every((word) => word.isWellFormed())) {
    return ["/bin/sh", "-c", script, "logrotate_script", ...args];
  }
  const escaped = words.map((word) =>
    [...Buffer.from(bytesOf(word))].map((byte) => `\\0${byte.toString(8).padStart(3, "0")}`).join(""),
  );
  return ["/bin/sh", "-c", UNESCAPE, "sh", ...escaped];
}

/** Runs `/bin/sh -c` on a script, its arguments passed as arguments. Throws when it fails. */
export async function runScript(
  step: ScriptStep,
  context: Pick<StepContext, "inherit" | "scriptLog" | "signal">,
): Promise<void> {
  const { inherit, scriptLog, signal } = context;
  const result = await runCommand(shellCall(step.script.text, step.args), {
    inherit,
    extra: scriptLog,
    signal,
  });
  if (result.ok) return;
  const said = result.output.trim();
  const { file, line } = step.script.place;
  throw new ScriptError(step, `${file}:${line}: ${result.why}${said === "" ? "" : `: ${said.slice(-400)}`}`);
}

const NOTHING_TO_SAY: StepResult = { bytesAtRisk: 0, remark: null };

/**
 * Does one step. Throws what went wrong.
 * @param seen the log as it was planned, for steps that read it in place
 */
export async function doStep(
  step: RotationStep,
  seen: FileFact | null,
  context: StepContext,
): Promise<StepResult> {
  const { directories, identity, stamp, signal } = context;
  if (step.do === "script") await runScript(step, context);
  else if (step.do === "mail") await mailFile(step, context);
  else if (step.do === "remove" && step.shred !== null) await shred(step.path, step.shred, context);
  else if (step.do === "compress") {
    const work = { ...step, identity, stamp, signal };
    const { remark, bytesByCommand } = await compressFile(work, directories, context.threads);
    context.progress?.compressedByCommand(bytesByCommand);
    if (step.preremove !== null) await runScript(step.preremove, context);
    if (step.shred === null) remove(step.from, context);
    else await shred(step.from, step.shred, context);
    if (remark !== "") return { bytesAtRisk: 0, remark: `${COMPRESSOR_SAID} ${step.from}:\n${remark}` };
  } else return doStepNow(step, seen, context) ?? NOTHING_TO_SAY;
  return NOTHING_TO_SAY;
}

/** Whether the step waits for no other process or thread, so that `doStepNow` does it. */
export function isDoneNow(step: RotationStep): boolean {
  switch (step.do) {
    case "script":
    case "mail":
    case "compress":
      return false;
    case "remove":
      return step.shred === null;
    default:
      return true;
  }
}

/** As `doStep`, for steps that wait for no other process or thread; null, and nothing done, for those that do. */
export function doStepNow(
  step: RotationStep,
  seen: FileFact | null,
  context: StepContext,
): StepResult | null {
  if (!isDoneNow(step)) return null;
  const { directories, identity, stamp } = context;
  switch (step.do) {
    case "copy": {
      const work = { ...step, identity, stamp, seen: step.truncate ? seen : null };
      return { bytesAtRisk: copyLog(work, directories).bytesAtRisk, remark: null };
    }
    case "rename":
      withIdentity(identity, () => rename(step, directories));
      return NOTHING_TO_SAY;
    case "create":
      withIdentity(identity, () => create(step, directories));
      return NOTHING_TO_SAY;
    case "mkdir":
      withIdentity(identity, () => makeDirectory(step, directories));
      return NOTHING_TO_SAY;
    case "unlink":
      withIdentity(identity, () => unlinkSync(directories.at(step.path)));
      return NOTHING_TO_SAY;
    case "truncate":
      truncateLog(step.path, seen, identity, directories);
      return NOTHING_TO_SAY;
    case "remove":
      remove(step.path, context);
      return NOTHING_TO_SAY;
    default:
      return null;
  }
}

function rename(step: Extract<RotationStep, { do: "rename" }>, directories: Directories): void {
  try {
    renameSync(directories.at(step.from), directories.at(step.to));
  } catch (error) {
    if (!(step.ifThere && (error as NodeJS.ErrnoException).code === "ENOENT")) throw error;
  }
}

function create(step: Extract<RotationStep, { do: "create" }>, directories: Directories): void {
  const from = step.accessFrom ?? (hasLabels() ? step.labelFrom : null);
  const source = from === null ? null : openQuietly(directories.at(from));
  const carry = step.accessFrom === null ? carryLabel : carryAccess;
  try {
    closeSync(createLike(step.path, step, source, directories, carry));
    return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    if (source !== null) closeSync(source);
  }
  // Its writer was faster and has begun a new log: that stays, lines and all, with the owner and mode it should have.
  const flags = constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const fd = openSync(directories.at(step.path), flags);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.nlink > 1)
      throw new Error(`${step.path} was replaced while it was being rotated`);
    if (stat.uid !== step.uid || stat.gid !== step.gid) fchownSync(fd, step.uid, step.gid);
    fchmodSync(fd, step.mode);
  } finally {
    closeSync(fd);
  }
}

function openQuietly(at: PathLike): number | null {
  try {
    return openSync(at, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return null; // The user that `su` names need not be able to read the log; the new one then has its mode alone.
  }
}

function makeDirectory(step: Extract<RotationStep, { do: "mkdir" }>, directories: Directories): void {
  const at = directories.at(step.path);
  const { mode, uid, gid } = step.attributes;
  try {
    mkdirSync(at, 0o700);
  } catch (error) {
    // The log before this one has made it.
    if ((error as NodeJS.ErrnoException).code === "EEXIST" && lstatSync(at).isDirectory()) return;
    throw error;
  }
  const fd = openSync(at, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    const made = fstatSync(fd);
    if (uid !== null || gid !== null) fchownSync(fd, uid ?? made.uid, gid ?? made.gid);
    fchmodSync(fd, mode ?? 0o755);
  } finally {
    closeSync(fd);
  }
}

function remove(path: string, { directories, identity }: StepContext): void {
  withIdentity(identity, () => removeIfThere(directories.at(path)));
}

async function shred(path: string, cycles: number, context: StepContext): Promise<void> {
  const { directories, identity, signal } = context;
  // A script may have removed it before us: that is what was wanted.
  if (!withIdentity(identity, () => exists(directories.at(path)))) return;
  const fd = withIdentity(identity, () =>
    openSync(directories.at(path), constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK),
  );
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new Error(`${path} is not a regular file`);
    // A file with another name is somebody else's, too, and need not be a log at all: only this name of it goes.
    if (stat.nlink === 1) {
      // shred overwrites its standard output for `-`, so it needs no name that somebody could exchange.
      const times = cycles > 0 ? ["-n", String(cycles)] : [];
      const result = await runCommand(["shred", ...times, "-"], { stdout: fd, identity, signal });
      if (!result.ok) throw new Error(`shred ${path}: ${result.why} ${result.output.trim()}`.trimEnd());
    }
    withIdentity(identity, () => unlinkSync(directories.at(path)));
  } finally {
    closeSync(fd);
  }
}
