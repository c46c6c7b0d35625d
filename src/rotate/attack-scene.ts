// A scratch directory with one rotation in it, for the tests of attacks.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Event, EventBody } from "../core/events.ts";
import { loadRotation, runRotations } from "./run.ts";
import type { RotateOptions, RotationSummary } from "./types.ts";

export const DAEMON = 1;
/** Why a test that needs root cannot be done, or null. */
export const root = process.getuid?.() === 0 ? null : "needs root: files of several owners";

export function scratch(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "tt-hostile-"));
  chmodSync(dir, 0o755);
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  mkdirSync(join(dir, "d"));
  return dir;
}

export type Outcome = {
  events: EventBody[];
  summary: RotationSummary;
  faults: readonly { message: string }[];
};

export async function rotate(dir: string, text: string, some: Partial<RotateOptions> = {}): Promise<Outcome> {
  writeFileSync(join(dir, "conf"), text, { mode: 0o644 });
  const options = { configs: [join(dir, "conf")], statePath: join(dir, "state"), force: true, ...some };
  const rotation = await loadRotation(options);
  const events: EventBody[] = [];
  const summary = await runRotations(rotation, options, (body) => {
    events.push(body);
    return body as Event;
  });
  return { events, summary, faults: rotation.faults };
}

export const failures = (events: readonly EventBody[]): string[] =>
  events.flatMap((event) => (event.type === "rotation.failed" ? [event.why] : []));
