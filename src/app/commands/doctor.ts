// Tries each part for real and says how to get what is missing. Changes nothing.

import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { formatDuration } from "../../core/duration.ts";
import { describeError, formatFault, MissingPartError } from "../../core/errors.ts";
import type { Part } from "../../core/events.ts";
import { showable } from "../../core/hostile.ts";
import { diskWorry } from "../../disk/forecast/decide.ts";
import { lookAtRooms } from "../../disk/mounts.ts";
import { routeName } from "../../report/deliver.ts";
import { loadRotation } from "../../rotate/run.ts";
import { openCapture } from "../../sources/packets/capture.ts";
import { openNftables } from "../../sys/nftables.ts";
import type { CommandCall } from "../catalogue.ts";
import { askStatus } from "../control/client.ts";
import { guardSocket } from "../control/find.ts";
import { disksForReport, samplesOf } from "../disk-samples.ts";
import { openHistory } from "../history.ts";
import { findLogSources } from "../log-sources.ts";
import { routesOf } from "../reporting.ts";
import { gatherSettings, type Settings } from "../settings.ts";
import { formatBytes, paint, wantsColour } from "../terminal.ts";

type Finding = { part: Part | "runtime" | "guard" | "disk"; ok: boolean; what: string; mend: string };

const LOW_SPACE_BYTES = 100_000_000;
const DAY_MS = 86_400_000;

export async function run({ values }: CommandCall): Promise<number> {
  const settings = gatherSettings(values["config"] as string | undefined);
  const findings: Finding[] = [];
  for (const look of [runtime, config, rotation, check, sentry, respond, report, store, disk, guard]) {
    findings.push(...(await looked(look, settings)));
  }
  if (values["json"] === true) {
    for (const finding of findings) process.stdout.write(`${JSON.stringify(finding)}\n`);
  } else {
    const colour = wantsColour(process.stdout);
    for (const { part, ok, what, mend } of findings) {
      const bad = part === "disk" ? "low    " : "not ok ";
      const verdict = ok ? paint("ok     ", "green", colour) : paint(bad, "red", colour);
      process.stdout.write(`${part.padEnd(8)} ${verdict}  ${showable(what)}\n`);
      if (mend !== "") process.stdout.write(`${" ".repeat(18)}mend: ${showable(mend)}\n`);
    }
  }
  return findings.every((finding) => finding.ok) ? 0 : 1;
}

type Look = {
  part: Finding["part"];
  (settings: Settings): Promise<Omit<Finding, "part">[]> | Omit<Finding, "part">[];
};

async function looked(look: Look, settings: Settings): Promise<Finding[]> {
  try {
    return (await look(settings)).map((finding) => ({ part: look.part, ...finding }));
  } catch (error) {
    const mend = error instanceof MissingPartError ? error.mend : "";
    return [{ part: look.part, ok: false, what: describeError(error), mend }];
  }
}

const fine = (what: string): Omit<Finding, "part"> => ({ ok: true, what, mend: "" });
const wrong = (what: string, mend: string): Omit<Finding, "part"> => ({ ok: false, what, mend });

function runtime(): Omit<Finding, "part">[] {
  const root = process.getuid?.() === 0;
  return [
    fine(`Node ${process.versions.node} on ${process.platform} ${process.arch}`),
    root
      ? fine("running as root")
      : wrong("not root: packets, blocking and most logs are out of reach", "sudo telltale doctor"),
  ];
}
runtime.part = "runtime" as const;

function config({ faults, configFile, portsentryConfig }: Settings): Omit<Finding, "part">[] {
  const found = [
    existsSync(configFile) ? configFile : `no ${configFile}: defaults`,
    ...(portsentryConfig === null ? [] : [portsentryConfig]),
  ];
  return faults.length === 0
    ? [fine(found.join(", "))]
    : faults.map((fault) => wrong(formatFault({ ...fault, mend: "" }), fault.mend));
}
config.part = "config" as const;

async function rotation(settings: Settings): Promise<Omit<Finding, "part">[]> {
  const { rotateConfigs: configs, rotateState: statePath } = settings;
  if (configs.length === 0)
    return [
      wrong(`${settings.config.rotate.config.join(", ")} is not there`, "apt install logrotate for Debian's"),
    ];
  const { stanzas, faults } = await loadRotation({ configs, statePath });
  return [
    fine(`${configs.join(", ")}: ${stanzas.length} stanzas, state ${statePath}`),
    ...faults.map((fault) => wrong(formatFault({ ...fault, mend: "" }), fault.mend)),
  ];
}
rotation.part = "rotate" as const;

function check({ config }: Settings): Omit<Finding, "part">[] {
  const { rules, rulesDirectory, level, logs, journal, faults } = findLogSources(config);
  if (rules.ruleCount === 0) return [wrong(`no rules in ${rulesDirectory}`, "apt install logcheck-database")];
  const out = [fine(`${rules.ruleCount} rules of ${rulesDirectory}, level ${level}`)];
  for (const log of logs) {
    if (!existsSync(log)) out.push(fine(`${log} is not there; it is read when it appears`));
    else if (canRead(log)) out.push(fine(`reads ${log}`));
    else out.push(wrong(`cannot read ${log}`, "run as root, or as a member of the group adm"));
  }
  if (journal) {
    const answers =
      spawnSync("journalctl", ["-n", "0", "-q"], { stdio: "ignore", timeout: 10_000 }).status === 0;
    out.push(
      answers
        ? fine("reads the journal")
        : wrong("journalctl does not answer", 'apt install systemd, or set check.journal = "off"'),
    );
  }
  return [...out, ...faults.map((fault) => wrong(formatFault({ ...fault, mend: "" }), fault.mend))];
}
check.part = "check" as const;

