// The sentry by itself: live in the foreground, or over a recording. It detects and tells; it blocks nobody.
import { statSync } from "node:fs";
import { type Address, parseAddress } from "../../core/address.ts";
import { systemClock } from "../../core/clock.ts";
import { describeError, formatFault } from "../../core/errors.ts";
import type { EventBody, Scan } from "../../core/events.ts";
import { showable } from "../../core/hostile.ts";
import { eventLine } from "../../report/eventline.ts";
import { counted, grouped } from "../../report/figures/render.ts";
import type { Counters } from "../../sentry/counters.ts";
import type { KeptPacket } from "../../sentry/recorder.ts";
import { replay } from "../../sentry/replay.ts";
import { startSentry } from "../../sentry/sentry.ts";
import { watchedBy } from "../../sentry/settings.ts";
import type { Frame } from "../../sentry/types.ts";
import { openCapture } from "../../sources/packets/capture.ts";
import { LINKTYPE } from "../../sources/packets/link.ts";
import { RecordingError, RecordingWriter } from "../../sources/packets/pcap.ts";
import { framesOf, nothingSkipped, type Skipped } from "../../sources/packets/recording.ts";
import { Bus } from "../bus.ts";
import type { CommandCall } from "../catalogue.ts";
import { gatherSettings, type Settings } from "../settings.ts";
import { wantsColour, widthOf } from "../terminal.ts";

export async function run({ values, operands }: CommandCall): Promise<number> {
  const settings = gatherSettings(values["config"] as string | undefined);
  for (const fault of settings.faults) process.stderr.write(`${formatFault(fault)}\n`);
  const pcap = values["pcap"] as string | undefined;
  const writePath = values["write"] as string | undefined;
  const home = operands.map(parseAddress);
  const strange = operands.find((_, i) => home[i] === null);
  if (strange !== undefined)
    return complain(
      USAGE,
      `wants addresses of the guarded host, found "${showable(strange)}"`,
      "see telltale sentry --help",
    );
  if (pcap === undefined && operands.length > 0)
    return complain(
      USAGE,
      "ADDRESS is for recordings: live, this host's own addresses count",
      "leave it out, or give --pcap FILE",
    );
  const named = values["interface"] as string[] | undefined;
  if (pcap !== undefined && named !== undefined)
    return complain(
      USAGE,
      "--interface is for watching live: a recording has the packets of its own",
      "leave it out, or leave out --pcap",
    );
  const say = speaker(settings, values["json"] === true);
  try {
    if (pcap !== undefined) mustBeReadTwice(pcap);
    if (pcap !== undefined && writePath !== undefined) mustDiffer(pcap, writePath);
    using evidence = writePath === undefined ? null : new EvidenceFile(writePath);
    const { onEvidence } = evidence ?? {};
    const wanted = onEvidence === undefined ? {} : { onEvidence };
    const status =
      pcap === undefined
        ? await live(settings, named, say, wanted)
        : recorded(pcap, home as Address[], settings, say, wanted);
    const isAmiss = evidence?.isWhole === false || settings.faults.length > 0;
    return status === 0 && isAmiss ? FAILURE : status;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return complain(FAILURE, error.message, error.mend);
  }
}

const USAGE = 64;
const FAILURE = 1;

function complain(status: number, what: string, mend: string): number {
  process.stderr.write(`telltale sentry: ${what}\n    mend: ${mend}\n`);
  return status;
}

/** What cannot be begun at all, with the mend. */
class Refusal extends Error {
  readonly mend: string;

  constructor(message: string, mend: string, cause?: unknown) {
    super(message, { cause });
    this.mend = mend;
  }
}

type Say = (body: EventBody, at?: string) => ReturnType<Bus["stamp"]>;
type Evidence = { onEvidence?: (scan: Scan, packets: readonly KeptPacket[]) => void };

/** The packets of findings, for as long as there is room for them: without it, findings are told all the same. */
class EvidenceFile implements Disposable {
  isWhole = true;
  readonly #path: string;
  readonly #writer: RecordingWriter;

  constructor(path: string) {
    this.#path = path;
    try {
      // Kept packets begin with the IP header.
      this.#writer = new RecordingWriter(path, LINKTYPE.raw);
    } catch (error) {
      throw new Refusal(
        `--write ${showable(path)}: ${describeError(error)}`,
        "name a file in a folder that is there and may be written to",
        error,
      );
    }
  }

  readonly onEvidence = (_scan: Scan, packets: readonly KeptPacket[]): void => {
    if (!this.isWhole) return;
    try {
      for (const { atMs, bytes, wireLength } of packets) this.#writer.write(atMs, bytes, wireLength);
    } catch (error) {
      this.isWhole = false;
      const what = `--write ${showable(this.#path)}: ${describeError(error)} (from here on no packets are saved)`;
      complain(FAILURE, what, "make room, and start anew");
    }
  };

  [Symbol.dispose](): void {
    this.#writer.close();
  }
}

