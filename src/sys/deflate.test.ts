import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { gzipMaker } from "./deflate.ts";

test("members in a row are a gzip file of the pieces in a row", async (t) => {
  const maker = gzipMaker(6, 100_000);
  if (maker === null) return t.skip("needs libdeflate: apt install libdeflate0");
  using made = maker;
  const pieces = [
    Buffer.alloc(100_000, "log line\n"),
    Buffer.alloc(0),
    Buffer.from([0, 255, 10]),
    Buffer.alloc(99_999, "x"),
  ];
  const members: Buffer[] = [];
  for (const piece of pieces) members.push(Buffer.from(await made.member(piece)));
  assert.ok(gunzipSync(Buffer.concat(members)).equals(Buffer.concat(pieces)));
  assert.ok(gunzipSync(made.memberNow(pieces[0]!)).equals(pieces[0]!));
  assert.throws(() => made.member(Buffer.alloc(100_001)), /at most 100000/);
});

test("several makers work at the same time", async (t) => {
  const makers = [1, 6, 9].map((level) => gzipMaker(level, 1_000_000));
  if (makers.includes(null)) return t.skip("needs libdeflate: apt install libdeflate0");
  const texts = makers.map((_, i) => Buffer.alloc(900_000, `text ${i} `));
  const made = await Promise.all(makers.map((maker, i) => maker!.member(texts[i]!)));
  made.forEach((member, i) => {
    assert.ok(gunzipSync(member).equals(texts[i]!));
  });
  for (const maker of makers) maker![Symbol.dispose]();
});
