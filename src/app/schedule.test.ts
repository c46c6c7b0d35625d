import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import fc from "fast-check";
import type { Clock } from "../core/clock.ts";
import { parseSchedule, type Schedule } from "../core/schedule.ts";
import { jitterOf, type RunMemory, repeat, runsInFile } from "./schedule.ts";

const MINUTE = 60_000;

function schedule(text: string): Schedule {
  const read = parseSchedule(text);
  assert.ok(!("fault" in read), text);
  return read;
}

/** Wall time that a test sets, and timers that only its `pass` moves. */
function world(t: TestContext, start: string) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let wall = Date.parse(start);
  let monotonic = 0;
  const clock: Clock = { now: () => new Date(wall), monotonicMs: () => monotonic };
  const tick = async (ms: number) => {
    t.mock.timers.tick(ms);
    for (let i = 0; i < 6; i++) await Promise.resolve();
  };
  return {
    clock,
    /** Time passes for everybody. */
    pass: async (ms: number) => {
      for (let left = ms; left > 0; left -= 1_000) {
        const step = Math.min(1_000, left);
        wall += step;
        monotonic += step;
        await tick(step);
      }
    },
    /** The clock is set, or the host slept: timers do not know. */
    jump: (ms: number) => {
      wall += ms;
    },
  };
}

function recorded(clock: Clock): { runs: string[]; run: () => Promise<void> } {
  const runs: string[] = [];
  return { runs, run: async () => void runs.push(clock.now().toISOString().slice(5, 19)) };
}

test("runs at the times of the schedule", async (t) => {
  const { clock, pass } = world(t, "2025-06-01T06:20:00Z");
  const { runs, run } = recorded(clock);
  const work = repeat(schedule("daily at 06:25"), clock, run, { timeZone: "UTC" });
  assert.equal(work.nextAt().toISOString(), "2025-06-01T06:25:00.000Z");
  await pass(6 * MINUTE);
  assert.deepEqual(runs, ["06-01T06:25:00"]);
  assert.equal(work.nextAt().toISOString(), "2025-06-02T06:25:00.000Z");
  await work.stop();
});

test("what fell due while nothing ran is made up for once", async (t) => {
  const { clock, pass } = world(t, "2025-06-05T12:00:00Z");
  const { runs, run } = recorded(clock);
  let last = new Date("2025-06-01T06:25:00Z");
  const memory: RunMemory = { last, remember: (at) => void (last = at) };
  const work = repeat(schedule("daily at 06:25"), clock, run, { timeZone: "UTC", memory });
  await pass(10 * MINUTE);
  assert.deepEqual(runs, ["06-05T12:00:01"]);
  assert.equal(work.nextAt().toISOString(), "2025-06-06T06:25:00.000Z");
  assert.equal(last.toISOString(), "2025-06-05T12:00:01.000Z");
  await work.stop();
});

test("a restart between two runs makes up for nothing", async (t) => {
  const { clock, pass } = world(t, "2025-06-05T12:00:00Z");
  const { runs, run } = recorded(clock);
  const memory: RunMemory = { last: new Date("2025-06-05T06:25:00Z"), remember: () => {} };
  const work = repeat(schedule("daily at 06:25"), clock, run, { timeZone: "UTC", memory });
  await pass(10 * MINUTE);
  assert.deepEqual(runs, []);
  await work.stop();
});

test("a last run in the future is that of a wrong clock", async (t) => {
  const { clock } = world(t, "2025-06-05T12:00:00Z");
  const memory: RunMemory = { last: new Date("2039-01-01T00:00:00Z"), remember: () => {} };
  const work = repeat(schedule("hourly"), clock, async () => {}, { timeZone: "UTC", memory });
  assert.equal(work.nextAt().toISOString(), "2025-06-05T13:00:00.000Z");
  await work.stop();
});

