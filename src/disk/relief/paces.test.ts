import assert from "node:assert/strict";
import test from "node:test";
import { Paces } from "./paces.ts";
import type { LogFact } from "./plan.ts";

const log = (path: string, sizeBytes: number, writer: string | null = null): LogFact => ({
  path,
  sizeBytes,
  diskBytes: sizeBytes,
  keep: "normal",
  compresses: true,
  copies: false,
  generations: [],
  writer,
});

test("names the log that grew fastest, with its writer, and nobody at the first look", () => {
  const paces = new Paces();
  assert.equal(paces.look([log("/a", 100), log("/b", 5_000)], 1_000), null);
  assert.deepEqual(paces.look([log("/a", 2_100, "app[7]"), log("/b", 5_500)], 1_500), {
    path: "/a",
    bytesPerSecond: 4_000,
    writer: "app[7]",
  });
  assert.equal(paces.look([log("/a", 2_100), log("/b", 5_500)], 2_000), null, "nothing grew");
});

test("a log that was rotated meanwhile is judged by what it holds now, and a new one at the next look", () => {
  const paces = new Paces();
  paces.look([log("/a", 9_000)], 0);
  assert.equal(paces.look([log("/a", 500), log("/new", 800)], 1_000)?.bytesPerSecond, 500);
  assert.equal(paces.look([log("/a", 500), log("/new", 900)], 2_000)?.path, "/new");
});

test("two looks at once make no pace", () => {
  const paces = new Paces();
  paces.look([log("/a", 0)], 0);
  const fast = paces.look([log("/a", 1_000)], 100);
  assert.deepEqual(paces.look([log("/a", 900_000)], 101), fast);
});
