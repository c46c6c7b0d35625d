// What the warden tells a listener at the start: the configuration as root has read it, since the listener may not read
// all of it, and how the guard was called.
import type { Settings } from "../settings.ts";

export type Briefing = {
  readonly settings: Settings;
  readonly json: boolean;
  /** Whether this listener begins the guard, or continues one whose listener ended. */
  readonly first: boolean;
  readonly wardenPid: number;
  /** Of the SMTP server; "" when there is none. */
  readonly smtpPassword: string;
};

/** As plain JSON. */
export function packBriefing(briefing: Briefing): unknown {
  const { files, places } = briefing.settings.sources;
  return { ...briefing, settings: { ...briefing.settings, sources: { files, places: [...places] } } };
}

/** The other way round. */
export function unpackBriefing(value: unknown): Briefing {
  const briefing = value as Briefing;
  const { files, places } = briefing.settings.sources;
  return { ...briefing, settings: { ...briefing.settings, sources: { files, places: new Map(places) } } };
}
