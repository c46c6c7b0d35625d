// The sentry by itself: live in the foreground, or over a recording. It detects and tells; it blocks nobody.
import { type Address, parseAddress } from "../../core/address.ts";
import { systemClock } from "../../core/clock.ts";
import { describeError, formatFault } from "../../core/errors.ts";
import type { EventBody, Scan } from "../../core/events.ts";
import { showable } from "../../core/hostile.ts";
import { eventLine } from "../../report/eventline.ts";
import type { KeptPacket } from "../../sentry/recorder.ts";
import { replay } from "../../sentry/replay.ts";
import { startSentry } from "../../sentry/sentry.ts";
import { watchedBy } from "../../sentry/settings.ts";
import { openCapture } from "../../sources/packets/capture.ts";
import { LINKTYPE } from "../../sources/packets/link.ts";
import { RecordingWriter } from "../../sources/packets/pcap.ts";
import { framesOf } from "../../sources/packets/recording.ts";
import { Bus } from "../bus.ts";
import type { CommandCall } from "../catalogue.ts";
import { gatherSettings, type Settings } from "../settings.ts";
import { wantsColour, widthOf } from "../terminal.ts";

export async function run({ values, operands }: CommandCall): Promise<number> {
  const settings = gatherSettings(values["config"] as string | undefined);
  for (const fault of settings.faults) process.stderr.write(`${formatFault(fault)}\n`);
  const home = operands.map(parseAddress);
  const strange = operands.find((_, i) => home[i] === null);
  if (strange !== undefined) {
    process.stderr.write(
      `telltale sentry: wants addresses of the guarded host, found "${showable(strange)}"\n    mend: see telltale sentry --help\n`,
    );
    return 64;
  }
  const say = speaker(settings, values["json"] === true);
  const writePath = values["write"] as string | undefined;
  // Kept packets begin with the IP header.
  using writer = writePath === undefined ? null : new RecordingWriter(writePath, LINKTYPE.raw);
  const onEvidence = (_scan: Scan, packets: readonly KeptPacket[]): void => {
    for (const { atMs, bytes, wireLength } of packets) writer?.write(atMs, bytes, wireLength);
  };
  const pcap = values["pcap"] as string | undefined;
  const evidence = writer === null ? {} : { onEvidence };
  return pcap === undefined
    ? await live(settings, say, evidence)
    : recorded(pcap, home as Address[], settings, say, evidence);
}

type Say = (body: EventBody, at?: string) => ReturnType<Bus["stamp"]>;
type Evidence = { onEvidence?: (scan: Scan, packets: readonly KeptPacket[]) => void };

function recorded(
  path: string,
  home: readonly Address[],
  settings: Settings,
  say: Say,
  evidence: Evidence,
): number {
  const skipped = { count: 0 };
  try {
    const counters = replay({
      open: () => framesOf(path, skipped),
      ...(home.length > 0 && { home }),
      ...watchedBy(settings.config.sentry, settings.tripwires),
      ...evidence,
      onScan: (scan) => void say({ type: "scan.detected", scan }, scan.lastAt),
      onDistributed: (scan) => void say({ type: "scan.distributed", scan }, scan.lastAt),
    });
    const unknown = skipped.count === 0 ? "" : `, ${skipped.count / 2} of a link type that is not known`;
    process.stderr.write(
      `${counters.packets.toLocaleString("en")} packets, ${counters.probes.toLocaleString("en")} probes, ${counters.scans.toLocaleString("en")} scans${unknown}.\n`,
    );
    return 0;
  } catch (error) {
    process.stderr.write(
      `telltale sentry: ${showable(path)}: ${describeError(error)}\n    mend: give a pcap or pcapng file\n`,
    );
    return 1;
  }
}

async function live(settings: Settings, say: Say, evidence: Evidence): Promise<number> {
  const { interfaces, loopback, ...keys } = settings.config.sentry;
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
