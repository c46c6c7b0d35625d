import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { waitFor } from "../../tests/system/wait.ts";
import { openSyslog } from "./syslog.ts";

/** A script in the place of logger(1), and where it writes to. */
function stage(t: TestContext, script: string): { program: string; heard: () => string } {
  const dir = mkdtempSync(join(tmpdir(), "tt-syslog-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const [program, out] = [join(dir, "logger"), join(dir, "out")];
  writeFileSync(program, `#!/bin/sh\n${script.replaceAll("OUT", out)}\n`);
  chmodSync(program, 0o755);
  return { program, heard: () => (existsSync(out) ? readFileSync(out, "utf8") : "") };
}

test("a logger that ended is started again, and what was lost in between is told", async (t) => {
  const { program, heard } = stage(t, "head -n 1 >> OUT");
  const log = openSyslog("portsentry", program);
  log.write("first");
  await waitFor("the first line", () => heard() === "first\n");
  await waitFor("the number of those that were lost", () => {
    log.write("again");
    return /\nadminalert: ERROR: \d+ lines were lost before this one\n$/.test(heard());
  });
  await log.close();
});

test("a logger that takes nothing costs a bounded amount of memory, and its end is not waited for", async (t) => {
  const { program } = stage(t, "exec sleep 300");
  const log = openSyslog("portsentry", program);
  const before = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed;
  for (let i = 0; i < 200_000; i++)
    log.write("a line of a hundred bytes or so, as an attacker may cause them by the million, one a probe");
  const grown = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed - before;
  assert.ok(grown < 64 << 20, `${grown} bytes`);
  await log.close();
});

test("without any logger lines are lost and nothing else", async () => {
  const log = openSyslog("portsentry", "/nonexistent/logger");
  log.write("nobody hears");
  await log.close();
});
