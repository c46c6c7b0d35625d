// How full, how fast, until when; and room made by hand.
import { bars, gauge } from "../../core/bars.ts";
import { systemClock } from "../../core/clock.ts";
import { formatDuration } from "../../core/duration.ts";
import { describeError, formatFault, MissingPartError } from "../../core/errors.ts";
import type { Event } from "../../core/events.ts";
import { showable } from "../../core/hostile.ts";
import { diskWorry } from "../../disk/forecast/decide.ts";
import { growthOf } from "../../disk/growth/decide.ts";
import { planRelief, type ReliefPlan } from "../../disk/relief/plan.ts";
import { renderRelief } from "../../disk/relief/render.ts";
import type { LogOutlook, Outlook } from "../../disk/types.ts";
import { vacuumJournal, vacuumOption } from "../../disk/vacuum.ts";
import { eventLine } from "../../report/eventline.ts";
import { openStore } from "../../store/store.ts";
import { Bus } from "../bus.ts";
import type { CommandCall } from "../catalogue.ts";
import { limitsAreSet } from "../disk-limits.ts";
import { type DiskReport, gatherDiskReport } from "../disk-report.ts";
import { samplesOf } from "../disk-samples.ts";
import { openHistory } from "../history.ts";
import { run as relieve } from "../jobs/relieve.ts";
import { gatherRelief, loadForRelief } from "../relief.ts";
import { gatherSettings, type Settings } from "../settings.ts";
import { formatBytes, paint, table, wantsColour, widthOf } from "../terminal.ts";

const DAY_MS = 86_400_000;
const GAUGE_COLUMNS = 20;
// Farther away than this, a date is a guess.
const FAR_MS = 730 * DAY_MS;

export async function run({ values }: CommandCall): Promise<number> {
  const settings = gatherSettings(values["config"] as string | undefined);
  for (const fault of settings.faults) process.stderr.write(`${formatFault(fault)}\n`);
  const json = values["json"] === true;
  const vacuum = values["vacuum-journal"] as string | undefined;
  if (vacuum !== undefined) return await vacuumed(vacuum);
  if (values["plan"] === true) return await planned(settings, json);
  if (values["relieve"] === true) return await relieved(settings, json);
  using store = openHistory(settings);
  const samples = store === null ? [] : samplesOf(store);
  const report = await gatherDiskReport(settings, samples, growthOf(samples), systemClock.now());
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : rendered(report));
  return 0;
}

async function planned(settings: Settings, json: boolean): Promise<number> {
  const all = await gatherRelief(settings, await loadForRelief(settings));
  const plans = all.map(({ facts, limits }): ReliefPlan => planRelief(facts, limits));
  if (json) for (const plan of plans) process.stdout.write(`${JSON.stringify(plan)}\n`);
  else if (!limitsAreSet(settings)) {
    process.stdout.write(
      'No limit is set, so nothing is ever removed for room.\n    mend: write min_free = "10%" or max_log_bytes = "20G" under [disk] in telltale.toml\n',
    );
  } else for (const plan of plans) process.stdout.write(renderRelief(plan, formatBytes));
  return 0;
}

// Beside a guard as well as without one: events go into the history that the next report is made of.
async function relieved(settings: Settings, json: boolean): Promise<number> {
  const bus = new Bus(settings.host, systemClock);
  const colour = wantsColour(process.stdout);
  const say = (event: Event): void => {
    bus.forward(event);
    if (json) process.stdout.write(`${JSON.stringify(event)}\n`);
    else process.stdout.write(`${eventLine(event, { colour, width: widthOf(process.stdout) })}\n`);
  };
  const stopping = new AbortController();
  process.once("SIGTERM", () => stopping.abort());
  process.once("SIGINT", () => stopping.abort());
  const { bytesFreed, alarms } = await relieve({ settings, ahead: {}, once: true }, say, stopping.signal);
  keepEvents(settings, bus);
  if (!json && bytesFreed === 0 && alarms === 0) process.stdout.write("Nothing had to give way.\n");
  return alarms > 0 ? 1 : 0;
}

// After the deed, because a full disk takes no history before it.
function keepEvents(settings: Settings, bus: Bus): void {
  try {
    const store = openStore(settings.storeFile);
    bus.attach(store);
    bus.close();
    store.close();
  } catch (error) {
    if (!(error instanceof MissingPartError)) throw error;
    process.stderr.write(`telltale disk: not recorded: ${describeError(error)}\n    mend: ${error.mend}\n`);
  }
}

