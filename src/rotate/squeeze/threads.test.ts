import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import type { SqueezeJob } from "./squeeze.ts";
import { SqueezeThreads } from "./threads.ts";

const GZIP = { method: "gzip", level: 6 } as const;

function scratch(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), "tt-squeeze-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

type Opened = { job: SqueezeJob; text: string; made(): string };

// Files that are open as a rotation has them open.
function open(t: TestContext, root: string, count: number, sizeBytes: number): Opened[] {
  return Array.from({ length: count }, (_, index) => {
    const text = `line of log ${index}\n`.repeat(Math.ceil(sizeBytes / 10)).slice(0, sizeBytes);
    writeFileSync(join(root, `${index}`), text);
    const source = openSync(join(root, `${index}`), "r");
    const target = openSync(join(root, `${index}.gz`), "w+");
    t.after(() => {
      closeSync(source);
      closeSync(target);
    });
    return {
      job: { source, target, how: GZIP },
      text,
      made: () => gunzipSync(readFileSync(join(root, `${index}.gz`))).toString(),
    };
  });
}

test("hundreds of small files and some large ones come out whole, whoever compresses them", async (t) => {
  const root = scratch(t);
  await using threads = new SqueezeThreads(2);
  const files = [...open(t, root, 300, 4_096)];
  const large = open(t, scratch(t), 3, 9_000_000);
  const all = [...files, ...large];
  await Promise.all(all.map(({ job, text }) => threads.squeeze(job, text.length)));
  for (const { text, made } of all) assert.ok(made() === text);
  assert.equal(
    threads.bytesDone,
    all.reduce((sum, { text }) => sum + text.length, 0),
  );
});

// A thread that does its jobs as the real one does, but dies over a file of a certain size.
const MORTAL = (real: string, poisoned: number): string => `
import { parentPort } from "node:worker_threads";
import { fstatSync } from "node:fs";
import { squeezeFile } from ${JSON.stringify(real)};
parentPort.on("message", ({ jobs, states }) => {
  for (const [index, job] of jobs.entries()) {
    Atomics.store(states, index, 1);
    if (fstatSync(job.source).size === ${poisoned}) process.exit(7);
    squeezeFile(job, () => {});
    Atomics.store(states, index, 2);
  }
  parentPort.postMessage({ failures: [] });
});`;

test("a thread that dies costs the file it was at; those before and after it are compressed", async (t) => {
  const root = scratch(t);
  const entry = join(root, "mortal.mjs");
  writeFileSync(entry, MORTAL(join(import.meta.dirname, "squeeze.ts"), 5_000));
  await using threads = new SqueezeThreads(1, pathToFileURL(entry));
  const files = open(t, root, 100, 4_096);
  const [poison] = open(t, scratch(t), 1, 5_000);
  files.splice(40, 0, poison!);
  const ends = await Promise.allSettled(files.map(({ job, text }) => threads.squeeze(job, text.length)));
  assert.deepEqual(
    ends.flatMap((end, index) => (end.status === "rejected" ? [`${index} ${end.reason}`] : [])),
    ["40 Error: the thread that compressed it died: it ended by itself"],
  );
  for (const [index, { text, made }] of files.entries()) if (index !== 40) assert.ok(made() === text);
});

test("threads that cannot even start cost one error for each file, and end", async (t) => {
  const root = scratch(t);
  await using threads = new SqueezeThreads(2, pathToFileURL(join(root, "nothing.mjs")));
  const files = open(t, root, 3, 5_000_000);
  const ends = await Promise.allSettled(files.map(({ job, text }) => threads.squeeze(job, text.length)));
  for (const end of ends) {
    assert.equal(end.status, "rejected");
    assert.match(String((end as PromiseRejectedResult).reason), /died: Cannot find module/);
  }
});

test("what is halted fails soon, and what is closed does not begin", async (t) => {
  const root = scratch(t);
  const threads = new SqueezeThreads(1);
  const files = open(t, root, 4, 20_000_000);
  const ends = Promise.allSettled(files.map(({ job, text }) => threads.squeeze(job, text.length)));
  threads.halt();
  await threads[Symbol.asyncDispose]();
  for (const end of await ends) assert.equal(end.status, "rejected");
});

test("what goes wrong with a file is told as the system says it", async (t) => {
  const root = scratch(t);
  await using threads = new SqueezeThreads(1);
  const [good] = open(t, root, 1, 5_000_000);
  const bad = { ...good!.job, target: good!.job.source };
  await assert.rejects(threads.squeeze(bad, 5_000_000), /EBADF/);
  await threads.squeeze(good!.job, 5_000_000);
  assert.ok(good!.made() === good!.text);
});

test("a package has the threads' program under the name they start", () => {
  const room = import.meta.dirname;
  const name = /"\.\/([\w-]+)\.js"/.exec(readFileSync(join(room, "threads.ts"), "utf8"))?.[1] ?? "no name";
  const bundle = readFileSync(join(room, "../../../packaging/bundle.ts"), "utf8");
  assert.ok(bundle.includes(`"${name}": "src/rotate/squeeze/thread.ts"`), name);
});
