// What the tests of the store share: a folder of their own, events and blocks to put into it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Event, EventBody } from "../core/events.ts";
import { newId } from "../core/id.ts";
import type { BlockRow } from "./store.ts";

export const AT = new Date("2026-11-22T19:51:02.000Z");

export function scratch(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "telltale-store-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export function stamped(body: EventBody, at = AT): Event {
  return { ...body, v: 1, id: newId(at), host: "host", at: at.toISOString() };
}

export function lineEvent(line: string, at = AT): Event {
  return stamped({ type: "line.found", layer: "system", source: "/var/log/syslog", line }, at);
}

export function blockRow(
  target: string,
  since: string,
  until: string,
  more: Partial<BlockRow> = {},
): BlockRow {
  return {
    target,
    since,
    until,
    because: "scan",
    grade: "proven",
    findingId: "f",
    packetsStopped: 0,
    ...more,
  };
}
