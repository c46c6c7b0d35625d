// Decides what one run would do to the logs of one stanza. Pure, so the dry run, the guard's preview, the journal and
// the tests all read the very plan that execute.ts walks.

import { draftLog, scriptStep } from "./draft/plan.ts";
import { decideDue, type LastRotation } from "./due/decide.ts";
import type {
  FileFact,
  LogFacts,
  LogPlan,
  LogStanza,
  ScriptName,
  ScriptStep,
  Settings,
  StanzaPlan,
} from "./types.ts";

export type PlanContext = {
  readonly now: Date;
  readonly force: boolean;
  /** Whether the rotation runs as root: then insecure directories are refused without `su`. */
  readonly privileged: boolean;
  /** Whether logrotate's own ways hold where telltale has kinder ones: see RotateOptions. */
  readonly strict: boolean;
};

/** Plans every log of a stanza, in order. `facts` are the stanza's logs as they are now. */
export function planStanza(stanza: LogStanza, facts: readonly LogFacts[], context: PlanContext): LogPlan[] {
  const shared = stanza.settings.sharedScripts;
  const whole = (name: ScriptName): ScriptStep | null => scriptStep(stanza, name, [stanza.patternText]);
  const stanzaPlan: StanzaPlan = {
    id: stanza.id,
    place: stanza.place,
    patternText: stanza.patternText,
    shared,
    su: stanza.settings.su,
    errors: stanza.settings.errors,
    firstaction: whole("firstaction"),
    prerotate: shared ? whole("prerotate") : null,
    postrotate: shared ? whole("postrotate") : null,
    lastaction: whole("lastaction"),
  };
  const seen = new Map<string, string>();
  const plans = facts.map((fact) => {
    // A link to a directory makes one log match twice: it is one log all the same, and is not rotated twice.
    const first = fact.log?.kind === "file" && fact.log.links === 1 ? seen.get(inodeOf(fact.log)) : undefined;
    if (first !== undefined) return idlePlan(stanzaPlan, fact, outcome("skip", `the same file as ${first}`));
    if (fact.log !== null) seen.set(inodeOf(fact.log), fact.path);
    return planLog(stanza, stanzaPlan, fact, context);
  });
  return shared && context.strict ? allOrNone(plans) : plans;
}

// logrotate's bargain for logs that share their scripts: where one cannot be looked after, none is rotated.
function allOrNone(plans: LogPlan[]): LogPlan[] {
  const broken = plans.find((plan) => plan.verdict === "fail");
  if (broken === undefined) return plans;
  const because = `it shares its scripts with ${broken.log}, and: ${broken.why}`;
  return plans.map((plan) => (plan.verdict === "rotate" ? heldBack(plan, because, broken.mend) : plan));
}

function heldBack({ stanza, log, lastRotated, seen }: LogPlan, because: string, mend: string): LogPlan {
  const why = `${log} is not rotated, since ${because}`;
  return { ...NOTHING, log, stanza, lastRotated, seen, ...outcome("fail", why, mend), blocked: true };
}

type Outcome = Pick<LogPlan, "verdict" | "why" | "mend">;

function outcome(verdict: LogPlan["verdict"], why: string, mend = ""): Outcome {
  return { verdict, why, mend };
}

function inodeOf(file: FileFact): string {
  return `${file.dev}:${file.ino}`;
}

const NOTHING = {
  before: [],
  rotate: [],
  after: [],
  prerotate: null,
  postrotate: null,
  finalPath: null,
  bytesFreed: 0,
};

// A plan that does nothing.
function idlePlan(stanza: StanzaPlan, facts: LogFacts, result: Outcome): LogPlan {
  return {
    log: facts.path,
    stanza,
    ...result,
    lastRotated: lastRotatedText(facts),
    seen: facts.log,
    ...NOTHING,
  };
}

function lastRotatedText({ lastRotatedMs }: LogFacts): string | null {
  return lastRotatedMs === null ? null : new Date(lastRotatedMs).toISOString();
}

