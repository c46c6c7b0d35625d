// One line on the console for everything that happens, so that somebody who watches the guard sees what it sees.
import { formatDuration } from "../core/duration.ts";
import type { Event, EventBody } from "../core/events.ts";
import { showable } from "../core/hostile.ts";
import { scanName } from "./attackalert.ts";
import { bytes, clockStamp, counted, grouped, syslogStamp } from "./figures/render.ts";

type Tone = "alarm" | "warn" | "good" | "plain" | "dim";

// Foreground colours every terminal has (ECMA-48 section 8.3.117).
const COLOUR: Record<Tone, string> = { alarm: "31;1", warn: "33", good: "32", plain: "", dim: "2" };

// `violations` is the longest of the subjects.
const SUBJECT_WIDTH = 10;

// Ports named in the line of a scan.
const PORTS = 6;

/**
 * `19:51:02  scan        192.0.2.7 SYN/Normal scan: 4 ports …` in one line of at most `width` columns.
 * @param options.width columns; 0 for no limit
 * @param options.colour true writes ANSI colours; hostile text can never write its own
 */
export function eventLine(event: Event, options: { colour: boolean; width: number }): string {
  const { subject, tone, text } = said(event);
  const head = `${clockStamp(event.at)}  ${subject.padEnd(SUBJECT_WIDTH)}  `;
  const room = options.width <= 0 ? Number.POSITIVE_INFINITY : Math.max(10, options.width - head.length);
  // A tab would break the columns, and an over-long line is not worth cleaning to its end.
  const raw = text.length > 4_000 ? text.slice(0, 4_000) : text;
  const shown = fitted(showable(raw).replace(/\t/g, " "), room);
  const paint = COLOUR[tone];
  if (!options.colour || paint === "") return head + shown;
  return `${clockStamp(event.at)}  \x1b[${paint}m${subject.padEnd(SUBJECT_WIDTH)}\x1b[0m  ${shown}`;
}

function fitted(text: string, room: number): string {
  if (text.length <= room) return text;
  const chars = [...text];
  return chars.length <= room ? text : `${chars.slice(0, room - 1).join("")}…`;
}

type Said = { subject: string; tone: Tone; text: string };

function said(event: EventBody): Said {
  switch (event.type) {
    case "guard.started":
      return say("guard", "plain", `telltale ${event.version} started in ${event.mode} mode`);
    case "guard.stopped":
      return say("guard", "plain", `stopped: ${event.because}`);
    case "part.failed":
      return say(event.part, "alarm", `failed: ${event.why}; ${event.stillRuns}${mend(event.mend)}`);
    case "part.recovered":
      return say(event.part, "good", `works again: ${event.how}`);
    case "config.reloaded":
      return say(
        "config",
        "plain",
        event.changes.length === 0
          ? "read again, nothing changed"
          : `read again: ${event.changes.join("; ")}`,
      );
    case "config.rejected":
      return say("config", "alarm", `refused, the old one stays: ${faultText(event.faults)}`);
    case "config.faulty":
      return say("config", "warn", faultText(event.faults));
    case "scan.detected":
      return say("scan", "alarm", scanText(event));
    case "scan.distributed":
      return say("scan", "alarm", `distributed: ${event.scan.reason}${hinted(event.scan.hint)}`);
    case "packets.lost":
      return say("packets", "warn", `${counted(event.count, "packet")} lost in the ${event.where}`);
    case "sources.evicted":
      return say("sources", "warn", `${counted(event.count, "source")} forgotten: ${event.because}`);
    case "scans.withheld":
      return say("scans", "warn", `${counted(event.count, "scan")} not told one by one: ${event.because}`);
    case "line.found":
      return say(event.layer, LAYER_TONE[event.layer], `${event.source}: ${event.line}`);
    case "lines.skipped":
      return say(
        "lines",
        "warn",
        `${event.source}: ${counted(event.count, "line")} skipped: ${event.because}`,
      );
    case "log.unreadable":
      return say("log", "warn", `${event.path} cannot be read: ${event.why}${mend(event.mend)}`);
    case "log.shrank":
      return say(
        "log",
        "alarm",
        `${event.path} shrank from ${bytes(event.fromBytes)} to ${bytes(event.toBytes)} without being rotated`,
      );
    case "log.silent":
      return say(
        "log",
        "warn",
        `${event.path} silent for ${formatDuration(event.quietMs)}, at most ${formatDuration(event.usualLongestMs)} before`,
      );
    case "verdict.reached":
      return verdictSaid(event.verdict);
    case "block.applied": {
      const via = event.via === undefined ? "" : ` via ${event.via}`;
      return say(
        "block",
        "good",
        `${event.target} ${event.throttled === true ? "slowed down" : "blocked"}${via} until ${syslogStamp(event.until)}: ${event.because}`,
      );
    }
    case "block.failed":
      return say("block", "alarm", `${event.target} NOT blocked: ${event.why}${mend(event.mend)}`);
    case "block.lifted":
      return say(
        "block",
        "plain",
        `${event.target} lifted (${event.cause}), ${counted(event.packetsStopped, "packet")} stopped`,
      );
    case "log.rotated": {
      const warning = event.warning === undefined ? "" : ` (warning: ${event.warning})`;
      return say(
        "rotate",
        event.warning === undefined ? "plain" : "warn",
        `${event.log} -> ${event.to} (${bytes(event.sizeBytes)}): ${event.because}${warning}`,
      );
    }
    case "log.pruned":
      return say("rotate", "plain", `${event.path} removed (${bytes(event.sizeBytes)}): ${event.because}`);
    case "rotation.failed":
      return say("rotate", "alarm", `${event.log} not rotated: ${event.why}${mend(event.mend)}`);
    case "log.uncovered": {
      const writer = event.writer === "" ? "" : `, written by ${event.writer}`;
      return say(
        "rotate",
        "warn",
        `${event.path} (${bytes(event.sizeBytes)}${writer}) is rotated by nobody${mend(uncoveredMend(event.mend))}`,
      );
    }
    case "log.mishandled":
      return say("disk", "warn", `${event.path}: ${event.why}${mend(event.mend)}`);
    case "log.surged": {
      const [first] = event.templates;
      const times = Math.round(event.bytesPerDay / Math.max(1, event.usualBytesPerDay));
      const most = first === undefined ? "" : `; mostly ${first.text}`;
      return say(
        "disk",
        "warn",
        `${event.path} grows by ${bytes(event.bytesPerDay)} a day, ${times} times its habit${most}`,
      );
    }
    case "log.compressed":
      return say(
        "disk",
        "plain",
        `${event.path} compressed (${bytes(event.sizeBytes)} to ${bytes(event.toBytes)}): ${event.because}`,
      );
    case "disk.sampled":
      return say(
        "disk",
        "dim",
        `${event.disks.map(({ mount, freeBytes }) => `${mount} ${bytes(freeBytes)} free`).join(", ")}; ${counted(event.logs.length, "log")} measured`,
      );
    case "disk.pressed":
      return say("disk", "alarm", `${event.mount}: ${event.why}; ${event.stages}`);
    case "disk.relieved":
      return say(
        "disk",
        "good",
        `${event.mount}: ${bytes(event.bytesFreed)} freed, ${bytes(event.freeBytes)} free: ${event.why}`,
      );
    case "disk.filling":
      return say("disk", "alarm", `${event.mount}: ${event.why}${mend(event.mend)}`);
    case "report.delivered":
      return say("report", "good", `sent by ${event.route}: ${event.subject}`);
    case "report.failed":
      return say("report", "alarm", `not sent by ${event.route}: ${event.why}${mend(event.mend)}`);
    default:
      return unheardOf(event);
  }
}

