import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { FileFact } from "../types.ts";
import { planRetention, type RetentionLimits } from "./plan.ts";

const NOW = new Date("2026-11-22T12:00:00Z");
const HOUR_MS = 3_600_000;
const NONE: RetentionLimits = { maxBytes: 0, maxAgeMs: 0, maxFiles: 0, minKeep: 0, compressAfterMs: 0 };

function fact(name: string, hoursOld: number, sizeBytes: number, more: Partial<FileFact> = {}): FileFact {
  const mtimeMs = NOW.getTime() - hoursOld * HOUR_MS;
  const rest = { dev: 1, ino: 1, links: 1, mode: 0o644, uid: 0, gid: 0, atimeMs: mtimeMs };
  return { path: `/g/${name}`, kind: "file", sizeBytes, mtimeMs, ...rest, ...more };
}

const removed = (limits: Partial<RetentionLimits>, files: FileFact[], busy: string[] = []) =>
  planRetention({ ...NONE, ...limits }, files, new Set(busy), NOW)
    .steps.filter((step) => step.do === "remove")
    .map((step) => `${step.file.path.slice(3)} ${step.because}`);

test("keeps the newest below the size, and removes the oldest first", () => {
  const files = [fact("c", 3, 50), fact("a", 1, 50), fact("d", 4, 50), fact("b", 2, 50)];
  assert.deepEqual(removed({ maxBytes: 120 }, files), ["d max_bytes", "c max_bytes"]);
});

test("removes by age and by number", () => {
  const files = [fact("a", 1, 1), fact("b", 30, 1), fact("c", 50, 1)];
  assert.deepEqual(removed({ maxAgeMs: 24 * HOUR_MS }, files), ["c max_age", "b max_age"]);
  assert.deepEqual(removed({ maxFiles: 2 }, files), ["c max_files"]);
});

test("the newest stay whatever the limits say", () => {
  const files = [fact("a", 100, 500), fact("b", 200, 500), fact("c", 300, 500)];
  assert.deepEqual(removed({ maxBytes: 1, maxAgeMs: 1, maxFiles: 1, minKeep: 2 }, files), ["c max_age"]);
});

test("what somebody writes, what has a second name and what is no file stays", () => {
  const files = [
    fact("busy", 90, 10),
    fact("linked", 91, 10, { links: 2 }),
    fact("link", 92, 10, { kind: "link" }),
    fact("old", 93, 10),
  ];
  assert.deepEqual(removed({ maxAgeMs: HOUR_MS }, files, ["/g/busy"]), ["old max_age"]);
  const { spared } = planRetention({ ...NONE, maxAgeMs: HOUR_MS }, files, new Set(["/g/busy"]), NOW);
  assert.deepEqual(spared, ["/g/busy", "/g/linked"]);
});

test("compresses what is old, not compressed yet and not in use", () => {
  const files = [
    fact("a", 1, 9),
    fact("b", 30, 9),
    fact("c.gz", 40, 9),
    fact("d", 50, 0),
    fact("e", 60, 9),
    fact("e.gz", 61, 9),
  ];
  const { steps } = planRetention({ ...NONE, compressAfterMs: 24 * HOUR_MS }, files, new Set(), NOW);
  assert.deepEqual(
    steps.map((step) => step.do === "compress" && step.to),
    ["/g/b.gz"],
  );
});

test("after any plan the limits hold, or only protected files are left over them", () => {
  const file = fc.record({
    hours: fc.integer({ min: 0, max: 500 }),
    size: fc.integer({ min: 0, max: 100 }),
    busy: fc.boolean(),
  });
  const limits = fc.record({
    maxBytes: fc.integer({ min: 0, max: 500 }),
    maxAgeMs: fc.integer({ min: 0, max: 400 * HOUR_MS }),
    maxFiles: fc.integer({ min: 0, max: 10 }),
    minKeep: fc.integer({ min: 0, max: 5 }),
    compressAfterMs: fc.constant(0),
  });
  fc.assert(
    fc.property(fc.array(file, { maxLength: 20 }), limits, (list, bounds) => {
      const files = list.map(({ hours, size }, i) => fact(`f${i}`, hours, size));
      const busy = new Set(files.filter((_, i) => list[i]!.busy).map(({ path }) => path));
      const { steps } = planRetention(bounds, files, busy, NOW);
      const gone = new Set(steps.map((step) => step.file.path));
      const left = files.filter(({ path }) => !gone.has(path));
      assert.ok(
        [...gone].every((path) => !busy.has(path)),
        "a busy file goes",
      );
      assert.ok(left.length >= Math.min(bounds.minKeep, files.length), "too few are kept");
      // What is left over a limit is there because it is busy or among the newest.
      const newest = [...files]
        .sort((a, b) => b.mtimeMs - a.mtimeMs || (a.path < b.path ? 1 : -1))
        .slice(0, bounds.minKeep);
      const free = left.filter((each) => !busy.has(each.path) && !newest.includes(each));
      if (free.length === 0) return;
      if (bounds.maxFiles > 0) assert.ok(left.length <= bounds.maxFiles + busy.size + bounds.minKeep);
      const bytes = (kept: FileFact[]) => kept.reduce((sum, each) => sum + each.sizeBytes, 0);
      const guarded = bytes(left.filter((each) => !free.includes(each)));
      if (bounds.maxBytes > 0) assert.ok(bytes(free) <= Math.max(bounds.maxBytes, bounds.maxBytes - guarded));
    }),
  );
});