async function vacuumed(limit: string): Promise<number> {
  const option = vacuumOption(limit);
  if (option === null) {
    process.stderr.write(
      `telltale disk: --vacuum-journal wants a size or an age, found "${showable(limit)}"\n    mend: write 500M, 2G, 2weeks or 30days\n`,
    );
    return 64;
  }
  try {
    process.stdout.write(showable(await vacuumJournal(option)).replaceAll("\\x0a", "\n"));
    return 0;
  } catch (error) {
    if (!(error instanceof MissingPartError)) throw error;
    process.stderr.write(`telltale disk: ${showable(describeError(error))}\n    mend: ${error.mend}\n`);
    return 69;
  }
}

function rendered(report: DiskReport): string {
  const colour = wantsColour(process.stdout);
  const disks = report.disks.map((disk) => diskText(disk, colour)).join("\n");
  const journals = report.journals.map(
    ({ directory, usedBytes, limitBytes, limitFrom }) =>
      `The journal in ${showable(directory)} takes ${formatBytes(usedBytes)} of at most ${formatBytes(limitBytes)} (${limitFrom}).\n`,
  );
  const { nextRotationFrees: next } = report;
  const due =
    next.due === 0 ? "none is due now" : `${next.due} are due now and remove ${formatBytes(next.dueBytes)}`;
  const frees = `The next rotation of every log removes ${formatBytes(next.allBytes)} (${due}); `;
  const uncovered =
    report.uncoveredBytes > 0
      ? `${formatBytes(report.uncoveredBytes)} of logs are rotated by nobody`
      : "every log is rotated by somebody";
  const logs = report.logs.length === 0 ? "" : `\n${logTable(report.logs)}`;
  return `${disks}${logs}\n${frees}${uncovered}.\n${journals.join("")}${report.samples < 2 ? "Growth is known once telltale guard has taken samples, half an hour apart.\n" : ""}`;
}

function diskText(disk: Outlook & { readonly limits: string }, colour: boolean): string {
  const used = disk.sizeBytes - disk.freeBytes;
  const share = disk.sizeBytes === 0 ? 0 : used / disk.sizeBytes;
  const worry = diskWorry(disk);
  const bar = paint(
    gauge(share, GAUGE_COLUMNS),
    worry === null ? "green" : worry === "little" ? "red" : "yellow",
    colour,
  );
  const head = `${paint(showable(disk.mount), "bold", colour)}  ${bar} ${Math.round(share * 100)} % of ${formatBytes(disk.sizeBytes)}, ${formatBytes(disk.freeBytes)} free\n`;
  const lines = [growthText(disk)];
  if (disk.history.length > 2) lines.push(`used: ${bars(disk.history)}`);
  if (worry === "files") lines.push(`only ${disk.freeFiles} of ${disk.sizeFiles} inodes are free`);
  lines.push(disk.limits);
  return head + lines.map((line) => `    ${line}\n`).join("");
}

function growthText({ bytesPerDay, fullInMs, fullEarliestMs, fullLatestMs }: Outlook): string {
  if (bytesPerDay === null) return "growth: not known yet";
  const sign = bytesPerDay < 0 ? "-" : "+";
  const growth = `growth: ${sign}${formatBytes(Math.abs(bytesPerDay))} a day`;
  if (fullInMs === null || fullInMs > FAR_MS) return `${growth}; not full within two years`;
  const day = (ms: number | null) =>
    ms === null || ms > FAR_MS
      ? "never"
      : new Date(systemClock.now().getTime() + ms).toISOString().slice(0, 10);
  return `${growth}; full in ${formatDuration(Math.max(60_000, Math.round(fullInMs / 3_600_000) * 3_600_000))}, on ${day(fullInMs)} (${day(fullEarliestMs)} to ${day(fullLatestMs)})`;
}

function logTable(logs: readonly LogOutlook[]): string {
  const rows = logs.map(({ path, sizeBytes, generationBytes, bytesPerDay, covered }) => [
    path,
    formatBytes(sizeBytes),
    formatBytes(generationBytes),
    bytesPerDay === null ? "?" : formatBytes(bytesPerDay),
    covered ? "yes" : "NO",
  ]);
  return table(["LOG", "SIZE", "OLDER", "PER DAY", "ROTATED"], rows);
}
