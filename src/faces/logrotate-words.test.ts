// The phrases that monitoring and scripts look for in logrotate's output, and the order they come in.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { judgeIsBefore322, LOGROTATE } from "../rotate/oracle/judge.ts";
import { runLogrotate } from "./logrotate.ts";

function scratch(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), "tt-words-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

function build(root: string, text: string): void {
  rmSync(root, { recursive: true, force: true });
  mkdirSync(join(root, "d"), { recursive: true });
  for (const name of ["app", "web"]) {
    writeFileSync(join(root, `d/${name}.log`), "a line\n");
    for (const index of [1, 2]) writeFileSync(join(root, `d/${name}.log.${index}`), `old ${index}\n`);
  }
  writeFileSync(join(root, "d/empty.log"), "");
  symlinkSync("app.log", join(root, "d/link"));
  writeFileSync(join(root, "d/twin"), "");
  linkSync(join(root, "d/twin"), join(root, "d/other"));
  writeFileSync(join(root, "conf"), text.replaceAll("ROOT", root), { mode: 0o644 });
}

async function said(root: string, args: readonly string[]): Promise<{ status: number; err: string }> {
  let err = "";
  const status = await runLogrotate([...args, "-s", join(root, "state"), join(root, "conf")], {
    out: () => undefined,
    err: (text) => {
      err += text;
    },
  });
  return { status, err };
}

const SCRIPTS = ["prerotate", "postrotate", "firstaction", "lastaction"]
  .map((name) => ` ${name}\n  true\n endscript\n`)
  .join("");

const ACCOUNTS: readonly (readonly [string, ...string[]])[] = [
  [`ROOT/d/*.log {\n rotate 2\n daily\n notifempty\n create 0640\n sharedscripts\n${SCRIPTS}}\n`, "-v", "-f"],
  [
    `ROOT/d/*.log {\n rotate 2\n daily\n missingok\n${SCRIPTS}}\nROOT/none.log {\n missingok\n}\n`,
    "-v",
    "-f",
  ],
  [`ROOT/d/*.log {\n size 1M\n sharedscripts\n${SCRIPTS}}\n`, "-v"],
  ["ROOT/d/app.log {\n rotate 2\n copytruncate\n}\nROOT/d/web.log {\n rotate 2\n copy\n}\n", "-v", "-f"],
  ["ROOT/d/app.log {\n weekly\n minsize 1k\n minage 2\n maxsize 9k\n rotate 4\n}\n", "-v"],
  ["ROOT/d/link ROOT/d/twin ROOT/d/none {\n missingok\n}\n", "-v", "-f"],
  ["ROOT/d/app.log {\n size 5\n daily\n}\nROOT/d/web.log {\n monthly\n}\n", "-d"],
];

