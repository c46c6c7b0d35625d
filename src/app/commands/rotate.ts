// Rotation by hand: what is due now, or what would be done and why.
import { readFileSync } from "node:fs";
import { systemClock } from "../../core/clock.ts";
import { describeError, formatFault } from "../../core/errors.ts";
import type { EventBody } from "../../core/events.ts";
import { showable } from "../../core/hostile.ts";
import { lookAtCoverage } from "../../disk/coverage.ts";
import { growthOf } from "../../disk/growth/decide.ts";
import { differences, readPlans } from "../../rotate/apply.ts";
import { settingsInForce } from "../../rotate/explain.ts";
import { RotationProgress } from "../../rotate/progress.ts";
import { renderPlans } from "../../rotate/render.ts";
import { type GroupPlan, planGroups, runGroups } from "../../rotate/retention.ts";
import {
  coveredBy,
  loadRotation,
  planRotations,
  type RotateOptions,
  type Rotation,
  runRotations,
} from "../../rotate/run.ts";
import { tuneForRotation } from "../../rotate/tuning.ts";
import { Bus } from "../bus.ts";
import type { CommandCall } from "../catalogue.ts";
import { coverageLines, renderCoverage } from "../coverage-text.ts";
import { coveringOf } from "../covering.ts";
import { samplesOf } from "../disk-samples.ts";
import { openHistory } from "../history.ts";
import { gatherSettings, type Settings } from "../settings.ts";
import { formatBytes, table, widthOf } from "../terminal.ts";
import { ProgressLine } from "./rotate-progress.ts";

export async function run({ values, operands }: CommandCall): Promise<number> {
  tuneForRotation();
  const settings = gatherSettings(values["config"] as string | undefined);
  const json = values["json"] === true;
  // Without any configuration no log is covered, which is an answer.
  if (settings.rotateConfigs.length === 0 && values["uncovered"] !== true) {
    complain(
      `telltale rotate: ${settings.config.rotate.config.join(", ")} is not there\n    mend: apt install logrotate for Debian's, or name yours under [rotate] config`,
    );
    return 1;
  }
  const options = {
    configs: settings.rotateConfigs,
    statePath: settings.rotateState,
    now: systemClock.now(),
    force: values["force"] === true,
    ...(operands.length > 0 && { only: operands }),
  };
  const rotation = await loadRotation(options);
  const faults = [...settings.faults, ...rotation.faults];
  for (const fault of faults) complain(formatFault(fault));

  if (values["explain"] === true) return explain(rotation, operands, json);
  if (values["uncovered"] === true) return await uncovered(settings, rotation, json);
  const stray = operands.filter((log) => coveredBy(rotation, log) === null);
  for (const log of stray)
    complain(
      `telltale rotate: ${log} is covered by no stanza\n    mend: check its name; telltale rotate --uncovered writes stanzas`,
    );
  const work: Work = { settings, rotation, options, json };
  const amiss = faults.length > 0 || stray.length > 0;
  if (values["plan"] === true) {
    await showPlan(work);
    return amiss ? 1 : 0;
  }
  const planFile = values["apply"] as string | undefined;
  if (planFile !== undefined) {
    const logs = await approvedLogs(planFile, rotation, options);
    if (logs === null) return 1;
    Object.assign(options, { force: true, only: logs });
  }
  return (await carryOut(work)) || (amiss ? 1 : 0);
}

type Work = {
  readonly settings: Settings;
  readonly rotation: Rotation;
  readonly options: RotateOptions & { readonly now: Date };
  readonly json: boolean;
};

async function showPlan({ settings, rotation, options, json }: Work): Promise<void> {
  const plans = await planRotations(rotation, options);
  const groups =
    options.only === undefined ? planGroups(settings.config.retention, rotation, options.now) : [];
  if (json) for (const plan of [...plans, ...groups]) process.stdout.write(`${JSON.stringify(plan)}\n`);
  else {
    process.stdout.write(renderPlans(plans, widthOf(process.stdout)));
    for (const group of groups) process.stdout.write(renderGroup(group));
  }
}

// Rotates, telling each thing as it is done. Returns the exit status.
async function carryOut({ settings, rotation, options, json }: Work): Promise<number> {
  const bus = new Bus(settings.host, systemClock);
  const progress = new RotationProgress();
  using line = new ProgressLine(process.stderr, progress);
  const emit = (body: EventBody) => {
    const event = bus.stamp(body);
    line.hide();
    if (json) process.stdout.write(`${JSON.stringify(event)}\n`);
    else tell(event);
    return event;
  };
  const pruned =
    options.only === undefined
      ? await runGroups(settings.config.retention, rotation, options.now, emit)
      : null;
  const summary = await runRotations(rotation, { ...options, progress }, emit);
  line.hide();
  const idle = summary.rotated === 0 && summary.failed === 0 && summary.exitStatus !== 3 && !pruned?.removed;
  if (!json && idle) process.stdout.write("Nothing was due.\n");
  return summary.exitStatus || (pruned?.failed ? 1 : 0);
}

