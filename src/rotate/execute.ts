// Walks the plans of one stanza: scripts and renames in order, compression beside them. It decides nothing but what a failure
// means: it ends the log's rotation, and with `sharedscripts` the rotation of all of the stanza's logs.
import { setImmediate as nextTurn } from "node:timers/promises";
import { describeError } from "../core/errors.ts";
import { isLight } from "./compress.ts";
import type { Notes } from "./journal.ts";
import { logIsMoved, type Replay, restOfStep } from "./replay.ts";
import { shortened } from "./shorten/plan.ts";
import {
  doStep,
  doStepNow,
  isDoneNow,
  runScript,
  ScriptError,
  type StepContext,
  type StepResult,
} from "./step.ts";
import type { LogPlan, RotationStep, ScriptStep, StanzaPlan } from "./types.ts";

/** Lets so many pieces of work run at once; the others wait their turn. */
export type Pool = <T>(work: () => Promise<T>) => Promise<T>;

export type LogOutcome = {
  readonly plan: LogPlan;
  /** The log itself has been moved or copied: it counts as rotated now, whatever came after. */
  readonly rotated: boolean;
  readonly failure: string | null;
  /** Bytes that came while the last of a copied log was copied. */
  readonly bytesAtRisk: number;
  /** What the administrator should read although all went well. */
  readonly remark: string | null;
};

export type StanzaRun = {
  /** Settled once everything is done, compression too. */
  readonly outcomes: Promise<readonly LogOutcome[]>;
};

export type ExecuteContext = StepContext & {
  /** For compression by a command. */
  readonly pool: Pool;
  /** For compression that mostly waits for the disk. */
  readonly lightPool: Pool;
  /** Where it is noted what has been done. */
  readonly notes: Notes;
  /** Set when a run that was cut short is being finished: what is over is passed by. */
  readonly replay: Replay | null;
};

// After so many logs whatever else waits in this process has its turn: signals, a console, compression that has ended.
const LOGS_PER_TURN = 64;

type Track = {
  readonly plan: LogPlan;
  /** The plan's steps before and after the log itself is moved, the way shortened. */
  readonly before: readonly RotationStep[];
  readonly after: readonly RotationStep[];
  /** Its place among the stanza's logs that rotate, for notes. */
  readonly index: number;
  /** Moved before this run, when this run finishes another. */
  readonly moved: boolean;
  /** So many steps of `before` have been walked already. */
  ahead: number;
  rotated: boolean;
  failure: string | null;
  bytesAtRisk: number;
  remark: string | null;
};

/**
 * Executes the plans of one stanza. Returns when scripts and renames are over, with the rest still running, unless the
 * stanza has a `lastaction`, which runs after everything else.
 */
export async function executeStanza(plans: readonly LogPlan[], context: ExecuteContext): Promise<StanzaRun> {
  const stanza = plans[0]?.stanza;
  const tracks = plans
    .filter((plan) => plan.verdict === "rotate")
    .map((plan, index): Track => {
      // A run that is being finished is held against the plan as it was written down.
      const { before, after } = context.replay === null ? shortened(plan) : plan;
      return {
        plan,
        before,
        after,
        index,
        moved: wasMoved(plan, index, context),
        ahead: 0,
        rotated: false,
        failure: null,
        bytesAtRisk: 0,
        remark: null,
      };
    });
  const done = (): StanzaRun => ({ outcomes: Promise.resolve(tracks) });
  if (stanza === undefined) return done();
  if (tracks.length === 0) return { outcomes: Promise.resolve(await aroundNothing(plans[0]!, context)) };

  const first = await script(stanza.firstaction, stanza, context);
  if (first !== null) {
    // One of the logs carries what the script's failure is, the others that they were not rotated for it.
    for (const track of tracks) track.failure = track.index === 0 ? first : `not done, since: ${first}`;
    return done();
  }
  await compressAhead(tracks, context);
  const pending: Promise<void>[] = [];
  if (stanza.shared) pending.push(...(await walkShared(tracks, context)));
  else {
    for (const track of tracks) {
      if (track.index % LOGS_PER_TURN === LOGS_PER_TURN - 1) await nextTurn();
      if (waitsForNothing(track, context)) moveNow(track, context);
      else await walkOne(track, context);
      if (track.after.length === 0) continue;
      const after = walk(track, track.after, context);
      if (runsCommands(track.after)) await after;
      pending.push(after);
    }
  }
  const settled = Promise.all(pending);
  if (stanza.lastaction !== null) {
    await settled;
    const last = await script(stanza.lastaction, stanza, context);
    // The logs are rotated all the same; one of them carries the message.
    if (last !== null) tracks[0]!.failure ??= last;
  }
  return { outcomes: settled.then(() => tracks) };
}

