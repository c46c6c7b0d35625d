import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { gunzipSync } from "node:zlib";
import { EVENT_SCHEMA_VERSION, type Event, type EventBody } from "../core/events.ts";
import { planGroups, runGroups } from "./retention.ts";

const NO_STANZAS = { faults: [], stanzas: [] };
const DAY_MS = 86_400_000;
const LIMITS = { maxBytes: 0, maxAgeMs: 0, maxFiles: 0, minKeep: 0, compressAfterMs: 0 };

function folder(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "telltale-retention-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = (name: string, daysOld: number, text = `${name}\n`) => {
    const path = join(dir, name);
    writeFileSync(path, text);
    const at = (Date.now() - daysOld * DAY_MS) / 1_000;
    utimesSync(path, at, at);
    return path;
  };
  const events: EventBody[] = [];
  const emit = (body: EventBody): Event => {
    events.push(body);
    return { v: EVENT_SCHEMA_VERSION, id: "", host: "", at: "", ...body };
  };
  return { dir, file, events, emit };
}

test("removes what is over age, compresses what is old, leaves what is open and what a link leads to", async (t) => {
  const { dir, file, events, emit } = folder(t);
  const fresh = file("app-2026-11-22.log", 0);
  const old = file("app-2026-11-01.log", 20);
  const ancient = file("app-2026-01-01.log", 300);
  const open = file("app-open.log", 300);
  const elsewhere = join(dir, "elsewhere");
  mkdirSync(elsewhere);
  const precious = join(elsewhere, "precious");
  writeFileSync(precious, "keep me");
  symlinkSync(precious, join(dir, "app-link.log"));
  const held = openSync(open, "a");
  t.after(() => closeSync(held));

  const group = {
    name: "app",
    paths: [`${dir}/app-*.log`],
    ...LIMITS,
    maxAgeMs: 90 * DAY_MS,
    compressAfterMs: 7 * DAY_MS,
  };
  const done = await runGroups([group], NO_STANZAS, new Date(), emit);
  assert.deepEqual(done, { removed: 1, failed: 0, bytesFreed: "app-2026-01-01.log\n".length });
  assert.deepEqual(
    [fresh, ancient, open, precious].map((path) => existsSync(path)),
    [true, false, true, true],
  );
  assert.equal(existsSync(old), false);
  assert.equal(gunzipSync(readFileSync(`${old}.gz`)).toString(), "app-2026-11-01.log\n");
  assert.deepEqual(events, [
    { type: "log.pruned", path: ancient, sizeBytes: 19, because: "max_age of retention.app" },
  ]);
});

test("what a stanza rotates is not pruned under its hands", (t) => {
  const { dir, file } = folder(t);
  const live = file("a.log", 300);
  file("a.log.1", 301);
  const stanzas = [{ logs: [live] }] as never;
  const group = { name: "a", paths: [`${dir}/a.log*`], ...LIMITS, maxAgeMs: DAY_MS };
  const [plan] = planGroups([group], { faults: [], stanzas }, new Date());
  assert.deepEqual(
    plan!.steps.map((step) => step.file.path),
    [`${live}.1`],
  );
  assert.deepEqual(plan!.spared, [live]);
});
