// Reads one line from the unprivileged half. It may have been taken over by whoever sent it a packet, so a line is
// either exactly one of the known requests or the end of the conversation.
import type { Ask, Numbered, Request, Stage } from "../types.ts";

/** A line that no honest listener writes. */
export class MalformedRequest extends Error {}

type Fields = Readonly<Record<string, unknown>>;
type Shapes = { readonly [A in Ask]: (fields: Fields) => Extract<Request, { ask: A }> };

// Longer is no path: PATH_MAX of linux/limits.h.
const MAX_PATH = 4_096;

const SHAPES: Shapes = {
  hello: (fields) => plain(fields, "hello"),
  ready: (fields) => plain(fields, "ready"),
  capture: (fields) => plain(fields, "capture"),
  touches: (fields) => plain(fields, "touches"),
  log: (fields) => ({ ask: "log", path: textOf(only(fields, "path"), MAX_PATH) }),
  "report-file": (fields) => plain(fields, "report-file"),
  mail: (fields) => ({ ask: "mail", mail: base64Of(only(fields, "mail")) }),
  facts: (fields) => plain(fields, "facts"),
  firewall: (fields) => ({
    ask: "firewall",
    call: textOf(only(fields, "call", "args"), 32),
    args: listOf(fields["args"], 4),
  }),
  rotation: (fields) => plain(fields, "rotation"),
  stored: (fields) => ({ ask: "stored", upTo: countOf(only(fields, "upTo")) }),
  reply: (fields) => ({ ask: "reply", n: countOf(only(fields, "n", "value")), value: fields["value"] }),
  heard: (fields) => ({ ask: "heard", event: only(fields, "event") }),
  pong: (fields) => plain(fields, "pong"),
};

const STAGES: Readonly<Record<Ask, readonly Stage[]>> = {
  hello: ["init"],
  ready: ["config"],
  capture: ["config", "running"],
  touches: ["config", "running"],
  log: ["config", "running"],
  "report-file": ["config", "running", "quit"],
  mail: ["config", "running", "quit"],
  facts: ["config", "running"],
  firewall: ["config", "running", "quit"],
  rotation: ["config", "running"],
  stored: ["config", "running", "quit"],
  reply: ["config", "running", "quit"],
  heard: ["config", "running", "quit"],
  pong: ["init", "config", "running", "quit"],
};

/**
 * One request with its number.
 * @throws MalformedRequest for everything else
 */
export function parseRequest(line: string): Numbered {
  let read: unknown;
  try {
    read = JSON.parse(line);
  } catch {
    throw new MalformedRequest("no JSON");
  }
  if (typeof read !== "object" || read === null || Array.isArray(read))
    throw new MalformedRequest("no object");
  const { id, ask, ...fields } = read as Record<string, unknown>;
  if (typeof ask !== "string" || !Object.hasOwn(SHAPES, ask)) throw new MalformedRequest("no known request");
  return { id: countOf(id), request: SHAPES[ask as Ask](fields) };
}

/** Whether this may be asked at this stage. */
export function fitsStage(ask: Ask, stage: Stage): boolean {
  return STAGES[ask].includes(stage);
}

function plain<A extends Ask>(fields: Fields, ask: A): { ask: A } {
  if (Object.keys(fields).length > 0) throw new MalformedRequest(`${ask} takes nothing`);
  return { ask };
}

// The first of the named fields, once there is none but them.
function only(fields: Fields, ...names: readonly string[]): unknown {
  const found = Object.keys(fields);
  if (found.length !== names.length || !names.every((name) => found.includes(name)))
    throw new MalformedRequest(`wants ${names.join(", ")}`);
  return fields[names[0]!];
}

function textOf(value: unknown, maxChars: number): string {
  if (typeof value !== "string" || value === "" || value.length > maxChars || value.includes("\0"))
    throw new MalformedRequest("wants a text");
  return value;
}

function base64Of(value: unknown): string {
  if (typeof value !== "string" || value.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(value))
    throw new MalformedRequest("wants base64");
  return value;
}

function countOf(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new MalformedRequest("wants a number");
  return value as number;
}

function listOf(value: unknown, most: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length > most) throw new MalformedRequest("wants a list");
  return value;
}
