import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { test } from "node:test";
import { DEFAULTS } from "../directives/parse.ts";
import {
  compareDates,
  datedPath,
  formatStamp,
  generationMatcher,
  nameScheme,
  numberedPath,
  stampMoment,
} from "./match.ts";

test("extension stays at the end, addextension goes there", () => {
  const path = (some: Partial<typeof DEFAULTS>, log: string): string =>
    numberedPath(nameScheme({ ...DEFAULTS, ...some }, log), 1);
  assert.equal(path({}, "/l/a.log"), "/l/a.log.1");
  assert.equal(path({ extension: ".log" }, "/l/a.log"), "/l/a.1.log");
  assert.equal(path({ extension: ".log" }, "/l/a.txt"), "/l/a.txt.1");
  assert.equal(path({ addExtension: ".arc" }, "/l/a"), "/l/a.1.arc");
  assert.equal(path({ addExtension: ".log" }, "/l/a.log"), "/l/a.1.log");
  assert.equal(path({ olddir: "old" }, "/l/a"), "/l/old/a.1");
  assert.equal(path({ olddir: "/o" }, "/a"), "/o/a.1");
  assert.equal(path({}, "/a"), "/a.1");
});

test("a name with glob characters claims no neighbour", () => {
  const scheme = nameScheme(DEFAULTS, "/l/*.example.com.log");
  const matcher = generationMatcher(scheme, "-%Y%m%d", "");
  assert.equal(matcher.indexOf("*.example.com.log.1"), 1);
  assert.equal(matcher.indexOf("www.example.com.log.1"), null);
  assert.equal(matcher.dateOf("www.example.com.log-20240101"), null);
  assert.ok(matcher.dateOf("*.example.com.log-20240101"));
});

test("a format's plain text is plain: dots, stars and percent signs stand for themselves", () => {
  const scheme = nameScheme(DEFAULTS, "/l/a");
  const matcher = generationMatcher(scheme, ".%Y*%q%%m", "");
  const text = formatStamp(".%Y*%q%%m", new Date(2024, 4, 6));
  assert.equal(text, ".2024*%q%05");
  assert.ok(matcher.dateOf(`a${text}`));
  assert.equal(matcher.dateOf("a.2024xx%q%05"), null);
});

test("dates in names sort as time does, whatever their order in the format", () => {
  const matcher = generationMatcher(nameScheme(DEFAULTS, "/l/a"), "-%d%m%Y", "");
  const older = matcher.dateOf("a-31122023")!;
  const newer = matcher.dateOf("a-01012024")!;
  assert.ok(compareDates(older, newer) < 0);
});

test("every specifier agrees with date(1)", (t) => {
  if (spawnSync("date", ["--version"]).error !== undefined)
    return t.skip("needs date: apt install coreutils");
  const format = "%Y %m %d %H %M %S %V %s %z %G %g %y %j %U %W %u %w";
  for (const zone of ["UTC", "Asia/Kolkata", "America/New_York"]) {
    process.env["TZ"] = zone;
    for (let i = 0; i < 12; i++) {
      const at = new Date(Date.UTC(2019, 11, 25 + i * 61, 5, 7, 9));
      const want = execFileSync("date", ["-d", `@${at.getTime() / 1000}`, `+${format}`], {
        encoding: "utf8",
        env: { ...process.env, LC_ALL: "C" },
      });
      assert.equal(formatStamp(format, at), want.trimEnd(), zone);
    }
  }
});

test("yesterday is the day before, even where a day has 23 hours; an hour ago is an hour ago", () => {
  process.env["TZ"] = "Europe/Berlin";
  const now = new Date("2024-04-01T00:30:00+02:00");
  assert.equal(formatStamp("%Y%m%d%H", stampMoment({ ...DEFAULTS, dateYesterday: true }, now)), "2024033112");
  assert.equal(formatStamp("%Y%m%d%H", stampMoment({ ...DEFAULTS, dateHourAgo: true }, now)), "2024033123");
  assert.equal(datedPath(nameScheme(DEFAULTS, "/l/a"), "-20240101"), "/l/a-20240101");
});
