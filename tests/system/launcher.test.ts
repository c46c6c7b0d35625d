// bin/telltale starts from any folder, through a link, and under a name that is not its own.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { FACES } from "../../src/app/faces.ts";
import { ROOT, TELLTALE } from "./lab.ts";

const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
const run = (program: string, args: readonly string[], cwd = "/") =>
  spawnSync(program, args, { cwd, encoding: "utf8" });

test("from any folder, through a chain of links, under any name", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale link "));
  t.after(() => rmSync(dir, { recursive: true }));
  symlinkSync(TELLTALE, join(dir, "telltale"));
  symlinkSync("telltale", join(dir, "some other name"));
  for (const program of [TELLTALE, join(dir, "telltale"), join(dir, "some other name")]) {
    const { stdout, status } = run(program, ["--version"], dir);
    assert.equal(stdout, `telltale ${version}\n`, program);
    assert.equal(status, 0);
  }
});

test("each face has a program of its own, also for who follows the link to it first", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale link "));
  t.after(() => rmSync(dir, { recursive: true }));
  for (const face of Object.keys(FACES)) {
    const link = join(dir, face);
    symlinkSync(join(ROOT, "bin", face), link);
    const asked = run(TELLTALE, [face, "--help"]);
    for (const program of [link, realpathSync(link)]) {
      const { stdout, stderr, status } = run(program, ["--help"], dir);
      assert.deepEqual(
        { stdout, stderr, status },
        { stdout: asked.stdout, stderr: asked.stderr, status: asked.status },
      );
    }
  }
});

test("a launcher that was copied away from its program says so, and what to do", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale copy "));
  t.after(() => rmSync(dir, { recursive: true }));
  const copies = join(dir, "bin");
  mkdirSync(copies);
  const copied = (name: string): string => {
    copyFileSync(join(ROOT, "bin", name), join(copies, name));
    return join(copies, name);
  };
  for (const face of Object.keys(FACES)) {
    const alone = run(copied(face), ["--help"]);
    assert.equal(alone.status, 69);
    assert.ok(alone.stderr.startsWith(`${face}: ${copies}/${face} is a copy: telltale is not beside it`));
    assert.match(alone.stderr, /\n {4}mend: put a link there instead: ln -sf /);
  }
  const { status, stdout, stderr } = run(copied("telltale"), ["--version"]);
  assert.equal(status, 69);
  assert.equal(stdout, "");
  assert.ok(stderr.startsWith(`telltale: ${copies}/telltale is a copy: the program is not beside it`));
  assert.match(stderr, /\n {4}mend: put a link there instead: ln -sf /);
  // Beside a link to the program the copy of a face finds it.
  rmSync(join(copies, "telltale"));
  symlinkSync(TELLTALE, join(copies, "telltale"));
  assert.match(run(join(copies, "logrotate"), ["--version"]).stdout, /^logrotate .*telltale/);
});

test("--help is there for everything, and a mistake names what is right", () => {
  const general = run(TELLTALE, ["--help"]);
  assert.equal(general.status, 0);
  const commands = [...general.stdout.matchAll(/^ {2}(\w+) {2}/gm)].map((match) => match[1]!);
  for (const name of ["guard", "status", "rotate", "check", "sentry"])
    assert.ok(commands.includes(name), name);
  for (const command of commands) {
    const help = run(TELLTALE, [command, "--help"]);
    assert.equal(help.status, 0, command);
    assert.match(help.stdout, /^usage: telltale /m, command);
    assert.equal(run(TELLTALE, [command, "--version"]).stdout, `telltale ${version}\n`);
  }
  const unknown = run(TELLTALE, ["rotat"]);
  assert.equal(unknown.status, 64);
  assert.match(unknown.stderr, /"rotat" is no command\n {4}mend: did you mean telltale rotate\?/);
  assert.match(
    run(TELLTALE, ["blocks", "--colour"]).stderr,
    /--colour[\s\S]*mend: telltale blocks --help lists all/,
  );
});

test("a reader that goes away is no error", () => {
  const { status, stderr } = spawnSync("sh", ["-c", '"$1" --help | true', "sh", TELLTALE], {
    encoding: "utf8",
  });
  assert.equal(status, 0);
  assert.equal(stderr, "");
});

test("rotate says which of the logs it was given no stanza covers", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale-launcher-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, "app.log"), "a line\n");
  writeFileSync(join(dir, "logrotate.conf"), `${dir}/app.log {\n daily\n rotate 2\n}\n`, { mode: 0o644 });
  const config = join(dir, "telltale.toml");
  writeFileSync(config, `[rotate]\nconfig = ["${dir}/logrotate.conf"]\nstate = "${dir}/state"\n`);
  const { status, stdout, stderr } = run(TELLTALE, [
    "rotate",
    "-c",
    config,
    "-f",
    join(dir, "ap.log"),
    join(dir, "app.log"),
  ]);
  assert.match(stderr, /ap\.log is covered by no stanza\n {4}mend: check its name/);
  assert.match(stdout, /^rotated \S+app\.log to \S+app\.log\.1 /m);
  assert.equal(status, 1);
});
