// What crosses between the two halves of the guard: newline-separated JSON, requests one way, answers and news the
// other.
import type { Event } from "../core/events.ts";

/** How far the two have come; only ever forward. */
export type Stage = "init" | "config" | "running" | "quit";

/** Everything that the listener may ask for. There is nothing else. */
export type Request =
  /** The configuration. */
  | { readonly ask: "hello" }
  /** Everything runs that can run. */
  | { readonly ask: "ready" }
  /** A packet socket, as a descriptor. */
  | { readonly ask: "capture" }
  /** What the kernel's tripwire tells, as a descriptor. */
  | { readonly ask: "touches" }
  /** A log that the listener may not open, as a descriptor. */
  | { readonly ask: "log"; readonly path: string }
  /** The file that reports are appended to, as a descriptor. */
  | { readonly ask: "report-file" }
  /** A finished mail for the configured mailer, in base64. */
  | { readonly ask: "mail"; readonly mail: string }
  /** Who must never be blocked; from then on it is told whenever that changes. */
  | { readonly ask: "facts" }
  /** A call of the firewall's backend. */
  | { readonly ask: "firewall"; readonly call: string; readonly args: readonly unknown[] }
  /** What rotation says of itself. */
  | { readonly ask: "rotation" }
  /** Events up to this number are in the store. */
  | { readonly ask: "stored"; readonly upTo: number }
  /** The answer to question number `n`. */
  | { readonly ask: "reply"; readonly n: number; readonly value: unknown }
  /** An event, for whoever follows them over the control socket. */
  | { readonly ask: "heard"; readonly event: unknown }
  /** The answer to "ping". */
  | { readonly ask: "pong" };

export type Ask = Request["ask"];

/** The number of a request whose answer nobody waits for: none is given, which would only wake the other side up. */
export const UNANSWERED = 0;

export type Numbered = { readonly id: number; readonly request: Request };

/** What the warden says to one request. With `fd`, a descriptor lies in the other channel. */
export type Answer =
  | { readonly id: number; readonly value: unknown; readonly fd?: true }
  | { readonly id: number; readonly refused: string; readonly mend: string };

/** What the warden says unasked. */
export type News =
  | { readonly tell: "ping" }
  /** Wants a reply: the status, the metrics, or that a configuration was taken up. */
  | { readonly tell: "question"; readonly n: number; readonly what: string; readonly with: unknown }
  /** Whether somebody follows the events. */
  | { readonly tell: "follow"; readonly on: boolean }
  | { readonly tell: "quit"; readonly because: string }
  /** Something that happened in the warden, for the store and everybody else. */
  | { readonly tell: "event"; readonly n: number; readonly event: Event }
  /** The firewall's backend tells something. */
  | { readonly tell: "firewall"; readonly event: unknown }
  /** What a look of the warden's found; `what` names it. */
  | { readonly tell: "found"; readonly what: string; readonly value: unknown };
