// Held against the real logcheck-test: what it shows, its summary and its exit status.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { runLogcheckTest } from "./logcheck-test.ts";

const REAL = "/usr/bin/logcheck-test";

test("shows, sums up and answers what logcheck-test does", (t) => {
  if (!existsSync(REAL)) return t.skip("needs logcheck-test: apt install logcheck");
  const dir = mkdtempSync(join(tmpdir(), "telltale-trial-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const log = join(dir, "log");
  const rules = join(dir, "rules");
  const head = "Nov 22 19:51:02 host";
  writeFileSync(
    log,
    `${head} kernel: one  \n${head} kernel: two\n${head} sshd[1]: thr\u00e9\u00e9\t\n\nodd\nlast kernel`,
  );
  writeFileSync(rules, "# rules\n\nkernel: one$\n  \n^odd$\n");
  writeFileSync(join(dir, "empty"), "");
  mkdirSync(join(dir, "folder"));
  const cases: string[][] = [
    [],
    ["-h"],
    ["-l"],
    ["-l", log],
    ["-l", log, "kernel"],
    ["-q", "-l", log, "kernel"],
    ["-i", "-l", log, "kernel"],
    ["-q", "-l", log, "no such thing"],
    ["-l", log, "-e", "sshd\\[[0-9]+\\]: thr\u00e9{2}"],
    ["-l", log, "-e", "-P", "kernel: ", "-S", "", "two"],
    ["-l", log, "-e", "-P", "kernel: ", "two"],
    ["-l", log, "-P", "kernel: ", "-S", "$", "two"],
    ["-l", log, "-P", "x", "-e", "two"],
    ["-l", log, "-S", "x", "-e", "two"],
    ["-l", log, "-P"],
    ["-l", log, "-S"],
    ["-l", log, "--log-file", "other", "odd"],
    ["-l", log, "-a", "-s", "odd"],
    ["-l", log, "-r", rules],
    ["-l", log, "-r", rules, "-i", "-q"],
    ["-l", log, "-r", rules, "odd"],
    ["-l", log, "-r", join(dir, "none")],
    ["-l", log, "-r"],
    ["-l", log, "odd", "more"],
    ["-l", log, "--strange"],
    ["-l", join(dir, "none"), "odd"],
    ["-l", join(dir, "folder"), "odd"],
    ["-l", join(dir, "empty"), "odd"],
    ["-l", log, "-r", join(dir, "empty"), "-i"],
    ["-l", log, "broken (", "-q"],
    ["-q", "-l", log, "broken ("],
    ["-l", log, "odd\nkernel: two"],
  ];
  const env = { PATH: process.env["PATH"], LC_ALL: "C.UTF-8" };
  for (const args of cases) {
    const real = spawnSync(REAL, args, { encoding: "utf8", env });
    let out = "";
    let err = "";
    const status = runLogcheckTest(
      args,
      {
        out: (bytes) => {
          out += Buffer.from(bytes).toString("utf8");
        },
        err: (text) => {
          err += text;
        },
      },
      env,
    );
    const told = args.map((word) => JSON.stringify(word)).join(" ");
    assert.equal(status, real.status, told);
    if (args[0] !== "-h") assert.equal(out, real.stdout, told);
    if (status > 1) assert.notEqual(err, "", told);
  }
});
