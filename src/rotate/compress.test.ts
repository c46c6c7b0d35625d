import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { compressFile } from "./compress.ts";
import { Directories } from "./directories.ts";
import { squeezeOf } from "./squeeze/squeeze.ts";
import { SqueezeThreads } from "./squeeze/threads.ts";

function scratch(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), "tt-gz-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

const zstd = (...options: string[]) => ({ command: "/usr/bin/zstd", options });
const gzip = (...options: string[]) => ({ command: "/bin/gzip", options });

async function compress(root: string, content: Uint8Array, by = gzip("-6")): Promise<Buffer> {
  using directories = new Directories();
  await using threads = new SqueezeThreads(1);
  const from = join(root, "a");
  writeFileSync(from, content, { mode: 0o640 });
  utimesSync(from, 1_700_000_000, 1_700_000_000);
  const work = { from, to: `${from}.gz`, with: by, times: null, identity: null, stamp: "s" };
  const { bytesIn } = await compressFile(work, directories, threads);
  assert.equal(bytesIn, content.length);
  const stat = statSync(`${from}.gz`);
  assert.deepEqual([stat.mode & 0o777, stat.mtimeMs], [0o640, 1_700_000_000_000]);
  const made = readFileSync(`${from}.gz`);
  rmSync(`${from}.gz`);
  return made;
}

test("what is compressed is read again by gzip itself, small files and large ones", async (t) => {
  const root = scratch(t);
  for (const size of [0, 1, 511, 512, 4096, 16_384, 16_385, 2_097_152, 2_097_153, 9_000_001]) {
    const content = Buffer.alloc(size, `a line of a log, number ${size}\n`);
    const made = await compress(root, content);
    writeFileSync(join(root, "made.gz"), made);
    const read = spawnSync("gzip", ["-dc", join(root, "made.gz")], { maxBuffer: 20_000_000 });
    assert.equal(read.status, 0, `${size}: ${read.stderr}`);
    assert.ok(read.stdout.equals(content), String(size));
  }
});

test("any bytes come back as they were", async (t) => {
  const root = scratch(t);
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 3_000 }), pickLevel, async (content, level) => {
      assert.ok(gunzipSync(await compress(root, content, gzip(level))).equals(content));
    }),
    { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 60) },
  );
});
const pickLevel = fc.constantFrom("-1", "-6", "-9");

test("what zstd makes is made here, and read again by zstd itself", async (t) => {
  const root = scratch(t);
  if (spawnSync("zstd", ["--version"]).error !== undefined) return t.skip("needs zstd: apt install zstd");
  for (const size of [0, 1, 4096, 4_194_304, 9_000_001]) {
    const content = Buffer.alloc(size, `a line of a log, number ${size}\n`);
    writeFileSync(join(root, "made.zst"), await compress(root, content, zstd("-3", "-T0", "-q")));
    const read = spawnSync("zstd", ["-dc", join(root, "made.zst")], { maxBuffer: 20_000_000 });
    assert.equal(read.status, 0, `${size}: ${read.stderr}`);
    assert.ok(read.stdout.equals(content), String(size));
  }
});

test("only plain gzip and zstd with a level are done here; anything else is the administrator's command", () => {
  assert.deepEqual(squeezeOf(gzip("-9")), { method: "gzip", level: 9 });
  assert.deepEqual(squeezeOf(gzip()), { method: "gzip", level: 6 });
  assert.deepEqual(squeezeOf(gzip("--best", "-n")), { method: "gzip", level: 9 });
  assert.deepEqual(squeezeOf(zstd("-19")), { method: "zstd", level: 19 });
  assert.deepEqual(squeezeOf(zstd()), { method: "zstd", level: 3 });
  assert.deepEqual(squeezeOf({ command: "zstd", options: ["-T4"] }), { method: "zstd", level: 3 });
  for (const other of [gzip("--rsyncable"), zstd("--ultra", "-22"), zstd("--long=27"), zstd("--fast=3")])
    assert.equal(squeezeOf(other), null);
  for (const command of ["/usr/local/bin/gzip", "/opt/zstd", "pigz", "xz"])
    assert.equal(squeezeOf({ command, options: [] }), null, command);
});

test("an interrupted compression leaves the file, and no part of another", async (t) => {
  const root = scratch(t);
  const from = join(root, "a");
  const content = Buffer.alloc(30_000_000, "line\n");
  writeFileSync(from, content);
  using directories = new Directories();
  await using threads = new SqueezeThreads(1);
  const work = {
    from,
    to: `${from}.gz`,
    with: gzip("-6"),
    times: null,
    identity: null,
    stamp: "s",
  };
  const running = compressFile(work, directories, threads);
  setImmediate(() => threads.halt());
  await assert.rejects(running);
  assert.deepEqual(readdirSync(root), ["a"]);
  assert.ok(readFileSync(from).equals(content));
});
