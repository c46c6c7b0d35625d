// The disk fills, on real small file systems: an administrator has set a limit, and the guard keeps it, whatever writes.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import type { Event } from "../../src/core/events.ts";
import { ROOT } from "./lab.ts";

type Told = {
  readonly skip?: string;
  readonly free: number;
  readonly size: number;
  readonly names: readonly string[];
  readonly events: readonly Event[];
  readonly before: number;
  readonly status: number;
  readonly report: string;
  readonly refused: number;
  readonly written: number;
  readonly left: readonly string[];
  readonly made: number;
  readonly plans: readonly { readonly steps: readonly { readonly do: string; readonly log: string }[] }[];
};

/** Plays a scene in a mount namespace; null when this machine has no such file system, which is said. */
function play(t: TestContext, kind: string, scene: string): Told | null {
  if (process.getuid?.() !== 0) {
    t.skip("needs root: mounts small file systems");
    return null;
  }
  const dir = mkdtempSync(join(tmpdir(), "telltale-disk-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const program = join(ROOT, "tests/system/disk-scene.ts");
  const argv = ["-m", "--propagation", "private", process.execPath, program, kind, scene, dir];
  const { stdout, stderr } = spawnSync("unshare", argv, { encoding: "utf8", timeout: 150_000 });
  const last = stdout.trimEnd().split("\n").at(-1) ?? "";
  assert.ok(last.startsWith("{"), `the scene said nothing: ${stderr}`);
  const told = JSON.parse(last) as Told;
  if (told.skip === undefined) return told;
  t.skip(`needs ${kind}: ${told.skip} (apt install ${kind === "xfs" ? "xfsprogs" : "e2fsprogs"})`);
  return null;
}

const AUTH = ["auth.log", "auth.log.1.gz", "auth.log.2.gz", "auth.log.3.gz"];
const generationsIn = (names: readonly string[]) => names.filter((name) => /^app\.log\.\d+/.test(name));
const of = <T extends Event["type"]>({ events }: Told, type: T) =>
  events.filter((event): event is Extract<Event, { type: T }> => event.type === type);

for (const kind of ["ext4", "tmpfs", "xfs"]) {
  test(`a writer at full speed on ${kind} never finds the disk full while there is anything to free`, {
    timeout: 180_000,
  }, (t) => {
    const told = play(t, kind, "writer");
    if (told === null) return;
    t.diagnostic(`${told.written} bytes written onto ${told.size}, ${told.refused} writes refused`);
    // Check that, if it was full for a moment, nothing was left that may go: the newest generation is protected.
    if (told.refused > 0) assert.ok(generationsIn(told.left).length <= 2, told.left.join(" "));
    else assert.ok(told.written >= 2 * told.size);
    for (const name of AUTH) assert.ok(told.names.includes(name), `${name} is protected`);
    const removed = of(told, "log.pruned").map(({ path }) => path);
    assert.ok(!removed.some((path) => /auth/.test(path)), removed.join(" "));
    // Whoever fills it is named while there is still room to be made.
    const alarms = of(told, "disk.filling").map(({ why }) => why);
    const named = /lasts less than a minute; .*\/app\.log grows fastest, .* a second, written by \S+\[\d+\]$/;
    assert.ok(
      alarms.some((why) => named.test(why)),
      alarms.join("\n"),
    );
  });

  test(`at 100 % full the limits hold again on ${kind}, and every deletion is told and kept`, {
    timeout: 180_000,
  }, (t) => {
    const told = play(t, kind, "full");
    if (told === null) return;
    assert.ok(told.before < 64 * 1024, `${told.before} bytes were free`);
    assert.equal(told.status, 0);
    assert.ok(told.free >= 0.18 * told.size * 0.85, `${told.free} of ${told.size} bytes free`);
    for (const name of AUTH) assert.ok(told.names.includes(name), `${name} is protected`);
    const removed = of(told, "log.pruned").map(({ path }) => path);
    assert.ok(removed.length > 0);
    // The oldest went first, and each of them stands in the report.
    assert.match(removed[0]!, /app\.log\.40\.gz$/);
    for (const path of removed)
      assert.ok(told.report.includes(`REMOVED ${path} `), `${path} is in the report`);
    assert.equal(of(told, "disk.pressed")[0]!.freeBytes, told.before);
  });
}

test("a budget is kept by compressing first and removing the oldest then, as the plan had said", {
  timeout: 120_000,
}, (t) => {
  const told = play(t, "ext4", "budget");
  if (told === null) return;
  const steps = told.plans.flatMap((plan) => plan.steps).map((step) => step.do);
  const [compressed, ...others] = of(told, "log.compressed");
  assert.match(compressed!.path, /app\.log\.1$/);
  assert.equal(others.length, 0);
  const removed = of(told, "log.pruned").map(({ path }) => path);
  assert.deepEqual(
    steps.filter((step) => step === "remove").length,
    removed.length,
    "what was planned is what was done",
  );
  assert.match(removed[0]!, /app\.log\.30\.gz$/);
  assert.ok(generationsIn(told.names).length >= 2, "two generations are protected");
  assert.equal(of(told, "disk.relieved").length, 1);
});

test("nothing protected goes, however full it is: an alarm says so", { timeout: 120_000 }, (t) => {
  const told = play(t, "ext4", "protected");
  if (told === null) return;
  assert.equal(told.status, 1);
  assert.equal(told.names.length, 2 + 50 + 5);
  assert.deepEqual(of(told, "log.pruned"), []);
  assert.match(of(told, "disk.filling")[0]!.why, /nothing left that may be removed/);
});

test("a file that refuses to go is told once, and others go instead", { timeout: 120_000 }, (t) => {
  const told = play(t, "ext4", "stubborn");
  if (told === null) return;
  assert.equal(told.status, 0);
  const [failed, ...more] = of(told, "rotation.failed");
  assert.match(failed!.log, /app\.log\.60\.gz$/);
  assert.deepEqual(more, []);
  assert.ok(told.names.includes("app.log.60.gz"));
  assert.ok(!told.names.includes("app.log.59.gz"));
});

test("a full disk first gets the reserve that the guard had put by", { timeout: 120_000 }, (t) => {
  const told = play(t, "ext4", "reserve");
  if (told === null) return;
  assert.equal(told.made, 4 * 1024 * 1024);
  assert.ok(told.free > 0.15 * told.size);
  assert.ok(of(told, "disk.pressed").length > 0);
});
