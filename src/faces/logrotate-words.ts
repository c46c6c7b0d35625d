// What `logrotate -v` and `-d` say, from the plan that is about to be walked: scripts that read logrotate's output find
// its phrases here.
import { showable } from "../core/hostile.ts";
import type { LogPlan, LogStanza, RotationStep, Settings } from "../rotate/types.ts";

/** The lines about one stanza, each ended by a newline. */
export function wordsOfStanza(
  stanza: LogStanza,
  plans: readonly LogPlan[],
  now: Date,
  force: boolean,
): string {
  const lines = [
    "",
    `rotating pattern: ${stanza.patternText} ${headline(stanza.settings, force)}`,
    manners(stanza.settings),
  ];
  if (plans.length === 0) lines.push("No logs found. Rotation not needed.");
  for (const plan of plans) lines.push(...considering(plan, now));
  const due = plans.filter((plan) => plan.verdict === "rotate");
  const { firstaction, prerotate, postrotate, lastaction } = plans[0]?.stanza ?? {};
  const shared = (name: string, there: unknown): string[] => {
    if (there === undefined || there === null) return [];
    return due.length > 0
      ? [`running ${name} script`]
      : [`not running ${name} script, since no logs will be rotated`];
  };
  lines.push(...shared("first action", firstaction));
  lines.push(...shared("prerotate", prerotate));
  for (const plan of due) lines.push(...rotating(plan, stanza.settings));
  lines.push(...shared("postrotate", postrotate));
  lines.push(...shared("last action", lastaction));
  return lines.map((line) => `${showable(line).replaceAll("\\x0a", "\n")}\n`).join("");
}

function headline(settings: Readonly<Settings>, force: boolean): string {
  const { criterion, rotate } = settings;
  const when = force
    ? "forced from command line"
    : criterion === "daily"
      ? "after 1 days"
      : criterion === "size"
        ? `${settings.sizeBytes} bytes`
        : criterion === "minutes"
          ? `every ${settings.everyMinutes} minutes`
          : criterion;
  const kept =
    rotate > 0
      ? `(${rotate} rotations)`
      : rotate === 0
        ? "(no old logs will be kept)"
        : "(unlimited rotations)";
  return `${when} ${kept}`;
}

function manners(settings: Readonly<Settings>): string {
  const { olddir, ifEmpty, minSizeBytes, maxSizeBytes, minAgeDays, mail } = settings;
  return [
    ...(olddir === null ? [] : [`olddir is ${olddir}`]),
    ifEmpty ? "empty log files are rotated" : "empty log files are not rotated",
    ...(minSizeBytes > 0 ? [`only log files >= ${minSizeBytes} bytes are rotated`] : []),
    ...(maxSizeBytes > 0 ? [`log files >= ${maxSizeBytes} are rotated earlier`] : []),
    ...(minAgeDays > 0 ? [`only log files older than ${minAgeDays} days are rotated`] : []),
    mail === null ? "old logs are removed" : `old logs mailed to ${mail}`,
  ].join(", ");
}

function considering(plan: LogPlan, now: Date): string[] {
  const lines = [`considering log ${plan.log}`];
  const { seen, log } = plan;
  if (plan.verdict === "fail") {
    lines.push(
      seen === null
        ? `error: stat of ${log} failed: ${plan.why}`
        : `error: skipping "${log}" because ${plan.why}`,
    );
    return lines;
  }
  if (seen === null) return [...lines, `  log ${log} does not exist -- skipping`];
  if (seen.kind === "link") {
    return [
      ...lines,
      `  log ${log} is symbolic link. Rotation of symbolic links is not allowed to avoid security issues -- skipping.`,
    ];
  }
  const last = plan.lastRotated === null ? null : new Date(plan.lastRotated);
  lines.push(`  Now: ${moment(now)}`);
  lines.push(`  Last rotated at ${last === null ? `${moment(now).slice(0, -2)}00` : moment(last)}`);
  lines.push(
    plan.verdict === "rotate" ? "  log needs rotating" : `  log does not need rotating (${plan.why})`,
  );
  return lines;
}

function rotating(plan: LogPlan, settings: Readonly<Settings>): string[] {
  const say = (steps: readonly RotationStep[]): string[] => steps.flatMap(stepWords);
  return [
    `rotating log ${plan.log}, log->rotateCount is ${settings.rotate}`,
    ...say(plan.before),
    ...(plan.prerotate === null ? [] : ["running prerotate script"]),
    ...say(plan.rotate),
    ...(plan.postrotate === null ? [] : ["running postrotate script"]),
    ...say(plan.after),
  ];
}

function stepWords(step: RotationStep): string[] {
  switch (step.do) {
    case "script":
      return [`running ${step.name} script`];
    case "mkdir":
      return [`creating directory ${step.path}`];
    case "compress":
      return [
        `compressing log with: ${step.with.command}`,
        ...(step.preremove === null ? [] : ["running preremove script"]),
      ];
    case "rename":
      return [`renaming ${step.from} to ${step.to}`];
    case "remove":
      return [`removing old log ${step.path}`];
    case "create":
      return [
        `creating new ${step.path} mode = 0${step.mode.toString(8)} uid = ${step.uid} gid = ${step.gid}`,
      ];
    case "copy":
      return [
        `copying ${step.from} to ${step.to}`,
        `${step.truncate ? "truncating" : "Not truncating"} ${step.from}`,
      ];
    case "truncate":
      return [`truncating ${step.path}`];
    case "unlink":
      return [`removing tmp log ${step.path}`];
    case "mail":
      return [`mailing ${step.path} to ${step.to}`];
  }
}

function moment(at: Date): string {
  const two = (count: number): string => String(count).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
}