// Logs were due, and something was in the way of each: what belongs to the stanza as a whole runs all the same.
async function aroundNothing(plan: LogPlan, context: ExecuteContext): Promise<readonly LogOutcome[]> {
  const failure =
    (await script(plan.stanza.firstaction, plan.stanza, context)) ??
    (await script(plan.stanza.lastaction, plan.stanza, context));
  return failure === null ? [] : [{ plan, rotated: false, failure, bytesAtRisk: 0, remark: null }];
}

function wasMoved(plan: LogPlan, index: number, { replay, identity, directories }: ExecuteContext): boolean {
  return replay !== null && logIsMoved(plan, index, replay, identity, directories);
}

// What is to be done of a step: all of it, unless it belongs to a run that was cut short.
function restOf(
  step: RotationStep,
  { replay, identity, directories }: ExecuteContext,
): readonly RotationStep[] {
  return replay === null ? [step] : restOfStep(step, replay, identity, directories);
}

// Compression that was put off last time comes first and touches nothing else, so all logs do it at once; unless a pattern
// takes a generation for a log, or a script of the administrator's goes with it or has its say before.
async function compressAhead(tracks: readonly Track[], context: ExecuteContext): Promise<void> {
  if (tracks.some(({ plan }) => plan.prerotate !== null || plan.stanza.prerotate !== null)) return;
  const first = tracks.filter(({ before }) => before[0]?.do === "compress");
  if (first.length === 0) return;
  const logs = new Set(tracks.map((track) => track.plan.log));
  const tangled = first.some((track) =>
    leading(track).some((step) => step.do === "compress" && logs.has(step.from)),
  );
  if (tangled || first.some((track) => runsCommands(leading(track)))) return;
  await Promise.all(
    first.map((track) => {
      const steps = leading(track);
      track.ahead = steps.length;
      return walk(track, steps, context);
    }),
  );
}

function leading({ before }: Track): readonly RotationStep[] {
  const end = before.findIndex((step) => step.do !== "compress");
  return end < 0 ? before : before.slice(0, end);
}

// Whether the log can be moved on the spot: no script, no compression and no mail comes before that.
function waitsForNothing({ plan, before, ahead }: Track, { replay }: ExecuteContext): boolean {
  if (replay !== null || plan.prerotate !== null || plan.postrotate !== null) return false;
  for (let at = ahead; at < before.length; at++) if (!isDoneNow(before[at]!)) return false;
  return plan.rotate.every(isDoneNow);
}

// As `walkOne`, for a log that waits for nothing. Thousands of logs are such, and a promise for each costs more than their plans.
function moveNow(track: Track, context: ExecuteContext): void {
  walkNow(track, track.before, track.ahead, context);
  walkNow(track, track.plan.rotate, 0, context);
  noteMoved(track, context);
}

function walkNow(track: Track, steps: readonly RotationStep[], from: number, context: ExecuteContext): void {
  for (let at = from; at < steps.length && track.failure === null; at++) {
    const step = steps[at]!;
    try {
      count(track, doStepNow(step, track.plan.seen, context)!);
    } catch (error) {
      track.failure = explain(step, error, track.plan.stanza);
    }
  }
}

async function walkOne(track: Track, context: ExecuteContext): Promise<void> {
  const { plan } = track;
  // Before anything is renumbered: a script that fails keeps the log and its generations as they are.
  if (!track.moved) track.failure = await script(plan.prerotate, plan.stanza, context, `${track.index}:`);
  await walk(track, track.before.slice(track.ahead), context);
  if (!(await move(track, context))) return;
  track.failure = await script(plan.postrotate, plan.stanza, context, `${track.index}:`);
}

async function walkShared(tracks: readonly Track[], context: ExecuteContext): Promise<Promise<void>[]> {
  const { stanza } = tracks[0]!.plan;
  const { prerotate, postrotate } = stanza;
  const spread = (why: string | null): boolean => {
    const broken = why ?? tracks.find((track) => track.failure !== null)?.failure ?? null;
    // One of the logs carries what a script's failure is, the others that they share it.
    if (why !== null) tracks[0]!.failure ??= why;
    if (broken !== null)
      for (const track of tracks)
        track.failure ??= `not done, since the stanza shares its scripts and: ${broken}`;
    return broken !== null;
  };
  if (!tracks.some((track) => track.moved) && spread(await script(prerotate, stanza, context))) return [];
  for (const track of tracks) await walk(track, track.before.slice(track.ahead), context);
  if (spread(null)) return [];
  for (const track of tracks) {
    if (!(await move(track, context))) break;
  }
  if (spread(null) || spread(await script(postrotate, stanza, context))) return [];
  const commanded = (track: Track): boolean => runsCommands(track.after);
  const after = inTurn(tracks, commanded, (track) => walk(track, track.after, context));
  if (tracks.some(commanded)) await after;
  return [after];
}