// What logrotate tells besides of its own inner life, and the renames of generations that are not there.
const INNER =
  /^(Creating stub|acquired lock|Allocating|state file .* does not exist|glob pattern|dateext suffix|old log .* does not exist|log .* doesn't exist -- won't|disposeName|Reading state|running script with|\s*true$|"$)/;

// Where an older logrotate judges: what 3.22 tells on other lines, or in another order.
function beforeThen(err: string): string {
  return err
    .replace(/^(rotating pattern: .*?) *\([\w ]*rotations\)\n/gm, "$1 ")
    .replace(/ \(\d+ rotations\),/g, "")
    .replace(
      /^(rotating pattern: .*?) \(no old logs will be kept\)\n(.*), old logs are removed$/gm,
      "$1 $2, no old logs will be kept",
    )
    .replace(/(?<=\S) {2}(?=\S)/g, " ")
    .replace(/^running prerotate script\n/gm, "");
}

function account(err: string, root: string, before322: boolean): string[] {
  return (before322 ? beforeThen(err) : err)
    .replaceAll(root, "ROOT")
    .split("\n")
    .map((line) => line.replace(/ \(rotatecount \d+, logstart \d+, i \d+\), *$/, ""))
    .filter((line) => !INNER.test(line));
}

test("-v and -d give logrotate's account, line by line", async (t) => {
  const before322 = judgeIsBefore322();
  if (before322 === null) return t.skip("needs logrotate: apt install logrotate");
  const root = join(scratch(t), "r");
  for (const [text, ...args] of ACCOUNTS) {
    build(root, text);
    const line = [...args, "-s", join(root, "state"), join(root, "conf")];
    const theirs = account(spawnSync(LOGROTATE, line, { encoding: "utf8" }).stderr, root, before322);
    build(root, text);
    const ours = account((await said(root, args)).err, root, before322);
    // A rename of a generation that is not there is in their account and not in ours.
    const gone = (phrase: string): boolean => phrase.startsWith("renaming ") && !ours.includes(phrase);
    assert.deepEqual(
      ours,
      theirs.filter((phrase) => !gone(phrase)),
      text,
    );
  }
});

const FAULTS: readonly (readonly [string, RegExp])[] = [
  ["rotate 3 # few", /^error: ROOT\/conf:2 bad rotation count '3 # few': /],
  ["size 3q", /^error: ROOT\/conf:2 unknown unit 'q': /],
  ["dateformat", /^error: ROOT\/conf:2 argument expected after dateformat: /],
  ["create 0640 nobody-here", /^error: ROOT\/conf:2 unknown user 'nobody-here' -- found error, skipping/],
  ["su 'no body' 'no group'", /^error: ROOT\/conf:2 unknown group 'no group'/],
  ["su root", /^error: ROOT\/conf:2 no group for su/],
  ["daily;", /^error: ROOT\/conf:2 keyword 'daily' not properly separated, found ";"/],
  ["tabooext + .x", /^error: ROOT\/conf:2 tabooext may not appear inside of log file definition/],
  [
    "olddir none",
    /^error: ROOT\/conf:1 error verifying olddir path ROOT\/d\/none: No such file or directory: ROOT\/d\/app\.log/,
  ],
  ["olddir web.log", /^error: ROOT\/conf:1 olddir path ROOT\/d\/web\.log is not a directory: /],
  [
    "olddir /proc",
    /^error: ROOT\/conf:1 olddir \/proc and log file ROOT\/d\/app\.log are on different devices$/m,
  ],
  ["frobnicate 3", /^warning: ROOT\/conf:2 unknown option 'frobnicate' -- ignoring line/],
];

test("faults of a configuration begin with FILE:LINE and logrotate's phrase", async (t) => {
  const root = join(scratch(t), "r");
  for (const [line, wanted] of FAULTS) {
    build(root, `ROOT/d/app.log {\n${line}\n}\n`);
    assert.match((await said(root, [])).err.replaceAll(root, "ROOT"), wanted);
  }
});

test("each error is said once, at its log, whether anybody listens or not", async (t) => {
  const root = join(scratch(t), "r");
  build(root, "ROOT/d/none.log {\n}\nROOT/d/app.log {\n postrotate\n  exit 3\n endscript\n}\n");
  for (const args of [["-f"], ["-f", "-v"]]) {
    const { status, err } = await said(root, args);
    assert.equal(status, 1);
    const errors = err.split("\n").filter((line) => line.startsWith("error: "));
    assert.match(errors[0] ?? "", /^error: stat of .*none\.log failed: No such file or directory$/);
    if (args.length === 1)
      assert.match(
        errors[1] ?? "",
        /^error: error running non-shared postrotate script for .*app\.log of '.*app\.log': .*conf:4: exit status 3$/,
      );
  }
});

test("an account that cannot be written does not keep logs from being rotated", async (t) => {
  const root = join(scratch(t), "r");
  build(root, "ROOT/d/app.log {\n rotate 1\n}\n");
  const { status, err } = await said(root, ["-f", "-l", join(root, "none/account")]);
  assert.equal(status, 0);
  assert.match(err, /^error: error opening log file /);
  assert.equal(readFileSync(join(root, "d/app.log.1"), "utf8"), "a line\n");
});
