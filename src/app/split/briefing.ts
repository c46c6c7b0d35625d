// What the warden tells a listener at the start: the configuration as root has read it, since the listener may not read
// all of it, and how the guard was called. Plain JSON.
import type { Settings } from "../settings.ts";

export type Briefing = {
  readonly settings: Settings;
  readonly json: boolean;
  readonly wardenPid: number;
  /** Of the SMTP server; "" when there is none. */
  readonly smtpPassword: string;
  /** Of the webhooks that want one, by their names. */
  readonly webhookTokens: Readonly<Record<string, string>>;
};