// Moves the log itself; whether that is done now.
async function move(track: Track, context: ExecuteContext): Promise<boolean> {
  const { rotate } = track.plan;
  await walk(track, track.moved ? rotate.filter((step) => step.do === "create") : rotate, context);
  return noteMoved(track, context);
}

function noteMoved(track: Track, { notes }: ExecuteContext): boolean {
  track.rotated = track.failure === null;
  if (track.rotated && track.plan.rotate.some((step) => step.do === "copy"))
    notes.done(`${track.index}:moved`);
  return track.rotated;
}

// Does work for all logs at once, unless it runs the administrator's own commands: those come one by one, in order.
async function inTurn(
  tracks: readonly Track[],
  ordered: (track: Track) => boolean,
  work: (track: Track) => Promise<void>,
): Promise<void> {
  if (!tracks.some(ordered)) {
    await Promise.all(tracks.map(work));
    return;
  }
  for (const track of tracks) await work(track);
}

function runsCommands(steps: readonly RotationStep[]): boolean {
  return steps.some(
    (step) =>
      step.do === "script" || step.do === "mail" || (step.do === "compress" && step.preremove !== null),
  );
}

async function walk(track: Track, steps: readonly RotationStep[], context: ExecuteContext): Promise<void> {
  for (const step of steps) {
    if (track.failure !== null) return;
    try {
      for (const rest of restOf(step, context)) {
        const { seen } = track.plan;
        const work = (): Promise<StepResult> => doStep(rest, seen, context);
        count(track, doStepNow(rest, seen, context) ?? (await poolFor(rest, context)(work)));
      }
    } catch (error) {
      track.failure = explain(step, error, track.plan.stanza);
    }
  }
}

function count(track: Track, { bytesAtRisk, remark }: StepResult): void {
  track.bytesAtRisk += bytesAtRisk;
  if (remark !== null) track.remark = remark;
}

// Compression that takes a core is bounded by the cores; small files only wait for the disk, and do so together.
function poolFor(step: RotationStep, { pool, lightPool }: ExecuteContext): Pool {
  if (step.do !== "compress") return (work) => work();
  return isLight(step.with, step.sizeBytes) ? lightPool : pool;
}

// The step and what the system said of it; the system's own text names files by descriptor, which helps nobody.
function explain(step: RotationStep, error: unknown, stanza: StanzaPlan): string {
  const text = describeError(error).replace(/^([A-Z0-9]+: [^,]*), \w+ '\/proc\/self.*$/, "$1");
  if (error instanceof ScriptError) return `${purpose(error.step, stanza)}: ${text}`;
  if (step.do === "script" || step.do === "mail") return text;
  if (step.do === "compress") return `failed to compress log ${step.from}: ${text}`;
  return `${step.do} ${"from" in step ? `${step.from} to ${step.to}` : step.path}: ${text}`;
}

// What a script that failed was for, in logrotate's words, which monitoring looks for.
function purpose(step: ScriptStep, { patternText, shared }: StanzaPlan): string {
  const pattern = patternText.trim();
  if (step.name === "firstaction") return `error running first action script for ${pattern}`;
  if (step.name === "lastaction") return `error running last action script for ${pattern}`;
  if (step.name === "preremove")
    return `error running preremove script for ${step.args[0]} of '${pattern}'. Not removing this file`;
  return shared
    ? `error running shared ${step.name} script for '${pattern}'`
    : `error running non-shared ${step.name} script for ${step.args[0]} of '${pattern}'`;
}

// Why a script failed; null when it did not, or when there is none. `of` tells the scripts of several logs apart.
async function script(
  step: ScriptStep | null,
  stanza: StanzaPlan,
  context: ExecuteContext,
  of = "",
): Promise<string | null> {
  if (step === null || context.replay?.done.has(of + step.name)) return null;
  try {
    await runScript(step, context);
    context.notes.done(of + step.name);
    return null;
  } catch (error) {
    return `${purpose(step, stanza)}: ${describeError(error)}`;
  }
}

/** A pool that runs at most `limit` pieces of work at once, in the order they came. */
export function makePool(limit: number): Pool {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}
