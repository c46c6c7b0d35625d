// What `logrotate -v` and `-d` say, from the plan that is about to be walked: scripts that read logrotate's output find
// its phrases here, in its order.
import { showable } from "../core/hostile.ts";
import { dateFormatOf, formatStamp, stampMoment } from "../rotate/names/match.ts";
import type { LogPlan, LogStanza, RotationStep, Settings, StanzaPlan } from "../rotate/types.ts";

/** One thing to say: a line of the account, or an error about one log. */
export type Said =
  | { readonly kind: "line"; readonly text: string }
  | { readonly kind: "error"; readonly text: string; readonly plan: LogPlan };

/** What is said about one stanza, in order. */
export function wordsOfStanza(
  stanza: LogStanza,
  plans: readonly LogPlan[],
  now: Date,
  force: boolean,
): readonly Said[] {
  const said: Said[] = [
    ...lines([
      "",
      `rotating pattern: ${stanza.patternText} ${headline(stanza.settings, force)} ${manners(stanza.settings)}`,
    ]),
  ];
  if (plans.length === 0) said.push(...lines(["No logs found. Rotation not needed."]));
  for (const plan of plans) said.push(...considering(plan, now));
  const due = plans.filter((plan) => plan.verdict === "rotate");
  const first = plans[0]?.stanza;
  const any = due.length > 0 || plans.some((plan) => plan.blocked);
  said.push(...whole("first action", first?.firstaction, any));
  for (const plan of plans) if (plan.blocked) said.push(...blocked(plan, stanza.settings, now));
  const work =
    first?.shared === true
      ? sharedWork(first, due, stanza.settings, now)
      : eachWork(due, stanza.settings, now);
  said.push(...work);
  said.push(...whole("last action", first?.lastaction, any));
  return said;
}

function line(text: string): Said {
  return { kind: "line", text: `${showable(text).replaceAll("\\x0a", "\n")}\n` };
}

function lines(texts: readonly string[]): Said[] {
  return texts.map(line);
}

function whole(name: string, there: unknown, any: boolean, not = "will be"): Said[] {
  if (there === undefined || there === null) return [];
  return lines([any ? `running ${name} script` : `not running ${name} script, since no logs ${not} rotated`]);
}

// With sharedscripts, each phase is done for all logs before the next begins.
function sharedWork(
  stanza: StanzaPlan,
  due: readonly LogPlan[],
  settings: Readonly<Settings>,
  now: Date,
): Said[] {
  const any = due.length > 0;
  return [
    ...whole("prerotate", stanza.prerotate, any),
    ...due.flatMap((plan) => lines([...rotating(plan, settings, now), ...plan.before.flatMap(stepWords)])),
    ...lines(due.flatMap((plan) => plan.rotate.flatMap(stepWords))),
    ...whole("postrotate", stanza.postrotate, any, "were"),
    ...lines(due.flatMap((plan) => plan.after.flatMap(stepWords))),
  ];
}

function eachWork(due: readonly LogPlan[], settings: Readonly<Settings>, now: Date): Said[] {
  return due.flatMap((plan) =>
    lines([
      ...(plan.prerotate === null ? [] : ["running prerotate script"]),
      ...rotating(plan, settings, now),
      ...plan.before.flatMap(stepWords),
      ...plan.rotate.flatMap(stepWords),
      ...(plan.postrotate === null ? [] : ["running postrotate script"]),
      ...plan.after.flatMap(stepWords),
    ]),
  );
}

function blocked(plan: LogPlan, settings: Readonly<Settings>, now: Date): Said[] {
  return [...lines(rotating(plan, settings, now)), { kind: "error", text: plan.why, plan }];
}

function headline(settings: Readonly<Settings>, force: boolean): string {
  const { criterion } = settings;
  const when = force
    ? "forced from command line"
    : criterion === "daily"
      ? "after 1 days"
      : criterion === "size"
        ? `${settings.sizeBytes} bytes`
        : criterion === "minutes"
          ? `every ${settings.everyMinutes} minutes`
          : criterion;
  return when;
}

function manners(settings: Readonly<Settings>): string {
  const { olddir, ifEmpty, minSizeBytes, maxSizeBytes, minAgeDays } = settings;
  return [
    ...(olddir === null ? [] : [`olddir is ${olddir}`]),
    ifEmpty ? "empty log files are rotated" : "empty log files are not rotated",
    ...(minSizeBytes > 0 ? [`only log files >= ${minSizeBytes} bytes are rotated`] : []),
    ...(maxSizeBytes > 0 ? [`log files >= ${maxSizeBytes} are rotated earlier`] : []),
    ...(minAgeDays > 0 ? [`only log files older than ${minAgeDays} days are rotated`] : []),
    ...fate(settings),
  ].join(", ");
}

