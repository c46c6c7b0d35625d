// The guard on a busy host. Check that its two halves run before other programs when the kernel grants it, that nothing
// which they start does, and that whoever uses up what was granted waits in line again.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";
import { hasDeadline } from "../../src/sys/deadline.ts";
import { startGuard } from "./guard-process.ts";
import { labObstacle, makeLab, TELLTALE } from "./lab.ts";
import { listenerOf } from "./split.ts";
import { makeScene } from "./split-scene.ts";
import { waitFor } from "./wait.ts";

const skip = labObstacle("nft", "setpriv") ?? false;

test("both halves get their turn first, their threads and jobs do not", { skip }, async (t) => {
  using lab = makeLab(["stranger"]);
  const { config, binds } = makeScene(lab, "[guard]\nhaste = true\n");
  const guard = await startGuard(lab, ["--block", "--config", config], { binds });
  const warden = guard.child.pid!;
  const listener = listenerOf(guard);
  const status = (): string => lab.run("host", [TELLTALE, "status", "--config", config], { binds }).stdout;
  assert.equal(hasDeadline(warden) || hasDeadline(listener), false, "not before starting is over");

  const how = await waitFor(
    "the kernel's answer",
    () => /runs before other programs|waits for its turn.*(sched_setattr.*)/.exec(status()),
    40_000,
  );
  if (how[1] !== undefined) return t.skip(`needs a kernel that grants deadlines here: ${how[1]}`);

  await t.test("no other thread does", async () => {
    await waitFor("the listener's deadline", () => hasDeadline(listener), 40_000);
    for (const pid of [warden, listener]) {
      const others = readdirSync(`/proc/${pid}/task`).filter((thread) => thread !== String(pid));
      assert.ok(others.length > 0);
      for (const thread of others) assert.equal(hasDeadline(Number(thread)), false);
    }
  });

  await t.test("who has used it up waits in line, and gets it again", async () => {
    // What the kernel sends then.
    process.kill(listener, "SIGXCPU");
    await waitFor("an ordinary listener", () => !hasDeadline(listener));
    await waitFor("the next grant", () => hasDeadline(listener), 40_000);
    assert.equal(listenerOf(guard), listener, "the same process");
  });

  await t.test("the listener still may do nothing", () => {
    const facts = readFileSync(`/proc/${listener}/status`, "utf8");
    assert.match(facts, /^CapEff:\t0+$/m);
  });
});

test("without being told to: an ordinary program, and the status says so", { skip }, async () => {
  using lab = makeLab(["stranger"]);
  const { config, binds } = makeScene(lab);
  await startGuard(lab, ["--block", "--config", config], { binds });
  const said = () => lab.run("host", [TELLTALE, "status", "--config", config], { binds }).stdout;
  await waitFor("a status that says so", () => said().includes("guard.haste = false"));
});
