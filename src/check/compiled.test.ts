// Compiled rules save time and never decide anything: whatever happens to their file, lines are judged alike.
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { CompiledRules } from "./compiled.ts";
import { loadRuleBook } from "./rules.ts";

const UID = process.getuid!();

class Stage {
  readonly dir = mkdtempSync(join(tmpdir(), "telltale-compiled-"));
  readonly file = join(this.dir, "cache", "compiled-rules");

  constructor(t: test.TestContext) {
    t.after(() => rmSync(this.dir, { recursive: true, force: true }));
    this.rule("cracking.d/x", "attack");
    this.rule("violations.d/x", "bad\n(.)\\1\\1");
    this.rule("violations.ignore.d/x", "not so bad");
    this.rule("ignore.d.server/x", "quiet\nbroken (\n^$");
  }

  rule(path: string, text: string): void {
    mkdirSync(join(this.dir, path, ".."), { recursive: true });
    writeFileSync(join(this.dir, path), `${text}\n`);
  }

  /** Judges some lines, keeps what was compiled, and says what was there before. */
  run(uid = UID): { kept: number; judged: unknown; faults: number; unkept: string | null } {
    const compiled = new CompiledRules(this.file, uid);
    const book = loadRuleBook(this.dir, { level: "server", compiled });
    const judged = ["attack", "bad", "not so bad", "quiet", "odd", "aaah", "é", "", "broken ("].map((text) =>
      book.classify(Buffer.from(`Nov 22 19:51:02 host ${text}`)),
    );
    const faults = book.faults.filter(({ line }) => line > 0).length;
    return { kept: compiled.keptCount, judged: JSON.stringify(judged), faults, unkept: compiled.keep() };
  }
}

test("the second run finds what the first compiled, and judges alike", (t) => {
  const stage = new Stage(t);
  const first = stage.run();
  assert.equal(first.kept, 0);
  assert.equal(statSync(stage.file).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(join(stage.dir, "cache")), ["compiled-rules"]);
  const before = statSync(stage.file, { bigint: true });
  const second = stage.run();
  assert.ok(second.kept > 1);
  assert.deepEqual({ ...second, kept: 0 }, first);
  assert.equal(first.faults, 1);
  const after = statSync(stage.file, { bigint: true });
  assert.equal(after.ino, before.ino, "nothing was learnt: nothing is written");
});

test("changed rules are compiled, and join the file", (t) => {
  const stage = new Stage(t);
  stage.run();
  stage.rule("ignore.d.server/x", "odd");
  const changed = stage.run();
  assert.doesNotMatch(String(changed.judged), /"system".*"system".*"system".*"system".*"system"/);
  const again = stage.run();
  assert.equal(again.judged, changed.judged);
  assert.ok(again.kept > changed.kept);
});

test("a damaged, cut, foreign or open file is not used, and judged is alike", (t) => {
  const stage = new Stage(t);
  const want = stage.run().judged;
  const good = readFileSync(stage.file);
  const spoil: Readonly<Record<string, () => void>> = {
    "a changed byte": () => {
      const bytes = Buffer.from(good);
      bytes[Math.floor(bytes.length / 2)]! ^= 0x10;
      writeFileSync(stage.file, bytes);
    },
    "cut short": () => truncateSync(stage.file, 100),
    empty: () => truncateSync(stage.file, 0),
    "writable by others": () => chmodSync(stage.file, 0o622),
    "in a directory writable by others": () => chmodSync(join(stage.dir, "cache"), 0o777),
    "a link": () => {
      writeFileSync(join(stage.dir, "elsewhere"), good, { mode: 0o600 });
      rmSync(stage.file);
      symlinkSync(join(stage.dir, "elsewhere"), stage.file);
    },
    "a directory": () => {
      rmSync(stage.file);
      mkdirSync(stage.file);
    },
  };
  for (const [name, change] of Object.entries(spoil)) {
    rmSync(join(stage.dir, "cache"), { recursive: true, force: true });
    mkdirSync(join(stage.dir, "cache"), { mode: 0o700 });
    writeFileSync(stage.file, good, { mode: 0o600 });
    change();
    const { kept, judged } = stage.run();
    assert.equal(kept, 0, name);
    assert.equal(judged, want, name);
  }
});

test("a file of another user is neither used nor replaced", (t) => {
  const stage = new Stage(t);
  stage.run();
  const good = readFileSync(stage.file);
  const other = stage.run(UID + 1);
  assert.equal(other.kept, 0);
  assert.match(other.unkept ?? "", /open to others/);
  assert.deepEqual(readFileSync(stage.file), good);
});

test("where nothing can be kept, nothing is lost", (t) => {
  const stage = new Stage(t);
  writeFileSync(join(stage.dir, "cache"), "in the way");
  const { judged, unkept } = stage.run();
  assert.notEqual(unkept, null);
  assert.match(String(judged), /cracking/);
  assert.equal(existsSync(stage.file), false);
});