// What becomes of old logs.
function fate({ rotate, maxAgeDays, mail }: Readonly<Settings>): string[] {
  if (rotate < 0 && maxAgeDays === 0) return ["old logs are kept forever"];
  return [
    ...(mail === null ? [] : [`old logs mailed to ${mail}`]),
    ...(rotate === 0
      ? ["no old logs will be kept"]
      : [
          rotate < 0 ? "(unlimited rotations)" : `(${rotate} rotations)`,
          `old logs are removed${maxAgeDays > 0 ? ` after ${maxAgeDays} days` : ""}`,
        ]),
  ];
}

function considering(plan: LogPlan, now: Date): Said[] {
  const { seen, log } = plan;
  const told = [`considering log ${log}`];
  const fresh = plan.lastRotated === null ? ["Creating new state"] : [];
  if (plan.verdict === "fail" && !plan.blocked) {
    const text = trouble(plan);
    const error: Said = { kind: "error", text, plan };
    return seen === null ? [...lines(told), error, ...lines(fresh)] : [...lines(told), error];
  }
  if (seen === null) return lines([...told, `  log ${log} does not exist -- skipping`, ...fresh]);
  told.push(...fresh);
  if (seen.kind === "link") {
    return lines([
      ...told,
      `  log ${log} is symbolic link. Rotation of symbolic links is not allowed to avoid security issues -- skipping.`,
    ]);
  }
  if (/^\d+ hard links/.test(plan.why)) {
    return lines([
      ...told,
      `  log ${log} has multiple (${seen.links}) hard links. Rotation of files with multiple hard links is not allowed for ${plan.stanza.patternText} -- skipping.`,
    ]);
  }
  if (plan.why === "not a regular file" || plan.why.startsWith("the same file as ")) {
    return lines([...told, `  log ${log} is ${plan.why} -- skipping.`]);
  }
  const last = plan.lastRotated === null ? null : new Date(plan.lastRotated);
  const lastText = last === null ? `${moment(now).slice(0, -2)}00` : moment(last);
  told.push(`  Now: ${moment(now)}`, `  Last rotated at ${lastText}`);
  if (plan.why.startsWith("last rotated in the future"))
    told.push(`log ${log} last rotated in the future -- rotation forced`);
  told.push(
    plan.verdict === "skip"
      ? `  log does not need rotating (${reason(plan.why, lastText)})`
      : "  log needs rotating",
  );
  return lines(told);
}

// Why a log could not be looked after, in logrotate's phrases.
function trouble({ log, seen, stanza, why }: LogPlan): string {
  const insecure = /^parent directory (.*) has insecure permissions \((.*)\)$/s.exec(why);
  if (insecure !== null)
    return `skipping "${log}" because parent directory has insecure permissions: ${insecure[1]}: ${insecure[2]}`;
  const olddir = /^olddir (.*) (does not exist|is not a directory|is on another device)$/s.exec(why);
  if (olddir !== null) {
    const [, path, what] = olddir;
    const at = `${stanza.place.file}:${stanza.place.line}`;
    if (what === "does not exist")
      return `${at} error verifying olddir path ${path}: No such file or directory: ${log} is not rotated`;
    if (what === "is not a directory")
      return `${at} olddir path ${path} is not a directory: ${log} is not rotated`;
    return `${at} olddir ${path} and log file ${log} are on different devices`;
  }
  return seen === null ? `stat of ${log} failed: ${why}` : `skipping "${log}" because ${why}`;
}

// How our reason begins → logrotate's phrase.
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/^(already rotated this hour|never seen before)/, "log has already been rotated"],
  [/^already rotated today/, "log has been rotated at LAST, which is less than a day ago"],
  [/^weekly:/, "log has been rotated at LAST, which is less than a week ago"],
  [/^already rotated this month/, "log has been rotated at LAST, which is less than a month ago"],
  [/^already rotated this year/, "log has been rotated at LAST, which is less than a year ago"],
  [/below size /, "log size is below the 'size' threshold"],
  [/below minsize /, "'minsize' directive is used and the log size is smaller than the minsize value"],
  [/^younger than minage/, "'minage' directive is used and the log age is smaller than the minage days"],
  [/^the log is empty/, "log is empty"],
];

function reason(why: string, last: string): string {
  const phrase = REASONS.find(([ours]) => ours.test(why))?.[1];
  return phrase === undefined ? why : phrase.replace("LAST", last);
}

function rotating(plan: LogPlan, settings: Readonly<Settings>, now: Date): string[] {
  const suffix = formatStamp(dateFormatOf(settings), stampMoment(settings, now));
  return [
    `rotating log ${plan.log}, log->rotateCount is ${settings.rotate}`,
    ...(settings.dateExt ? [`dateext suffix '${suffix}'`] : []),
  ];
}

function stepWords(step: RotationStep): string[] {
  switch (step.do) {
    case "script":
      return [`running ${step.name} script`];
    case "mkdir": {
      const { mode, uid, gid } = step.attributes;
      const owner = `${uid === null ? "" : ` uid = ${uid}`}${gid === null ? "" : ` gid = ${gid}`}`;
      return [`creating new ${step.path} mode = 0${(mode ?? 0o755).toString(8)}${owner}`];
    }
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