function tell(event: EventBody): void {
  if (event.type === "log.rotated")
    process.stdout.write(
      `rotated ${showable(event.log)} to ${showable(event.to)} (${formatBytes(event.sizeBytes)}, ${showable(event.because)})\n`,
    );
  else if (event.type === "log.pruned")
    process.stdout.write(
      `removed ${showable(event.path)} (${formatBytes(event.sizeBytes)}, ${showable(event.because)})\n`,
    );
  else if (event.type === "rotation.failed")
    complain(`failed  ${event.log}: ${event.why}\n    mend: ${event.mend}`);
}

function complain(text: string): void {
  process.stderr.write(`${showable(text).replaceAll("\\x0a", "\n")}\n`);
}

async function uncovered(settings: Settings, rotation: Rotation, json: boolean): Promise<number> {
  const covering = coveringOf(rotation, settings.rotateState);
  using store = openHistory(settings);
  const growth = store === null ? new Map<string, number>() : growthOf(samplesOf(store));
  const report = await lookAtCoverage(covering, {
    roots: settings.config.rotate.roots,
    now: systemClock.now(),
    bytesPerDay: (path) => growth.get(path) ?? null,
  });
  process.stdout.write(json ? coverageLines(report) : renderCoverage(report));
  if (process.getuid?.() !== 0) {
    process.stderr.write(
      "telltale rotate: what other users' processes write was not seen\n    mend: run it as root: sudo telltale rotate --uncovered\n",
    );
  }
  return 0;
}

function renderGroup({ group, steps, files, sizeBytes, bytesFreed, spared }: GroupPlan): string {
  const lines = steps.map(
    ({ do: what, file, because }) =>
      `    ${what.padEnd(8)} ${showable(file.path)} (${formatBytes(file.sizeBytes)}, ${because})\n`,
  );
  for (const path of spared) lines.push(`    in use   ${showable(path)}: kept although over a limit\n`);
  return `retention.${showable(group)}: ${files} files, ${formatBytes(sizeBytes)}; ${formatBytes(bytesFreed)} freed\n${lines.join("")}`;
}

// For each log: the stanza that covers it, and where every setting in force was written.
function explain(rotation: Rotation, logs: readonly string[], json: boolean): number {
  if (logs.length === 0) {
    process.stderr.write(
      "telltale rotate --explain: wants a log\n    mend: telltale rotate --explain /var/log/syslog\n",
    );
    return 64;
  }
  let status = 0;
  for (const log of logs) {
    const stanza = coveredBy(rotation, log);
    if (stanza === null) {
      status = 1;
      process.stdout.write(
        json ? `${JSON.stringify({ log, stanza: null })}\n` : `${showable(log)} is covered by no stanza.\n`,
      );
      continue;
    }
    const settings = settingsInForce(stanza);
    if (json) process.stdout.write(`${JSON.stringify({ log, stanza: stanza.place, settings })}\n`);
    else {
      process.stdout.write(
        `${showable(log)} is covered by the stanza at ${showable(stanza.place.file)}:${stanza.place.line}\n`,
      );
      const rows = settings.map(({ directive, value, place }) => [
        `  ${directive}`,
        value,
        `${place.file}:${place.line}`,
      ]);
      process.stdout.write(table(["  SETTING", "VALUE", "WRITTEN AT"], rows));
      process.stdout.write("Everything else is as logrotate has it by default.\n");
    }
  }
  return status;
}

// The logs of an approved plan, or null when it is none or no longer fits; what is wrong has been said then.
async function approvedLogs(
  file: string,
  rotation: Rotation,
  options: RotateOptions,
): Promise<string[] | null> {
  let text: string;
  try {
    text = readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    process.stderr.write(`telltale rotate: ${showable(file)} cannot be read: ${describeError(error)}\n`);
    return null;
  }
  const plans = readPlans(text);
  if (plans === null) {
    process.stderr.write(
      `telltale rotate: ${showable(file)} is no plan\n    mend: telltale rotate --plan --json > PLAN\n`,
    );
    return null;
  }
  const logs = plans.map((plan) => plan.log);
  const now = await planRotations(rotation, { ...options, force: true, only: logs });
  const found = differences(plans, now);
  for (const { log, what } of found)
    process.stderr.write(`telltale rotate: the plan no longer fits ${showable(log)}: ${showable(what)}\n`);
  if (found.length === 0) return logs;
  process.stderr.write("    nothing was done. mend: look at a new plan, and apply that\n");
  return null;
}
