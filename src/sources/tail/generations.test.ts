import assert from "node:assert/strict";
import test from "node:test";
import { type Generation, generationName, newerThan } from "./generations.ts";

test("knows the names that rotation gives", () => {
  const yes: [string, string, string | null][] = [
    ["auth.log", "auth.log.1", null],
    ["auth.log", "auth.log.12.gz", "gzip"],
    ["auth.log", "auth.log.0.zst", "zstd"],
    ["auth.log", "auth.log-20261122", null],
    ["auth.log", "auth.log-20261122.xz", "xz"],
    ["auth.log", "auth.log-2026-11-22.bz2", "bzip2"],
    ["auth.log", "auth.log-1763841062", null],
    ["auth.log", "auth.log-20261122-19.gz", "gzip"],
    ["auth.log", "auth.log.old", null],
    ["syslog", "syslog.1", null],
    ["app.log", "app.1.log", null],
    ["app.log", "app-20261122.log.gz", "gzip"],
  ];
  for (const [log, name, compression] of yes) {
    assert.equal(generationName(log, name)?.compression, compression, name);
  }
});

test("leaves alone what only looks alike", () => {
  const no: [string, string][] = [
    ["auth.log", "auth.log"],
    ["auth.log", "auth.log.gz"],
    ["auth.log", "auth.log.bak"],
    ["auth.log", "auth.log.1.tmp"],
    ["auth.log", "auth.log.offset"],
    ["auth.log", "xauth.log.1"],
    ["app.log", "app-1.log"],
    ["app.log", "app-2.log.1"],
    ["app.log", "app-error.log"],
    ["app.log", "app.log.12345"],
    ["syslog", "syslog.d"],
    [".log", ".1.log"],
  ];
  for (const [log, name] of no) assert.equal(generationName(log, name), null, name);
});

function generation(name: string, mtimeMs: number): Generation {
  const told = generationName("a.log", name);
  assert.ok(told, name);
  return { ...told, path: `/l/${name}`, device: "1", inode: name, sizeBytes: 1, mtimeMs };
}

test("orders generations by their scheme, mixed schemes by time, and skips an archive whose file is still there", () => {
  const all = [
    generation("a.log.10", 10),
    generation("a.log.2", 90),
    generation("a.log.1", 80),
    generation("a.log.1.gz", 80),
    generation("a.log.3.gz", 70),
  ];
  const names = (list: Generation[]) => list.map(({ path }) => path.slice(3));
  assert.deepEqual(names(newerThan(all, all[0]!, 0)), ["a.log.3.gz", "a.log.2", "a.log.1"]);
  assert.deepEqual(names(newerThan(all, all[2]!, 0)), []);
  assert.deepEqual(names(newerThan(all, null, 75)), ["a.log.2", "a.log.1"]);
  const dated = generation("a.log-20261122", 85);
  assert.deepEqual(names(newerThan([...all, dated], all[2]!, 0)), ["a.log-20261122"]);
});

test("a log of the same name in another year is another generation", () => {
  const [old, young] = [generation("a.log-20251231", 5), generation("a.log-20260101", 5)];
  assert.deepEqual(newerThan([young, old], old, 0), [young]);
});
