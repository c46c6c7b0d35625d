import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { BATCH_LOGS, batchesOf } from "./batches.ts";
import { DEFAULTS } from "./directives/parse.ts";
import type { LogStanza, Settings } from "./types.ts";

const names = (make: (i: number) => string) => Array.from({ length: BATCH_LOGS + 100 }, (_, i) => make(i));

function stanza(
  logs: readonly string[],
  settings: Partial<Settings> = {},
  scripts: LogStanza["scripts"] = {},
): LogStanza {
  const place = { file: "/c", line: 1 };
  return {
    id: 1,
    place,
    patternText: "",
    patterns: [],
    logs,
    settings: { ...DEFAULTS, ...settings },
    scripts,
    origins: {},
  };
}

const count = (
  logs: readonly string[],
  settings: Partial<Settings> = {},
  scripts: LogStanza["scripts"] = {},
) => batchesOf(stanza(logs, settings, scripts), logs).length;

test("many logs that do not touch each other come in batches, in order", () => {
  const logs = names((i) => `/l/log${i}.log`);
  const batches = batchesOf(stanza(logs), logs);
  assert.deepEqual(
    batches.map((batch) => batch.length),
    [BATCH_LOGS, 100],
  );
  assert.deepEqual(batches.flat(), logs);
});

test("logs that could be each other's generations stay together", () => {
  const logs = names((i) => `/l/log${i}.log`);
  assert.equal(count([...logs, "/l/log7.log.1"]), 1);
  assert.equal(count([...logs, "/l/log7.log-20261122"]), 1);
  assert.equal(count(logs, { extension: ".log" }), 1, "log1.1.log and log10.log begin alike");
  assert.equal(count([...logs, "/m/log7.log"], { olddir: "/old" }), 1, "two logs give the same names");
  assert.equal(count([...logs, "/old/log7.log.1"], { olddir: "/old" }), 1);
  assert.equal(count(logs, { olddir: "/old" }), 2);
});

test("logs in two directories that are one stay together", (t) => {
  const root = mkdtempSync(join(tmpdir(), "telltale-batches-"));
  t.after(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, "a"));
  symlinkSync("a", join(root, "b"));
  assert.equal(count(names((i) => `${root}/${i % 2 === 0 ? "a" : "b"}/log${i}.log`)), 1);
  assert.equal(count(names((i) => `${root}/a/log${i}.log`)), 2);
  assert.equal(
    count(
      names((i) => `${root}/a/log${i}.log`),
      { allowHardLink: true },
    ),
    1,
  );
});

test("scripts for all keep all together", () => {
  const logs = names((i) => `/l/log${i}.log`);
  const script = { text: "true\n", place: { file: "/c", line: 2 } };
  assert.equal(count(logs, { sharedScripts: true }), 1);
  assert.equal(count(logs, {}, { firstaction: script }), 1);
  assert.equal(count(logs, {}, { lastaction: script }), 1);
  assert.equal(count(logs, {}, { postrotate: script }), 2);
});
