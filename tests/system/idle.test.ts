// Nothing happens on this host. Check that the guard sleeps: how often each of its processes is woken is counted by the kernel.
// What it then costs is measured by a bench (npm run bench -- guard --only idle); this keeps a new timer from going unnoticed.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { startGuard } from "./guard-process.ts";
import { labObstacle, makeLab } from "./lab.ts";
import { listenerOf, statusOf, withListener } from "./split.ts";
import { waitFor } from "./wait.ts";

const WATCH_MS = 10_000;
// Measured: 0.7 and 0.6. With as much again, and more, for a collection of garbage or a look that falls into these seconds.
const WARDEN_A_SECOND = 3;
const LISTENER_A_SECOND = 3;
// The start is over, and what it began behind itself.
const AT_REST = 10;

test("a guard to which nothing happens is hardly ever woken", async (t) => {
  const obstacle = labObstacle("nft", "setpriv");
  if (obstacle !== null) return t.skip(obstacle);
  using lab = makeLab(["stranger"]);
  const log = join(lab.dir, "auth.log");
  const config = join(lab.dir, "telltale.toml");
  writeFileSync(log, "");
  writeFileSync(join(lab.dir, "rotate.conf"), `${log} {\n size 1G\n rotate 3\n}\n`);
  writeFileSync(
    config,
    `[store]\ndirectory = "${lab.dir}/state"\n[check]\nlogs = ["${log}"]\njournal = "off"\n[rotate]\nconfig = ["${lab.dir}/rotate.conf"]\nroots = []\n[report]\nvia = "none"\n`,
  );
  const guard = await startGuard(lab, ["--block", "--config", config], withListener(lab));
  const pids = [guard.child.pid!, listenerOf(guard)];
  const wakes = () => pids.map((pid) => Number(statusOf(pid)["voluntary_ctxt_switches"]));
  let [before, atMs] = [wakes(), performance.now()];
  await waitFor("the start to be over", () => {
    if (performance.now() - atMs < 1_000) return false;
    const now = wakes();
    const isAtRest = now.every((count, i) => count - before[i]! <= AT_REST);
    [before, atMs] = [now, performance.now()];
    return isAtRest;
  });
  await waitFor("some quiet seconds", () => performance.now() - atMs >= WATCH_MS);
  const seconds = (performance.now() - atMs) / 1_000;
  const [warden, listener] = wakes().map((count, i) => (count - before[i]!) / seconds);
  assert.ok(warden! <= WARDEN_A_SECOND, `the warden was woken ${warden!.toFixed(1)} times a second`);
  assert.ok(listener! <= LISTENER_A_SECOND, `the listener was woken ${listener!.toFixed(1)} times a second`);
  t.diagnostic(`woken ${warden!.toFixed(1)} and ${listener!.toFixed(1)} times a second`);
  await guard.stop();
});
