import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { nextRun, parseSchedule, type Schedule } from "./schedule.ts";

const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 20);
const ZONES = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "America/Santiago", // clocks change at midnight
  "Australia/Lord_Howe", // by half an hour
  "Asia/Kolkata",
  "Pacific/Apia",
  "Africa/Cairo",
];

function schedule(text: string): Schedule {
  const read = parseSchedule(text);
  assert.ok(!("fault" in read), `${text}: ${JSON.stringify(read)}`);
  return read;
}

const formats = new Map<string, Intl.DateTimeFormat>();
/** `2025-03-30 02:30` in the zone. */
function local(at: Date, timeZone: string): string {
  let format = formats.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "short" });
    formats.set(timeZone, format);
  }
  return format.format(at);
}

test("reads the words people use", () => {
  const cases: [string, string | number][] = [
    ["hourly", "0 * * * *"],
    ["hourly at :25", "25 * * * *"],
    ["Daily", "0 0 * * *"],
    ["daily at 06:25", "25 6 * * *"],
    ["weekly", "0 0 * * 1"],
    ["weekly on monday at 03:00", "0 3 * * 1"],
    ["weekly on sun", "0 0 * * 0"],
    ["monthly", "0 0 1 * *"],
    ["monthly on the 15th at 4:00", "0 4 15 * *"],
    ["monthly on last at 4:00", "0 4 L * *"],
    ["25 6 * * 1-5", "25 6 * * 1-5"],
    ["@daily", "0 0 * * *"],
    ["every 15 minutes", 900_000],
    ["every hour", 3_600_000],
    ["every 90s", 90_000],
    ["1h30m", 5_400_000],
  ];
  for (const [text, want] of cases) {
    const read = schedule(text);
    assert.equal("cron" in read ? read.cron : read.everyMs, want, text);
  }
});

test("says what is wrong with the others", () => {
  const cases: [string, RegExp][] = [
    ["", /wants a schedule/],
    ["now and then", /daily at 06:25/],
    ["daily at 25:00", /00:00 to 23:59, found "25:00"/],
    ["daily at noon", /found "noon"/],
    ["daily on monday", /weekly on monday/],
    ["weekly on caturday", /found "caturday"/],
    ["monthly on 31", /from 1 to 28, or last; found "31"/],
    ["hourly at 06:25", /hourly at :25/],
    ["0s", /zero/],
    ["61 * * * *", /minute: 61/],
    ["0 0 31 2 *", /never comes/],
    ["x".repeat(5_000), /wants a schedule/],
  ];
  for (const [text, want] of cases) {
    const read = parseSchedule(text);
    assert.ok("fault" in read, text);
    assert.match(read.fault, want);
  }
});

test("never throws, whatever is written, and what it reads has a next run", () => {
  const word = fc.constantFrom(
    "daily",
    "weekly",
    "on",
    "at",
    "06:25",
    "monday",
    "*",
    "*/5",
    "1-5",
    "L",
    "every",
    "9",
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(word, { maxLength: 7 }).map((words) => words.join(" ")),
  );
  fc.assert(
    fc.property(text, (given) => {
      const read = parseSchedule(given);
      if ("fault" in read) return;
      const now = new Date("2025-06-01T12:00:00Z");
      assert.ok(nextRun(read, now, { timeZone: "UTC" }) > now);
    }),
    { numRuns: RUNS * 25 },
  );
});

