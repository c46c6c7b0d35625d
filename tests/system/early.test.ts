// A scan that user space finds, without the kernel's tripwire: check that the scanner is shut out before the warden, which
// gives the order, has done anything, and that what the warden then refuses is undone.
import assert from "node:assert/strict";
import test from "node:test";
import { startGuard } from "./guard-process.ts";
import { labObstacle, makeLab } from "./lab.ts";
import { synScan } from "./nmap.ts";
import { blocked, makeScene } from "./split-scene.ts";
import { waitFor } from "./wait.ts";

const skip = labObstacle("nft", "setpriv", "nmap") ?? false;
const ALONE = "[respond]\nkernel = false\n";

test("while the warden stands still a scanner is shut out all the same; its order comes later", {
  skip,
}, async () => {
  using lab = makeLab(["stranger"]);
  const { config, binds } = makeScene(lab, ALONE);
  const stranger = lab.clients[0]!;
  const guard = await startGuard(lab, ["--block", "--config", config], { binds });
  guard.child.kill("SIGSTOP");
  lab.run("stranger", synScan(stranger.host4, "1-100"));
  await waitFor("the early block", () => blocked(lab).includes(stranger.v4));
  assert.ok(!guard.events.some(({ type }) => type === "block.applied"));
  assert.match(blocked(lab), /timeout 1m\b/);
  guard.child.kill("SIGCONT");
  const { until } = await guard.until("block.applied", ({ target }) => target === stranger.v4);
  assert.ok(Date.parse(until) > Date.now() + 300_000);
  await waitFor("the order's own time", () => Number(/expires (\d+)m/.exec(blocked(lab))?.[1]) > 5);
  await guard.stop();
  assert.doesNotMatch(lab.run("host", ["nft", "list", "table", "inet", "telltale"]).stdout, /chain early/);
});

test("what somebody flushes of the short way is put back with the table", { skip }, async () => {
  using lab = makeLab(["stranger"]);
  const { config, binds } = makeScene(lab, ALONE);
  const guard = await startGuard(lab, ["--block", "--config", config], { binds });
  const stands = () => lab.run("host", ["nft", "list", "table", "inet", "telltale"]).stdout;
  assert.match(stands(), /chain early/);
  lab.run("host", ["nft", "flush", "chain", "inet", "telltale", "early"]);
  await waitFor("the rules to be back", () => /skuid/.test(stands()));
  await guard.stop();
});
