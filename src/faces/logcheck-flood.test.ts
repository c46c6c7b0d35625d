// What a stranger can do to a report by what they write into a log.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { Playground } from "./logcheck.playground.ts";

test("lines that are meant to hurt cost linear time and come through unharmed", async (t) => {
  const place = new Playground(t);
  place.write("rules/ignore.d.server/x", "^(a+)+$\n(.*)*b(.*)*c$\n");
  const long = Buffer.alloc(10 << 20, "a");
  place.write("logs/long", Buffer.concat([long, Buffer.from("!\n"), long, Buffer.from("\n")]));
  place.write("logs/odd", Buffer.from("Nov 22 19:51:02 h \0\x1b[2J\xff\xc3\n\0\n", "latin1"));
  const ours = await place.runOurs("C.UTF-8");
  const reported = ours.report.split("\n");
  assert.deepEqual(
    reported.map((text) => text.length),
    ["System Events".length, 13, 1, 25, (10 << 20) + 1, 0, 0],
  );
  assert.equal(reported[3], "Nov 22 19:51:02 h \0\x1b[2J\xff\xc3");
});

test("a flood of reported lines goes through the disk, and nothing of it stays there", async (t) => {
  const place = new Playground(t);
  const lines = Array.from(
    { length: 60_000 },
    (_, i) => `Nov 22 19:${String((i * 7) % 60).padStart(2, "0")}:00 host flood: ${i} ${"x".repeat(900)}`,
  );
  place.write("logs/syslog", `${lines.join("\n")}\n`);
  const ours = await place.runOurs("C");
  const reported = ours.report.split("\n").slice(2, -2);
  assert.equal(reported.length, lines.length);
  const minuteOf = (text: string) => text.slice(0, 12);
  const wanted = lines.sort((a, b) => (minuteOf(a) < minuteOf(b) ? -1 : minuteOf(a) > minuteOf(b) ? 1 : 0));
  assert.deepEqual(reported.slice(0, 20_000), wanted.slice(0, 20_000));
  assert.deepEqual(readdirSync(join(place.dir, "tmp")), []);
});
