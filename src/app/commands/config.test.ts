import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { readConfig } from "../../config/read.ts";

const TELLTALE = join(import.meta.dirname, "../../../bin/telltale");

function scene(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "telltale-config-command-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, "telltale.toml");
  const telltale = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(TELLTALE, ["config", ...args, "--config", file], {
      encoding: "utf8",
    });
    return { status, stdout, stderr };
  };
  return { dir, file, telltale };
}

test("config check prints every fault of every file at once", (t) => {
  const { dir, file, telltale } = scene(t);
  mkdirSync(join(dir, "telltale.d"));
  mkdirSync(join(dir, "rules"));
  writeFileSync(join(dir, "rotate.conf"), `${join(dir, "x.log")} {\n    rotate lots\n    wekly\n}\n`);
  writeFileSync(join(dir, "rules/logcheck.conf"), 'REPORTLEVEL="servre"\nrm -rf /\n');
  writeFileSync(
    file,
    `[rotate]\nconfig = ["${join(dir, "rotate.conf")}"]\n[check]\nrules = "${join(dir, "rules")}"\n[respond]\nmode = "blok"\n`,
  );
  writeFileSync(join(dir, "telltale.d/a.toml"), "[respond]\nmax_blocks = 0\n");
  const { status, stdout } = telltale("check");
  assert.equal(status, 1);
  for (const wanted of [
    /telltale\.toml:6: respond\.mode: wants one of observe, block/,
    /a\.toml:2: respond\.max_blocks: wants a whole number/,
    /rotate\.conf:2: .*lots/,
    /rotate\.conf:3: .*wekly/,
    /logcheck\.conf:1: .*servre/,
    /logcheck\.conf:2: .*rm -rf/,
    /^\d+ faults; read: /m,
  ])
    assert.match(stdout, wanted);
  const { stdout: lines } = telltale("check", "--json");
  const faults = lines
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { file: string; mend: string });
  assert.ok(faults.every(({ file: where, mend }) => where.startsWith(dir) && mend !== ""));
});

test("config explain names file and line; show gives a file that reads back the same", (t) => {
  const { dir, file, telltale } = scene(t);
  mkdirSync(join(dir, "telltale.d"));
  writeFileSync(file, '[respond]\nblock_for = "5m"\nallow = ["192.0.2.1", "gw.example.org"]\n');
  writeFileSync(
    join(dir, "telltale.d/a.toml"),
    '[respond]\nblock_for = "1h"\n[retention.web]\npaths = ["/srv/web/*.log"]\nmax_bytes = "2G"\n',
  );
  const explained = telltale("explain", "respond.block_for");
  assert.equal(explained.status, 0);
  assert.match(
    explained.stdout,
    /^respond\.block_for = "1h"\n {4}from: +.*a\.toml:2\n {4}instead of: "5m" of .*telltale\.toml:2/,
  );
  const unknown = telltale("explain", "respond.blok_for");
  assert.equal(unknown.status, 1);
  assert.match(unknown.stderr, /mend: did you mean respond\.block_for\?/);

  const { stdout } = telltale("show");
  const again = join(dir, "again.toml");
  writeFileSync(again, stdout);
  assert.deepEqual(readConfig(again, true).faults, []);
  assert.deepEqual(readConfig(again, true).config, readConfig(file, true).config);
  writeFileSync(again, telltale("show", "--all").stdout);
  assert.deepEqual(readConfig(again, true).config, readConfig(file, true).config);
});