test("a host that slept over several times runs once, within a minute of waking", async (t) => {
  const { clock, pass, jump } = world(t, "2025-06-05T12:10:00Z");
  const { runs, run } = recorded(clock);
  const work = repeat(schedule("hourly"), clock, run, { timeZone: "UTC" });
  await pass(MINUTE);
  jump(300 * MINUTE);
  await pass(MINUTE);
  assert.equal(runs.length, 1);
  assert.equal(work.nextAt().toISOString(), "2025-06-05T18:00:00.000Z");
  await work.stop();
});

test("a clock that is set back a little repeats nothing; one set back far does not stop the work", async (t) => {
  const { clock, pass, jump } = world(t, "2025-06-05T06:24:30Z");
  const { runs, run } = recorded(clock);
  const work = repeat(schedule("daily at 06:25"), clock, run, { timeZone: "UTC" });
  await pass(MINUTE);
  assert.equal(runs.length, 1);
  jump(-2 * MINUTE);
  await pass(5 * MINUTE);
  assert.equal(runs.length, 1, "the correction ran it again");
  jump(-10 * 24 * 60 * MINUTE);
  await pass(2 * MINUTE);
  assert.equal(work.nextAt().toISOString(), "2025-05-27T06:25:00.000Z");
  await work.stop();
});

test("while a run lasts, the times that pass are left out", async (t) => {
  const { clock, pass } = world(t, "2025-06-05T12:00:00Z");
  let began = 0;
  let end = () => {};
  const work = repeat(MINUTE, clock, () => {
    began++;
    return new Promise<void>((resolve) => void (end = resolve));
  });
  await pass(5 * MINUTE);
  assert.equal(began, 1);
  end();
  await pass(MINUTE + 1_000);
  assert.equal(began, 2);
  end();
  await work.stop();
});

test("whatever happens to the clock, the next run is ahead and no further than one gap", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("hourly", "every 15 minutes", "daily at 02:30", "*/20 * * * *"),
      fc.array(fc.integer({ min: -3_000, max: 3_000 }), { maxLength: 4 }),
      async (text, jumps) => {
        const { clock, pass, jump } = world(t, "2025-03-29T22:00:00Z");
        const work = repeat(schedule(text), clock, async () => {}, { timeZone: "Europe/Berlin" });
        for (const minutes of jumps) {
          jump(minutes * MINUTE);
          await pass(2 * MINUTE);
          const waitMs = work.nextAt().getTime() - clock.now().getTime();
          assert.ok(waitMs > -2_000, `${text}: ${waitMs}`);
          // A correction of up to an hour may be waited out on top.
          assert.ok(waitMs <= (text.startsWith("daily") ? 26 * 60 : 121) * MINUTE, `${text}: ${waitMs}`);
        }
        await work.stop();
        t.mock.timers.reset();
      },
    ),
    { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 25) },
  );
});

test("the delay of a host is its own, and within bounds", () => {
  const delays = Array.from({ length: 200 }, (_, i) => jitterOf(`host${i}`, 120_000));
  assert.ok(delays.every((ms) => ms >= 0 && ms <= 120_000));
  assert.ok(new Set(delays).size > 150);
  assert.equal(jitterOf("host1", 120_000), jitterOf("host1", 120_000));
  assert.equal(jitterOf("host1", 0), 0);
});

test("runs are remembered in a file, which may not be a link to another", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale-schedule-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, "last-look");
  const at = new Date("2025-06-01T06:25:00Z");
  assert.equal(runsInFile(path).last, null);
  runsInFile(path).remember(at);
  assert.deepEqual(runsInFile(path).last, at);
  writeFileSync(join(dir, "other"), "precious");
  symlinkSync(join(dir, "other"), join(dir, "link"));
  runsInFile(join(dir, "link")).remember(at);
  assert.equal(readFileSync(join(dir, "other"), "utf8"), "precious");
  assert.notDeepEqual(runsInFile(join(dir, "other")).last, at);
  runsInFile(join(dir, "no/such/folder")).remember(at);
});
