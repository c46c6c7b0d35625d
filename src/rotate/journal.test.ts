// What is written down before a rotation is what the next run reads, and a journal that was cut off while it was written tells
// of nothing.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Journal, readJournal } from "./journal.ts";
import { loadRotation, planRotations } from "./run.ts";
import type { LogPlan } from "./types.ts";

async function planned(t: TestContext): Promise<{ root: string; plans: readonly LogPlan[] }> {
  const root = mkdtempSync(join(tmpdir(), "tt-journal-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, "d"));
  for (const name of ["a", "b", 'c "d"\n', "ü\u{1f4dc}"]) {
    writeFileSync(join(root, `d/${name}.log`), "line\n");
    writeFileSync(join(root, `d/${name}.log.1`), "older\n");
  }
  writeFileSync(Buffer.from(`${root}/d/\xff.log`, "latin1"), "line\n");
  const script = " postrotate\n  echo 'it is done'\n endscript\n";
  const text = `${root}/d/*.log {\n rotate 2\n create 0640\n compress\n delaycompress\n${script}}\n`;
  writeFileSync(join(root, "conf"), text, { mode: 0o644 });
  const options = { configs: [join(root, "conf")], statePath: join(root, "state"), force: true };
  return { root, plans: await planRotations(await loadRotation(options), options) };
}

test("plans and what was done of them are read as they were written, whatever the logs are called", async (t) => {
  const { root, plans } = await planned(t);
  assert.equal(plans.length, 5);
  const path = join(root, "journal");
  const journal = new Journal(path);
  const notes = journal.begin(plans, 1_000);
  notes.done("0:postrotate");
  journal.begin(plans.slice(0, 1), 2_000);
  journal.leave();
  const [first, second, ...more] = readJournal(path);
  const kept = (plan: LogPlan) => ({ ...plan, lastRotated: null });
  assert.deepEqual(first?.plans, plans.map(kept));
  assert.deepEqual([...first!.replay.done], ["0:postrotate"]);
  assert.equal(first?.atMs, 1_000);
  assert.deepEqual(second?.plans, plans.slice(0, 1).map(kept));
  assert.equal(second?.atMs, 2_000);
  assert.deepEqual(more, []);
});

test("a journal cut off anywhere while plans are written down tells of none of them, and of all before", async (t) => {
  const { root, plans } = await planned(t);
  const path = join(root, "journal");
  const journal = new Journal(path);
  journal.begin(plans.slice(0, 2), 1_000);
  const before = readFileSync(path).length;
  journal.begin(plans, 2_000);
  journal.leave();
  const whole = readFileSync(path);
  // The very last byte is the end of the last line, which is whole without it.
  for (let end = before; end < whole.length - 1; end += 97) {
    writeFileSync(path, whole.subarray(0, end));
    assert.deepEqual(
      readJournal(path).map((begun) => begun.atMs),
      [1_000],
      `cut off after ${end} bytes`,
    );
  }
});
