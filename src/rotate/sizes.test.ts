import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { SizeWatch, type SizeWatchOptions } from "./sizes.ts";

function scratch(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), "tt-sizes-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

type Ears = { told: string[]; watch: SizeWatch; until(count: number): Promise<void> };

function listen(t: TestContext, some: Partial<SizeWatchOptions> = {}): Ears {
  const told: string[] = [];
  let wake = (): void => undefined;
  const watch = new SizeWatch({
    ...some,
    onTooLarge: (log) => {
      told.push(log);
      wake();
    },
  });
  t.after(() => watch[Symbol.dispose]());
  const until = async (count: number): Promise<void> => {
    // The watch itself keeps no process alive.
    const alive = setInterval(() => undefined, 1_000);
    try {
      while (told.length < count)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    } finally {
      clearInterval(alive);
    }
  };
  return { told, watch, until };
}

// Nothing is polled while a test lasts: what is heard is heard by events.
const EVENTS_ONLY = { pollMs: 3_600_000 };

test("a log that passes its limit is told once, by events; one below it is not", {
  timeout: 30_000,
}, async (t) => {
  const root = scratch(t);
  const [log, other] = [join(root, "a.log"), join(root, "b.log")];
  for (const path of [log, other]) writeFileSync(path, "x".repeat(50));
  const { told, watch, until } = listen(t, EVENTS_ONLY);
  watch.watch([
    { log, limitBytes: 100 },
    { log: other, limitBytes: 100 },
  ]);
  assert.deepEqual({ ...watch.counts, looks: 0 }, { byEvents: 2, polled: 0, looks: 0 });
  appendFileSync(other, "y");
  appendFileSync(log, "x".repeat(49));
  appendFileSync(log, "x");
  await until(1);
  appendFileSync(log, "x".repeat(100));
  watch.watch([{ log, limitBytes: 100 }]);
  assert.deepEqual(told, [log]);
});

test("a log that is too large from the beginning is told at once", (t) => {
  const root = scratch(t);
  const log = join(root, "a.log");
  writeFileSync(log, "x".repeat(100));
  const { told, watch } = listen(t, EVENTS_ONLY);
  watch.watch([{ log, limitBytes: 100 }]);
  assert.deepEqual(told, [log]);
});

test("after a rotation the new file under the log's name is watched, and told again", {
  timeout: 30_000,
}, async (t) => {
  const root = scratch(t);
  const log = join(root, "a.log");
  writeFileSync(log, "");
  const { watch, until, told } = listen(t, { pollMs: 50 });
  watch.watch([{ log, limitBytes: 100 }]);
  for (let round = 1; round <= 3; round++) {
    appendFileSync(log, "x".repeat(200));
    await until(round);
    renameSync(log, `${log}.${round}`);
    writeFileSync(log, "");
    // As the guard does once a rotation is over.
    watch.watch([{ log, limitBytes: 100 }]);
  }
  assert.equal(told.length, 3);
});

test("a log that is not there yet, or lies where the kernel tells nothing, is polled", {
  timeout: 30_000,
}, async (t) => {
  const root = scratch(t);
  const [late, far] = [join(root, "late.log"), join(root, "far.log")];
  writeFileSync(far, "");
  const { watch, until, told } = listen(t, { pollMs: 20, hasEvents: () => false });
  watch.watch([
    { log: late, limitBytes: 10 },
    { log: far, limitBytes: 10 },
  ]);
  assert.equal(watch.counts.byEvents, 0);
  writeFileSync(late, "x".repeat(10));
  appendFileSync(far, "x".repeat(10));
  await until(2);
  assert.deepEqual(told.sort(), [far, late]);
});

test("a log that stays too large is told again only after the time for that", {
  timeout: 30_000,
}, async (t) => {
  const root = scratch(t);
  const log = join(root, "a.log");
  writeFileSync(log, "x".repeat(10));
  const { watch, until, told } = listen(t, { pollMs: 10, retryMs: 60, hasEvents: () => false });
  const began = performance.now();
  watch.watch([{ log, limitBytes: 10 }]);
  await until(3);
  assert.ok(performance.now() - began >= 119, "two times 60 ms lie between three tellings");
  assert.deepEqual(new Set(told), new Set([log]));
});

test("a writer of many thousand lines costs few looks, and its limit is noticed all the same", {
  timeout: 60_000,
}, async (t) => {
  const root = scratch(t);
  const log = join(root, "busy.log");
  writeFileSync(log, "");
  const { watch, until, told } = listen(t, EVENTS_ONLY);
  watch.watch([{ log, limitBytes: 2_000_000 }]);
  const writer = spawn(process.execPath, [
    "-e",
    `const fs = require("node:fs");
     const fd = fs.openSync(process.argv[1], "a");
     for (let i = 0; i < 40_000; i++) fs.writeSync(fd, "a line of a very busy log, " + "x".repeat(33) + "\\n");`,
    log,
  ]);
  await Promise.all([once(writer, "exit"), until(1)]);
  assert.deepEqual(told, [log]);
  assert.ok(watch.counts.looks < 4_000, `${watch.counts.looks} looks at 40,000 writes`);
});