function planLog(stanza: LogStanza, stanzaPlan: StanzaPlan, facts: LogFacts, context: PlanContext): LogPlan {
  const idle = (result: Outcome): LogPlan => idlePlan(stanzaPlan, facts, result);
  const { settings } = stanza;
  const obstacle = findObstacle(settings, facts, context);
  if (obstacle !== null) return idle(obstacle);
  const log = facts.log!;
  const { now, force } = context;
  const due = decideDue(settings, log, lastOf(facts, now), now, force);
  if (!due.rotate) return idle(outcome("skip", due.why));
  const drafted = draftLog(stanza, facts, log, now);
  if (typeof drafted === "string") {
    const result = idle(
      outcome(
        "fail",
        `destination ${drafted} already exists, skipping rotation`,
        `move ${drafted} away, or use a dateformat that differs from run to run`,
      ),
    );
    return { ...result, blocked: true };
  }
  const shared = settings.sharedScripts;
  // Written out, not spread together: thousands of logs have such a plan.
  return {
    log: facts.path,
    stanza: stanzaPlan,
    verdict: "rotate",
    why: due.why,
    mend: "",
    lastRotated: lastRotatedText(facts),
    seen: log,
    before: drafted.before,
    rotate: drafted.rotate,
    after: drafted.after,
    prerotate: shared ? null : scriptStep(stanza, "prerotate", [facts.path]),
    postrotate: shared ? null : scriptStep(stanza, "postrotate", [facts.path, drafted.handedPath]),
    finalPath: drafted.finalPath,
    bytesFreed: drafted.bytesFreed,
    ...(drafted.stepByStep && { stepByStep: true as const }),
  };
}

// A log never seen before counts as rotated at the start of this hour, so that its first period begins now.
function lastOf({ lastRotatedMs }: LogFacts, now: Date): LastRotation {
  return { at: new Date(lastRotatedMs ?? startOfHour(now)), isFirstSight: lastRotatedMs === null };
}

/** The stamp a log gets when it is seen for the first time, milliseconds since the epoch. */
export function startOfHour(now: Date): number {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate(), now.getHours()).getTime();
}

// What keeps a log from being looked at: the first reason, or null.
function findObstacle(settings: Readonly<Settings>, facts: LogFacts, context: PlanContext): Outcome | null {
  const { parent, log, trouble, rotationDirectory } = facts;
  if (trouble !== null) {
    return outcome("fail", trouble, "check that the path can be reached by the user that rotates it");
  }
  if (parent !== null && context.privileged && settings.su === null && insecure(parent)) {
    return outcome(
      "fail",
      `parent directory ${parent.path} has insecure permissions (it is writable by others, or by a group that is not root)`,
      "write su USER GROUP in the stanza with the user and group that own the directory",
    );
  }
  if (log === null) {
    return settings.missingOk
      ? outcome("skip", "the log does not exist (missingok)")
      : outcome("fail", "No such file or directory", "write missingok when the log may be missing");
  }
  if (log.kind === "link") return outcome("skip", "a symbolic link is never rotated");
  // logrotate takes a pipe or a socket for a log like any other, and moves it from under its reader.
  if (log.kind === "directory" || (log.kind === "other" && !context.strict))
    return outcome("skip", "not a regular file");
  if (log.links > 1 && !settings.allowHardLink) {
    return outcome("skip", `${log.links} hard links; allowhardlink would rotate it`);
  }
  if (rotationDirectory === null && settings.createOlddir === null) {
    return outcome(
      "fail",
      `olddir ${facts.scheme.directory} does not exist`,
      "make the directory, or write createolddir 0750 root adm",
    );
  }
  if (rotationDirectory !== null && rotationDirectory.kind !== "directory") {
    return outcome(
      "fail",
      `olddir ${facts.scheme.directory} is not a directory`,
      "name a directory in olddir",
    );
  }
  // Only of an olddir: on an overlay (a live system, a container) a file and its own directory may differ in device.
  const elsewhere = settings.olddir !== null && rotationDirectory?.dev !== log.dev;
  if (rotationDirectory !== null && settings.copy === "no" && elsewhere) {
    return outcome(
      "fail",
      `olddir ${facts.scheme.directory} is on another device`,
      "write renamecopy or copytruncate, or choose a directory on the same device",
    );
  }
  return null;
}

function insecure(directory: FileFact): boolean {
  return (directory.gid !== 0 && (directory.mode & 0o020) !== 0) || (directory.mode & 0o002) !== 0;
}
