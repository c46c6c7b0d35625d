// One look at everything that may be due for rotation, or a rotation of the logs that grew too large.
import { systemClock } from "../../core/clock.ts";
import type { ConfigFault } from "../../core/errors.ts";
import type { Event, EventBody } from "../../core/events.ts";
import { runGroups } from "../../rotate/retention.ts";
import { loadRotation, runRotations } from "../../rotate/run.ts";
import type { LogStanza } from "../../rotate/types.ts";
import { Bus } from "../bus.ts";
import type { Settings } from "../settings.ts";

export type RotateOrder = {
  readonly settings: Settings;
  /** These logs, because of their size; left out: all, by their schedules, and the retention groups. */
  readonly only?: readonly string[];
};

export type RotateResult = {
  readonly stanzas: number;
  readonly faults: readonly ConfigFault[];
  /** Logs that are to be rotated as soon as they are this large. */
  readonly limits: readonly { readonly log: string; readonly limitBytes: number }[];
};

export async function run(
  { settings, only }: RotateOrder,
  say: (event: Event) => void,
  signal: AbortSignal,
): Promise<RotateResult> {
  const options = { configs: settings.rotateConfigs, statePath: settings.rotateState };
  const bus = new Bus(settings.host, systemClock);
  const emit = (body: EventBody): Event => {
    const event = bus.stamp(body);
    say(event);
    return event;
  };
  // The configuration is read afresh at every look, as logrotate does.
  const rotation = await loadRotation(options);
  const now = systemClock.now();
  if (only === undefined) await runGroups(settings.config.retention, rotation, now, emit);
  await runRotations(rotation, { ...options, now, signal, ...(only && { only }) }, emit);
  return {
    stanzas: rotation.stanzas.length,
    faults: rotation.faults,
    limits: rotation.stanzas.flatMap((stanza) => {
      const limitBytes = sizeLimitBytes(stanza);
      return limitBytes === null ? [] : stanza.logs.map((log) => ({ log, limitBytes }));
    }),
  };
}

/** The size at which a stanza's logs rotate whatever the time, or null when only time counts. */
function sizeLimitBytes({ settings }: LogStanza): number | null {
  if (settings.criterion === "size") return Math.max(1, settings.sizeBytes);
  return settings.maxSizeBytes > 0 ? settings.maxSizeBytes : null;
}
