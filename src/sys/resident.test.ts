import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import test from "node:test";

// In a process of its own: the runner's other tests would fault the pages in again.
const PROBE = `
import { readFileSync } from "node:fs";
import { releaseRuntimePages } from ${JSON.stringify(join(import.meta.dirname, "resident.ts"))};
const rssKb = () => Number(/^Rss: +(\\d+)/m.exec(readFileSync("/proc/self/smaps_rollup", "utf8"))[1]);
await import("node:http");
const before = rssKb();
const released = releaseRuntimePages();
const after = rssKb();
// Everything still works: code that was let go, and code that was never used.
const { gzipSync, gunzipSync } = await import("node:zlib");
const text = "a line\\n".repeat(10_000);
console.log(JSON.stringify({ released, before, after, works: gunzipSync(gzipSync(text)).toString() === text }));
`;

test("the runtime's pages are given back, and its code works as before", () => {
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", PROBE], {
    encoding: "utf8",
  });
  const { released, before, after, works } = JSON.parse(stdout || `{"stderr":${JSON.stringify(stderr)}}`);
  assert.ok(released > 10_000_000, `${released} ${stderr}`);
  assert.ok(before - after > 5_000, `${before} kB before, ${after} kB after`);
  assert.equal(works, true);
});
