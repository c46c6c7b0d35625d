import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { syslogLines, writeLog } from "./syslog-lines.ts";

const take = (count: number, seed: number): string[] => {
  const lines = syslogLines("typical", seed);
  return Array.from({ length: count }, () => lines.next().value as string);
};

test("the same seed writes the same lines, another seed others", () => {
  assert.deepEqual(take(500, 1), take(500, 1));
  assert.notDeepEqual(take(500, 1), take(500, 2));
});

test("every line is a traditional syslog line of its own", () => {
  const lines = take(2_000, 1);
  for (const line of lines)
    assert.match(line, /^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d web1 [\w/-]+(\[\d+\])?: .+\n$/);
  assert.ok(new Set(lines).size > 1_950, "fields hardly vary");
});

test("a log has at least the size that was asked for, ends with a newline, and its lines are counted", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale-bench-test-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const count = writeLog(join(dir, "log"), "worst", 300_000);
  const text = readFileSync(join(dir, "log"), "latin1");
  assert.ok(text.length >= 300_000 && text.length < 302_000, `${text.length} bytes`);
  assert.ok(text.endsWith("\n"));
  assert.equal(text.split("\n").length - 1, count);
});