function sentry({ config }: Settings): Omit<Finding, "part">[] {
  using capture = openCapture({
    interfaces: config.sentry.interfaces,
    onPacket: () => {},
    emit: () => ({}) as never,
  });
  return [fine(`hears packets: ${capture.describe()}`)];
}
sentry.part = "sentry" as const;

async function respond(): Promise<Omit<Finding, "part">[]> {
  // libnftables itself would say so, past us, on standard error.
  if (process.getuid?.() !== 0) return [wrong("not root: nobody can be blocked", "sudo telltale doctor")];
  const nft = openNftables();
  try {
    await nft.run("list tables");
    return [fine(`talks to nftables through ${nft.via}`)];
  } catch (error) {
    return [
      wrong(`nftables refuses: ${describeError(error)}`, "run as root, with a kernel that has nf_tables"),
    ];
  } finally {
    await nft.close();
  }
}
respond.part = "respond" as const;

function report(settings: Settings): Omit<Finding, "part">[] {
  const routes = routesOf(settings);
  if (routes.length === 0)
    return [
      wrong("reports cannot leave this host", "apt install a mailer (msmtp-mta, postfix), or set report.via"),
    ];
  return routes.map((route) => {
    if (route.via !== "sendmail")
      return fine(`reports go by ${routeName(route)}; telltale report --test tries it`);
    return canRun(route.command!)
      ? fine(`reports go to ${route.to} by ${route.command}`)
      : wrong(`${route.command} is not there`, "apt install a mailer");
  });
}
report.part = "report" as const;

function store(settings: Settings): Omit<Finding, "part">[] {
  const { storeFile, storeDirectory } = settings;
  using history = openHistory(settings);
  const place = nearestExisting(storeDirectory);
  accessSync(place, constants.W_OK);
  const { bavail, bsize } = statfsSync(place);
  const free = Number(bavail) * Number(bsize);
  const what =
    history === null
      ? `no history yet; ${storeFile} will be made`
      : `${storeFile}, ${history.lastSeq()} events`;
  return [
    free < LOW_SPACE_BYTES
      ? wrong(
          `only ${formatBytes(free)} free under ${place}`,
          "free some space: telltale rotate --plan shows what rotation frees",
        )
      : fine(`${what}; ${formatBytes(free)} free`),
  ];
}
store.part = "store" as const;

/** The file systems that logs lie on: the room there is, and for how long by what the guard has measured so far. */
async function disk(settings: Settings): Promise<Omit<Finding, "part">[]> {
  using history = openHistory(settings);
  const known = new Map(
    disksForReport(history === null ? [] : samplesOf(history)).map((outlook) => [outlook.mount, outlook]),
  );
  const rooms = await lookAtRooms([
    "/",
    ...settings.config.rotate.roots,
    nearestExisting(settings.storeDirectory),
  ]);
  return rooms.map((room) => {
    const outlook = known.get(room.mount);
    const now = {
      ...room,
      bytesPerDay: outlook?.bytesPerDay ?? null,
      fullInMs: outlook?.fullInMs ?? null,
      fullEarliestMs: outlook?.fullEarliestMs ?? null,
      fullLatestMs: outlook?.fullLatestMs ?? null,
    };
    const until =
      now.fullInMs === null ? "" : `; full in ${formatDuration(daysOf(now.fullInMs))} if it goes on`;
    const what = `${room.mount}: ${formatBytes(room.freeBytes)} of ${formatBytes(room.sizeBytes)} free${until}`;
    const worry = diskWorry(now);
    const mend = "telltale disk shows what grows; min_free under [disk] keeps room by itself";
    return worry === null
      ? fine(what)
      : wrong(worry === "files" ? `${what}; its inodes run out` : what, mend);
  });
}
disk.part = "disk" as const;

// Days are enough for what is days away.
function daysOf(ms: number): number {
  return ms > 2 * DAY_MS ? Math.round(ms / DAY_MS) * DAY_MS : ms;
}

/** A host without a running guard may be about to get one: that is no fault, but one that is off or deaf is. */
async function guard(settings: Settings): Promise<Omit<Finding, "part">[]> {
  const controlSocket = guardSocket(settings);
  if (!existsSync(controlSocket)) return [fine(`no guard runs (${controlSocket} is not there)`)];
  const { pid, uptimeMs, parts } = await askStatus(controlSocket);
  const off = parts.filter(({ on, lines }) => !on && !/ = (?:false|"\w+")/.test(lines[0] ?? ""));
  return [
    fine(`a guard runs: process ${pid}, up ${formatDuration(uptimeMs)}`),
    ...off.map(({ part, lines }) =>
      wrong(`${part}: ${lines[0]}`, lines[1]?.replace(/^mend: /, "") ?? "telltale status"),
    ),
  ];
}
guard.part = "guard" as const;

function nearestExisting(path: string): string {
  return existsSync(path) ? path : nearestExisting(dirname(path));
}

function canRead(path: string): boolean {
  return access(path, constants.R_OK);
}

function canRun(path: string): boolean {
  return access(path, constants.X_OK);
}

function access(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false; // the caller says what that means
  }
}