test("a daily time comes once each day of the year, also when the clocks change", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...ZONES),
      fc.integer({ min: 0, max: 1_439 }),
      fc.constantFrom(2024, 2025, 2026),
      (timeZone, minute, year) => {
        const at = `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
        const daily = schedule(`daily at ${at}`);
        let now = new Date(`${year}-01-01T12:00:00Z`);
        const end = new Date(`${year + 1}-01-01T12:00:00Z`);
        const days: string[] = [];
        for (;;) {
          const next = nextRun(daily, now, { timeZone });
          assert.ok(next > now);
          if (next > end) break;
          const [day, time] = local(next, timeZone).split(" ") as [string, string];
          days.push(day);
          // Before a gap the wanted time does not exist that day: the run stands right behind the gap.
          if (time !== at) {
            const before = local(new Date(next.getTime() - 60_000), timeZone).slice(11);
            assert.ok(before < at || day !== local(new Date(next.getTime() - 60_000), timeZone).slice(0, 10));
            assert.ok(time > at, `${day} ${time} instead of ${at} in ${timeZone}`);
          }
          now = next;
        }
        assert.equal(new Set(days).size, days.length, `twice on one day in ${timeZone} at ${at}`);
        assert.ok(days.length >= 365 && days.length <= 366, `${days.length} runs in ${timeZone} at ${at}`);
      },
    ),
    { numRuns: RUNS },
  );
});

test("weekly comes on its day each week, monthly once in each month, in every zone", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...ZONES),
      fc.integer({ min: 0, max: 1_439 }),
      fc.constantFrom(2024, 2025),
      (timeZone, minute, year) => {
        const at = `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
        const runs = (text: string): string[] => {
          const out: string[] = [];
          let now = new Date(`${year}-01-05T12:00:00Z`);
          for (;;) {
            now = nextRun(schedule(text), now, { timeZone });
            if (now > new Date(`${year + 1}-01-05T12:00:00Z`)) return out;
            out.push(local(now, timeZone));
          }
        };
        const sundays = runs(`weekly on sunday at ${at}`);
        assert.ok(sundays.length >= 52 && sundays.length <= 53, `${sundays.length} in ${timeZone} at ${at}`);
        for (const day of sundays) {
          assert.equal(new Date(`${day.slice(0, 10)}T00:00:00Z`).getUTCDay(), 0, `${day} in ${timeZone}`);
        }
        const months = runs(`monthly on last at ${at}`).map((day) => day.slice(0, 7));
        assert.equal(months.length, 12);
        assert.equal(new Set(months).size, 12, `${months} in ${timeZone}`);
      },
    ),
    { numRuns: Math.ceil(RUNS / 2) },
  );
});

test("hourly comes in every hour that passes, 24 in a day, 23 and 25 when the clocks change", () => {
  const count = (from: string, to: string) => {
    let runs = 0;
    let now = new Date(from);
    for (;;) {
      now = nextRun(schedule("hourly"), now, { timeZone: "Europe/Berlin" });
      if (now > new Date(to)) return runs;
      runs++;
    }
  };
  assert.equal(count("2025-06-01T00:00:00+02:00", "2025-06-02T00:00:00+02:00"), 24);
  assert.equal(count("2025-03-30T00:00:00+01:00", "2025-03-31T00:00:00+02:00"), 23);
  assert.equal(count("2025-10-26T00:00:00+02:00", "2025-10-27T00:00:00+01:00"), 25);
});

test("a time that the clocks skip or repeat comes once", () => {
  const berlin = { timeZone: "Europe/Berlin" };
  const daily = schedule("daily at 02:30");
  const iso = (after: string) => nextRun(daily, new Date(after), berlin).toISOString();
  assert.equal(iso("2025-03-29T12:00:00Z"), "2025-03-30T01:00:00.000Z");
  assert.equal(iso("2025-03-30T01:00:00Z"), "2025-03-31T00:30:00.000Z");
  assert.equal(iso("2025-10-25T12:00:00Z"), "2025-10-26T00:30:00.000Z");
  assert.equal(iso("2025-10-26T00:30:00Z"), "2025-10-27T01:30:00.000Z");
});

test("a delay of the host moves only what has no time of its own", () => {
  const after = new Date("2025-06-01T12:00:00Z");
  const place = { timeZone: "UTC", jitterMs: 90_000 };
  const iso = (text: string) => nextRun(schedule(text), after, place).toISOString();
  assert.equal(iso("hourly"), "2025-06-01T12:01:30.000Z");
  assert.equal(iso("daily"), "2025-06-02T00:01:30.000Z");
  assert.equal(iso("daily at 00:00"), "2025-06-02T00:00:00.000Z");
  assert.equal(iso("every 15 minutes"), "2025-06-01T12:15:00.000Z");
  assert.equal(iso("0 * * * *"), "2025-06-01T13:00:00.000Z");
});
