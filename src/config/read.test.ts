import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { type TestContext } from "node:test";
import { dropInFolder } from "./files.ts";
import { readConfig } from "./read.ts";

function written(t: TestContext, files: Readonly<Record<string, string>>): string {
  const dir = mkdtempSync(join(tmpdir(), "telltale-config-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
  return join(dir, "telltale.toml");
}

test("the folder of drop-ins is named like the file", () => {
  assert.equal(dropInFolder("/etc/telltale/telltale.toml"), "/etc/telltale/telltale.d");
  assert.equal(dropInFolder("/srv/night"), "/srv/night.d");
});

test("drop-ins are read in the order of their names, and the last word on a key holds, lists included", (t) => {
  const file = written(t, {
    "telltale.toml": '[respond]\nmode = "block"\nallow = ["192.0.2.1"]\n[report]\nto = "a@example.org"\n',
    "telltale.d/20-b.toml": '[respond]\nallow = ["192.0.2.20"]\n',
    "telltale.d/10-a.toml": '[respond]\nallow = ["192.0.2.10"]\n[report]\nevery = "daily at 06:25"\n',
    "telltale.d/README": "not read",
    "telltale.d/.hidden.toml": "nor this",
    "telltale.d/30-c.toml~": "nor this",
  });
  const { config, faults, places, files } = readConfig(file, true);
  assert.deepEqual(faults, []);
  assert.equal(config.respond.mode, "block");
  assert.deepEqual(config.respond.allow, ["192.0.2.20"]);
  assert.equal(config.report.to, "a@example.org");
  assert.equal(config.report.every.text, "daily at 06:25");
  const folder = dropInFolder(file);
  assert.deepEqual(files, [file, join(folder, "10-a.toml"), join(folder, "20-b.toml")]);
  assert.deepEqual(places.get("respond.allow"), [
    { file, line: 3, written: ["192.0.2.1"] },
    { file: join(folder, "10-a.toml"), line: 2, written: ["192.0.2.10"] },
    { file: join(folder, "20-b.toml"), line: 2, written: ["192.0.2.20"] },
  ]);
});

test("drop-ins hold without the file they lie beside", (t) => {
  const file = written(t, { "telltale.d/a.toml": "[respond]\nmax_blocks = 7\n" });
  const { config, faults } = readConfig(file, false);
  assert.deepEqual([config.respond.max_blocks, faults], [7, []]);
});

test("a fault names its own file; a bad value leaves what an earlier file said", (t) => {
  const file = written(t, {
    "telltale.toml": "[respond]\nmax_blocks = 7\n",
    "telltale.d/a.toml": "\n[respond]\nmax_blocks = 0\n",
  });
  const { config, faults } = readConfig(file, true);
  assert.equal(config.respond.max_blocks, 7);
  assert.equal(faults.length, 1);
  assert.equal(faults[0]!.file, join(dropInFolder(file), "a.toml"));
  assert.equal(faults[0]!.line, 3);
  assert.match(faults[0]!.consequence!, /what .*telltale\.toml says holds/);
});

test("a drop-in with bad syntax costs itself only, and makes the whole unfit for blocking", (t) => {
  const file = written(t, {
    "telltale.toml": '[respond]\nmode = "block"\n',
    "telltale.d/a.toml": "[respond\n",
    "telltale.d/b.toml": "[respond]\nmax_blocks = 8\n",
  });
  const { config, faults, broken } = readConfig(file, true);
  assert.equal(broken, true);
  assert.equal(config.respond.max_blocks, 8);
  assert.deepEqual(
    faults.map((fault) => `${fault.file}:${fault.line}`),
    [`${join(dropInFolder(file), "a.toml")}:1`],
  );
});

test("a retention group is put together from all files, and a fault in one leaves it out whole", (t) => {
  const group = '[retention.web]\npaths = ["/srv/web/*.log"]\nmax_files = 5\n';
  const good = written(t, {
    "telltale.toml": group,
    "telltale.d/a.toml": "[retention.web]\nmax_files = 9\n",
  });
  assert.deepEqual(
    readConfig(good, true).config.retention.map(({ paths, maxFiles }) => [paths, maxFiles]),
    [[["/srv/web/*.log"], 9]],
  );
  const bad = written(t, {
    "telltale.toml": group,
    "telltale.d/a.toml": '[retention.web]\nmax_age = "ever"\n',
  });
  const { config, faults } = readConfig(bad, true);
  assert.deepEqual(config.retention, []);
  assert.equal(faults.length, 2);
});

test("a file that anybody may write is not believed", (t) => {
  const file = written(t, { "telltale.toml": '[respond]\nmode = "block"\n' });
  chmodSync(file, 0o666);
  const { config, faults, broken } = readConfig(file, true);
  assert.deepEqual([config.respond.mode, broken], ["observe", true]);
  assert.match(faults[0]!.message, /may be written by anybody/);
  assert.deepEqual(readConfig("/dev/null", true).faults, []);
});

test("what is far too large is not read, and too many files are not all read", (t) => {
  const many: Record<string, string> = { "telltale.toml": "#".repeat(1_000_001) };
  for (let i = 0; i < 300; i++) many[`telltale.d/${String(i).padStart(4, "0")}.toml`] = "";
  const { faults, files } = readConfig(written(t, many), true);
  assert.equal(files.length, 256);
  assert.match(faults.map(({ message }) => message).join("\n"), /1000001 bytes[\s\S]*|more than 256/);
  assert.equal(faults.length, 2);
});
