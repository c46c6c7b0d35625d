import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { compressFile, gzipLevel } from "./compress.ts";
import { Directories } from "./directories.ts";

function scratch(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), "tt-gz-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

const gzip = (...options: string[]) => ({ command: "/bin/gzip", options });

async function compress(root: string, content: Uint8Array, options = ["-6"]): Promise<Buffer> {
  using directories = new Directories();
  const from = join(root, "a");
  writeFileSync(from, content, { mode: 0o640 });
  utimesSync(from, 1_700_000_000, 1_700_000_000);
  const work = { from, to: `${from}.gz`, with: gzip(...options), times: null, identity: null, stamp: "s" };
  const { bytesIn } = await compressFile(work, directories);
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
      assert.ok(gunzipSync(await compress(root, content, [level])).equals(content));
    }),
    { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 60) },
  );
});
const pickLevel = fc.constantFrom("-1", "-6", "-9");

test("only plain gzip with a level is done here; anything else is the administrator's command", () => {
  assert.equal(gzipLevel(gzip("-9")), 9);
  assert.equal(gzipLevel(gzip()), 6);
  assert.equal(gzipLevel(gzip("--best", "-n")), 9);
  assert.equal(gzipLevel(gzip("--rsyncable")), null);
  assert.equal(gzipLevel({ command: "/usr/local/bin/gzip", options: [] }), null);
});

test("an interrupted compression leaves the file, and no part of another", async (t) => {
  const root = scratch(t);
  const from = join(root, "a");
  const content = Buffer.alloc(30_000_000, "line\n");
  writeFileSync(from, content);
  using directories = new Directories();
  const stopping = new AbortController();
  const work = {
    from,
    to: `${from}.gz`,
    with: gzip("-6"),
    times: null,
    identity: null,
    stamp: "s",
    signal: stopping.signal,
  };
  const running = compressFile(work, directories);
  setImmediate(() => stopping.abort());
  await assert.rejects(running);
  assert.deepEqual(readdirSync(root), ["a"]);
  assert.ok(readFileSync(from).equals(content));
});
