import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import type { GenerationFact } from "../disk/relief/plan.ts";
import { parseRoom } from "./disk-limits.ts";
import { gatherRelief, loadForRelief, RotationHands } from "./relief.ts";
import { gatherSettings } from "./settings.ts";

async function scene(t: TestContext, directives = "") {
  const root = mkdtempSync(join(tmpdir(), "tt-relief-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const logs = join(root, "log");
  mkdirSync(logs);
  for (const name of ["app.log", "app.log.1", "app.log.2.gz", "app.log.10.gz", "other.txt"])
    writeFileSync(join(logs, name), name);
  writeFileSync(join(root, "conf"), `${logs}/*.log {\n rotate 20\n compress\n${directives}}\n`, {
    mode: 0o644,
  });
  writeFileSync(
    join(root, "telltale.toml"),
    `[rotate]\nconfig = ["${root}/conf"]\nstate = "${root}/state"\nroots = ["${logs}"]\n[disk]\nmin_free = "1%"\n[store]\ndirectory = "${root}/store"\n`,
  );
  const settings = gatherSettings(join(root, "telltale.toml"));
  const rotation = await loadForRelief(settings);
  const hands = new RotationHands(settings, rotation, () => assert.fail("nothing is told"));
  t.after(() => hands[Symbol.asyncDispose]());
  const find = async (): Promise<readonly GenerationFact[]> => {
    const all = await gatherRelief(settings, rotation);
    return all.flatMap(({ facts }) => facts.logs.flatMap((log) => log.generations));
  };
  return { logs, hands, find };
}

test("gathers the generations of each log, oldest first by their names", async (t) => {
  const { logs, find } = await scene(t);
  assert.deepEqual(
    (await find()).map(({ path, compressed }) => [path.slice(logs.length + 1), compressed]),
    [
      ["app.log.10.gz", true],
      ["app.log.2.gz", true],
      ["app.log.1", false],
    ],
  );
});

test("removes the very file that was planned, and compresses it so that it can be read again", async (t) => {
  const { logs, hands, find } = await scene(t);
  const [oldest, , newest] = await find();
  await hands.remove(oldest!);
  assert.equal(existsSync(oldest!.path), false);
  const { to } = await hands.compress(newest!);
  assert.equal(to, join(logs, "app.log.1.gz"));
  assert.equal(existsSync(newest!.path), false);
  assert.equal(lstatSync(to).mtimeMs, newest!.mtimeMs);
});

test("the owner's preremove is asked before a generation goes, and a file that it carries away is gone", async (t) => {
  const archive = mkdtempSync(join(tmpdir(), "tt-relief-archive-"));
  t.after(() => rmSync(archive, { recursive: true, force: true }));
  const script = `case $1 in *.10.gz) mv "$1" ${archive};; *.2.gz) exit 3;; *) echo "$1" > ${archive}/asked;; esac`;
  const { logs, hands, find } = await scene(t, ` preremove\n ${script}\n endscript\n`);
  const [oldest, second, newest] = await find();
  await hands.remove(oldest!);
  assert.equal(readFileSync(join(archive, "app.log.10.gz"), "utf8"), "app.log.10.gz");
  await assert.rejects(hands.remove(second!), /status 3/);
  assert.ok(existsSync(second!.path), "a script that fails keeps the file");
  await hands.remove(newest!);
  assert.equal(readFileSync(join(archive, "asked"), "utf8"), `${join(logs, "app.log.1")}\n`);
  assert.equal(existsSync(newest!.path), false);
});

test("what its owner wants shredded is overwritten also when it goes for room", async (t) => {
  const { hands, find } = await scene(t, " shred\n");
  const [oldest] = await find();
  const fd = openSync(oldest!.path, "r");
  t.after(() => closeSync(fd));
  await hands.remove(oldest!);
  assert.equal(existsSync(oldest!.path), false);
  assert.ok(!readFileSync(fd, "latin1").startsWith("app.log"), "its bytes are still there");
});

test("leaves alone what was exchanged since: another file, a link, a second name, a name that is no generation", async (t) => {
  const { logs, hands, find } = await scene(t);
  const victim = join(logs, "victim");
  writeFileSync(victim, "precious");
  const [oldest, second, newest] = await find();
  rmSync(oldest!.path);
  symlinkSync(victim, oldest!.path);
  await assert.rejects(hands.remove(oldest!), /not the file that was planned/);
  renameSync(second!.path, `${second!.path}.away`);
  writeFileSync(second!.path, "new");
  await assert.rejects(hands.remove(second!), /not the file that was planned/);
  linkSync(newest!.path, join(logs, "second-name"));
  await assert.rejects(hands.remove(newest!), /not the file that was planned/);
  await assert.rejects(hands.compress(newest!), /not the file that was planned/);
  const { dev, ino } = lstatSync(victim);
  await assert.rejects(hands.remove({ ...newest!, path: victim, dev, ino }), /no generation of a log/);
  assert.equal(readFileSync(victim, "utf8"), "precious");
});

test("a directory that others could exchange leads nowhere else", {
  skip: process.getuid?.() !== 0 && "needs root",
}, async (t) => {
  const { logs, hands, find } = await scene(t);
  const [oldest] = await find();
  const elsewhere = `${logs}-elsewhere`;
  mkdirSync(elsewhere);
  writeFileSync(join(elsewhere, "app.log.10.gz"), "precious");
  renameSync(logs, `${logs}-old`);
  symlinkSync(elsewhere, logs);
  await assert.rejects(hands.remove(oldest!));
  assert.equal(readFileSync(join(elsewhere, "app.log.10.gz"), "utf8"), "precious");
});

test("reads a share or a size", () => {
  assert.equal(parseRoom("10%", 500), 50);
  assert.equal(parseRoom(" 2.5 % ", 1_000), 25);
  assert.equal(parseRoom("2k", 500), 2_048);
  assert.equal(parseRoom("0", 500), 0);
});
