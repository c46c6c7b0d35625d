// One event, two logs, one report.
import assert from "node:assert/strict";
import test from "node:test";
import { EchoFilter } from "./echoes.ts";

const line = (text: string) => Buffer.from(text);

test("a line that another source told already is an echo, however its date is spelled", () => {
  const filter = new EchoFilter();
  const cases: [string, string, boolean][] = [
    ["Nov  2 19:51:02 host sshd[1]: bad", "/var/log/auth.log", false],
    ["Nov  2 19:51:02 host sshd[1]: bad", "journal", true],
    ["2026-11-02T19:51:02.999999+01:00 host sshd[1]: bad ", "/var/log/other", true],
    ["Nov  2 19:51:02 host sshd[2]: bad", "journal", false],
    ["Nov  2 19:51:03 host sshd[2]: bad", "/var/log/auth.log", true],
    ["Nov  2 19:51:06 host sshd[2]: bad", "/var/log/auth.log", false],
    ["Nov  2 19:51:07 host kernel: [  123.456789] oops", "/var/log/kern.log", false],
    ["Nov  2 19:51:07 host kernel: oops", "journal", true],
    ["no date here", "journal", false],
    ["no date here", "/var/log/auth.log", false],
  ];
  for (const [text, source, echo] of cases) assert.equal(filter.isEcho(line(text), source), echo, text);
  assert.equal(filter.echoCount, 4);
});

test("a source that repeats itself is heard each time, and echoed as often", () => {
  const filter = new EchoFilter();
  const bad = line("Nov 22 19:51:02 host sshd[1]: bad");
  const hear = (source: string, times: number) =>
    Array.from({ length: times }, () => filter.isEcho(bad, source)).filter((echo) => !echo).length;
  assert.equal(hear("journal", 3), 3);
  assert.equal(hear("/var/log/auth.log", 5), 2);
  assert.equal(hear("journal", 2), 0);
});

test("memory is bounded, whatever strangers write", () => {
  const filter = new EchoFilter();
  const told = (i: number) => line(`Nov 22 19:51:02 host x: ${i}`);
  for (let i = 0; i < 20_000; i++) filter.isEcho(told(i), "journal");
  assert.equal(filter.isEcho(told(0), "/var/log/syslog"), false);
  assert.equal(filter.isEcho(told(19_999), "/var/log/syslog"), true);
  for (let s = 0; s < 3_600; s++) {
    const at = `${String(Math.floor(s / 60)).padStart(2, "0")}:${String(s % 60).padStart(2, "0")}`;
    filter.isEcho(line(`Nov 22 20:${at} host x: same`), "journal");
  }
  assert.equal(filter.isEcho(line("Nov 22 20:59:59 host x: same"), "/var/log/syslog"), true);
});
