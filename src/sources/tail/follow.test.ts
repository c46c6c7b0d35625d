// Following a log, from one look to the next: what is new comes once, in whole batches, and a place that was kept is found again.
import assert from "node:assert/strict";
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { rig } from "./rig.ts";

test("reads what is there, then only what is new", async (t) => {
  const r = rig(t);
  r.write(3);
  await r.poll();
  await r.poll();
  r.write(2);
  await r.poll();
  r.complete("all once");
});

test("asked to begin at the end, takes the unfinished last line when it is finished", async (t) => {
  const r = rig(t);
  appendFileSync(r.log, "old\nbegun");
  await r.poll({ from: "end" });
  assert.deepEqual(r.got, []);
  appendFileSync(r.log, " and ended\nnew\n");
  await r.poll({ from: "end" });
  assert.deepEqual(r.got, ["begun and ended", "new"]);
});

test("a log that appears later is read from its first byte, even when asked to begin at the end", async (t) => {
  const r = rig(t);
  await r.poll({ from: "end" });
  r.write(4);
  await r.poll({ from: "end" });
  r.complete("all");
});

test("when a batch is refused it comes again whole, and nothing comes twice", async (t) => {
  const r = rig(t);
  r.write(10_000);
  let calls = 0;
  r.refuse = () => {
    if (++calls % 3 !== 0) throw new Error("disk full");
  };
  for (let tries = 0; r.got.length < 10_000 && tries < 50; tries++) {
    await r.poll().catch((error: Error) => assert.equal(error.message, "disk full"));
  }
  r.complete("after many refusals");
});

test("a refused batch of one log does not keep another log from being read", async (t) => {
  const r = rig(t);
  const other = join(r.dir, "other.log");
  r.write(1);
  writeFileSync(other, "other\n");
  const seen: string[] = [];
  const follower = r.follower({
    paths: [r.log, other],
    cursors: { get: () => null },
    commit: ({ source }) => {
      if (source === r.log) throw new Error("no");
      seen.push(source);
    },
  });
  await assert.rejects(follower.poll(), /^Error: no$/);
  await follower.stop();
  assert.ok(seen.includes(other));
});

test("a cursor that is nonsense counts as none", async (t) => {
  const r = rig(t);
  r.write(2);
  for (const nonsense of [7, {}, { v: 2 }, { v: 1, draining: [], spot: { offset: -1 } }]) {
    r.got.length = 0;
    r.cursor = nonsense;
    await r.poll();
    r.complete("from the start");
  }
});