/** The first pass over a recording learns which ports are served; a pipe would be empty at the second. */
function mustBeReadTwice(path: string): void {
  const mend = "recordings are read twice: save it to a file first";
  if (path === "-") throw new Refusal("--pcap wants a file, found standard input", mend);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found !== undefined && !found.isFile())
    throw new Refusal(
      `--pcap ${showable(path)}: wants a file, found ${found.isDirectory() ? "a folder" : "a pipe or device"}`,
      mend,
    );
}

function mustDiffer(pcap: string, written: string): void {
  const [from, to] = [pcap, written].map((path) => statSync(path, { throwIfNoEntry: false }));
  if (from === undefined || to === undefined || from.dev !== to.dev || from.ino !== to.ino) return;
  throw new Refusal(
    `--write ${showable(written)} is the recording that --pcap reads`,
    "name another file: it would be lost",
  );
}

function recorded(
  path: string,
  home: readonly Address[],
  settings: Settings,
  say: Say,
  evidence: Evidence,
): number {
  const skipped = nothingSkipped();
  let damage: RecordingError | null = null;
  /** All packets before the damage, where there is any: a recorder that was ended leaves half a packet. */
  const whole = function* (): Generator<Frame> {
    let packets = 0;
    try {
      for (const frame of framesOf(path, skipped)) {
        packets++;
        yield frame;
      }
    } catch (error) {
      if (!(error instanceof RecordingError) || packets === 0) throw error;
      damage = error;
    }
  };
  let counters: Counters;
  try {
    counters = replay({
      open: whole,
      ...(home.length > 0 && { home }),
      ...watchedBy(settings.config.sentry, settings.tripwires),
      ...evidence,
      onScan: (scan) => void say({ type: "scan.detected", scan }, scan.lastAt),
      onDistributed: (scan) => void say({ type: "scan.distributed", scan }, scan.lastAt),
    });
  } catch (error) {
    const named = error instanceof RecordingError ? "" : `${showable(path)}: `;
    return complain(FAILURE, `${named}${showable(describeError(error))}`, "give a pcap or pcapng file");
  }
  process.stderr.write(`${summaryOf(counters, skipped)}.\n`);
  if (counters.packets === 0 && skipped.unknown.size > 0)
    return complain(
      FAILURE,
      `${showable(path)}: no packet of it can be read`,
      "record at the guarded host: tcpdump -i any -w FILE",
    );
  if (damage === null) return 0;
  const { message } = damage as RecordingError;
  return complain(
    FAILURE,
    `${showable(message)} (what comes before was read)`,
    "record anew, if it was not cut off on purpose",
  );
}

// The engine's pass over a recording is the second.
const PASSES = 2;

function summaryOf(
  { packets, probes, scans, notOurs, ignored, refused }: Counters,
  skipped: Skipped,
): string {
  const short = skipped.short / PASSES;
  const reasons = Object.entries({ ...refused, "shorter than the link header": short }).filter(
    ([, n]) => n > 0,
  );
  const undecoded = reasons.reduce((sum, [, n]) => sum + n, 0);
  return [
    counted(packets + short, "packet"),
    counted(probes, "probe"),
    counted(scans, "scan"),
    ...(notOurs === 0 ? [] : [`${counted(notOurs, "packet")} for others`]),
    ...(ignored === 0 ? [] : [`${counted(ignored, "packet")} ignored as configured`]),
    ...(undecoded === 0
      ? []
      : [
          `${grouped(undecoded)} not decoded (${reasons.map(([why, n]) => `${grouped(n)} ${why}`).join(", ")})`,
        ]),
    ...[...skipped.unknown].map(
      ([type, n]) => `${grouped(n / PASSES)} of link type ${type}, which is not known here`,
    ),
  ].join(", ");
}

async function live(
  settings: Settings,
  named: readonly string[] | undefined,
  say: Say,
  evidence: Evidence,
): Promise<number> {
  const { loopback, ...keys } = settings.config.sentry;
  const interfaces = named ?? keys.interfaces;
  const watched = watchedBy(settings.config.sentry, settings.tripwires);
  const scansPerSecond = keys.max_scans_per_second;
  using sentry = startSentry(
    { openCapture, interfaces, loopback, scansPerSecond, ...watched, ...evidence },
    say,
  );
  process.stderr.write(`${sentry.describe()}. Ctrl-C ends.\n`);
  await new Promise<void>((resolve) => {
    process.once("SIGTERM", () => resolve());
    process.once("SIGINT", () => resolve());
  });
  const { received, dropped } = sentry.stats();
  process.stderr.write(
    `${received.toLocaleString("en")} packets looked at, ${dropped.toLocaleString("en")} lost.\n`,
  );
  return 0;
}

function speaker(settings: Settings, json: boolean): Say {
  const bus = new Bus(settings.host, systemClock);
  const out = process.stdout;
  return (body, at) => {
    const stamped = bus.stamp(body);
    const event = at === undefined ? stamped : { ...stamped, at };
    const line = json
      ? JSON.stringify(event)
      : eventLine(event, { colour: wantsColour(out), width: out.isTTY ? widthOf(out) : 0 });
    out.write(`${line}\n`);
    return event;
  };
}
