import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { differences, readPlans } from "./apply.ts";
import { loadRotation, planRotations } from "./run.ts";

function scene(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "telltale-apply-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const config = join(dir, "logrotate.conf");
  const log = join(dir, "a.log");
  writeFileSync(config, `${log} {\n  rotate 2\n  create 0640\n}\n`, { mode: 0o644 });
  writeFileSync(log, "one\n");
  const plan = async () => {
    const options = { configs: [config], statePath: join(dir, "state"), force: true };
    return planRotations(await loadRotation(options), options);
  };
  return { dir, config, log, plan };
}

const asText = (plans: readonly unknown[]) => plans.map((plan) => JSON.stringify(plan)).join("\n");

test("a log that only grew is rotated as planned", async (t) => {
  const { log, plan } = scene(t);
  const approved = readPlans(asText(await plan()))!;
  assert.equal(approved.length, 1);
  appendFileSync(log, "two\n");
  assert.deepEqual(differences(approved, await plan()), []);
});

test("another file under the log's name, a new generation or a changed configuration is named", async (t) => {
  const { dir, config, log, plan } = scene(t);
  const approved = readPlans(asText(await plan()))!;
  renameSync(log, `${log}.away`);
  writeFileSync(log, "other\n");
  assert.match(differences(approved, await plan())[0]!.what, /^seen\.ino was \d+ and is now \d+$/);
  rmSync(log);
  renameSync(`${log}.away`, log);
  assert.deepEqual(differences(approved, await plan()), []);
  writeFileSync(`${log}.1`, "old\n");
  assert.equal(differences(approved, await plan()).length, 1);
  rmSync(`${log}.1`);
  writeFileSync(config, `${log} {\n  rotate 3\n  create 0600\n}\n`, { mode: 0o644 });
  assert.equal(differences(approved, await plan()).length, 1);
  writeFileSync(config, `${dir}/other.log {\n  rotate 3\n missingok\n}\n`, { mode: 0o644 });
  assert.match(differences(approved, await plan())[0]!.what, /no stanza/);
});

test("what is no plan is refused", () => {
  for (const text of ["{", "[]", "{}", '{"log":1}', "null", '"x"']) assert.equal(readPlans(text), null, text);
  assert.deepEqual(readPlans(""), []);
});