const LAYER_TONE: Record<"cracking" | "violations" | "system", Tone> = {
  cracking: "alarm",
  violations: "warn",
  system: "dim",
};

// A new event without a line here does not compile; one from a newer telltale, read from a store, still shows.
function unheardOf(event: never): Said {
  return say("event", "dim", String((event as { type: unknown }).type));
}

function say(subject: string, tone: Tone, text: string): Said {
  return { subject, tone, text };
}

function mend(text: string): string {
  return text === "" ? "" : ` (mend: ${text})`;
}

function faultText(faults: Extract<EventBody, { type: "config.faulty" }>["faults"]): string {
  const [first] = faults;
  if (first === undefined) return "no fault named";
  const place = first.line > 0 ? `${first.file}:${first.line}` : first.file;
  const key = first.key === "" ? "" : `${first.key}: `;
  const more = faults.length > 1 ? ` and ${counted(faults.length - 1, "more fault")}` : "";
  return `${place}: ${key}${first.message}${more}${mend(first.mend)}`;
}

function scanText({ scan }: Extract<EventBody, { type: "scan.detected" }>): string {
  const first = scan.probes[0];
  const name = first === undefined ? "scan" : scanName(first);
  const ports = [...new Set(scan.probes.map((probe) => probe.port))];
  const named = ports.slice(0, PORTS).join(", ");
  const seen = named === "" ? grouped(scan.distinct) : `${grouped(scan.distinct)} so far, first ${named}`;
  return `${scan.source} ${name} (${scan.shape}, ${scan.grade}): ${seen}: ${scan.reason}${hinted(scan.hint)}`;
}

/** A tool's habits can be imitated, and every reader of the line must know. */
function hinted(hint: string | undefined): string {
  return hint === undefined ? "" : ` (looks like ${hint}: a hint, no proof)`;
}

function verdictSaid(verdict: Extract<EventBody, { type: "verdict.reached" }>["verdict"]): Said {
  if (verdict.guardrail !== undefined) {
    return say(
      "verdict",
      "warn",
      `${verdict.source} is protected (${verdict.guardrail}): ${verdict.because}`,
    );
  }
  if (verdict.action !== "block" && verdict.action !== "throttle")
    return say("verdict", "plain", `${verdict.action} ${verdict.source}: ${verdict.because}`);
  const lasting = `for ${formatDuration(verdict.forMs)}`;
  return verdict.mode === "observe"
    ? say(
        "verdict",
        "warn",
        `would ${verdict.action} ${verdict.target} ${lasting} (observe mode): ${verdict.because}`,
      )
    : say("verdict", "alarm", `${verdict.action} ${verdict.target} ${lasting}: ${verdict.because}`);
}

// A stanza to paste takes more than the one line there is.
function uncoveredMend(text: string): string {
  return text.includes("\n") ? '"telltale rotate --uncovered" prints a stanza for it' : text;
}
