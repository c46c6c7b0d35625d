// An administrator who tries telltale for a while before it may block, and changes his mind while it runs: check that
// `telltale reload` takes up the mode and the allow list, for whoever is blocked already too, and that what a running guard says of
// itself is what it does.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { startGuard } from "./guard-process.ts";
import { type Lab, labObstacle, makeLab, TELLTALE } from "./lab.ts";
import { synScan } from "./nmap.ts";
import { withListener } from "./split.ts";
import { waitFor } from "./wait.ts";

const skip = labObstacle("nft", "nmap") ?? false;

function scene(lab: Lab) {
  const config = join(lab.dir, "telltale.toml");
  const { binds } = withListener(lab);
  const telltale = (...args: string[]) => lab.run("host", [TELLTALE, ...args, "--config", config], { binds });
  return {
    binds,
    config,
    telltale,
    write: (respond: string) =>
      writeFileSync(
        config,
        `[store]\ndirectory = "${lab.dir}/state"\n[rotate]\nenabled = false\n[check]\nenabled = false\n[report]\nvia = "none"\n[respond]\n${respond}\n`,
      ),
    reload: () => {
      const { status, stdout, stderr } = telltale("reload");
      assert.equal(status, 0, stderr);
      return stdout;
    },
    firewall: () => lab.run("host", ["nft", "list", "ruleset"]).stdout,
  };
}

test("observing, then blocking, then sparing somebody, then observing again: each by a reload", {
  skip,
  timeout: 180_000,
}, async () => {
  using lab = makeLab(["stranger", "office"]);
  const [stranger, office] = [lab.clients[0]!, lab.clients[1]!];
  const it = scene(lab);
  it.write('mode = "observe"');
  const guard = await startGuard(lab, ["--config", it.config], { binds: it.binds });
  const scan = (name: string, ports: string) =>
    lab.run(name, synScan(name === "office" ? office.host4 : stranger.host4, ports));
  const isBlocked = (address: string) =>
    [...it.firewall().matchAll(/set blocked[^}]*\}/g)].some(([set]) => set.includes(`${address} `));

  scan("stranger", "1-100");
  const { verdict } = await guard.until("verdict.reached", (event) => event.verdict.source === stranger.v4);
  assert.equal(verdict.mode, "observe");
  assert.match(it.telltale("status").stdout, /observing: nobody is blocked/);
  assert.doesNotMatch(it.firewall(), /telltale/);
  assert.equal(it.telltale("blocks").stdout, "Nobody is blocked.\n");

  it.write('mode = "block"');
  assert.match(it.reload(), /respond\.mode: "?observe"? is now "?block"?/);
  assert.match(it.telltale("status").stdout, /blocking: scanners are locked out[\s\S]*kernel tripwire armed/);
  scan("office", "1-100");
  await guard.until("block.applied", ({ target }) => target === office.v4);
  assert.ok(isBlocked(office.v4));

  // What fail2ban calls addignoreip: whoever is blocked by mistake comes in again, and stays.
  it.write(`mode = "block"\nallow = ["${office.v4}"]`);
  it.reload();
  await guard.until("block.lifted", ({ target, cause }) => target === office.v4 && cause === "guardrail");
  assert.ok(!isBlocked(office.v4));
  assert.match(it.telltale("guardrails").stdout, new RegExp(`^${office.v4} +allow list`, "m"));
  scan("office", "200-300");
  scan("stranger", "200-300");
  await guard.until("block.applied", ({ target }) => target === stranger.v4);
  assert.ok(!isBlocked(office.v4));
  assert.match(it.telltale("block", office.v4).stderr, /never blocked: allow list/);

  // Check that the brake shows where people look, at once and after it is let go.
  assert.equal(it.telltale("panic").status, 0);
  await waitFor("the brake in the status", () =>
    /observing: nobody is blocked \(telltale panic is in force/.test(it.telltale("status").stdout),
  );
  assert.equal(it.telltale("panic", "--end").status, 0);
  await waitFor("blocking again", () => /blocking: scanners/.test(it.telltale("status").stdout));
  assert.equal(it.telltale("block", stranger.v4).status, 0);

  it.write('mode = "observe"');
  it.reload();
  assert.match(it.telltale("status").stdout, /observing: nobody is blocked/);
  assert.doesNotMatch(it.firewall(), /chain tripwire/);
  assert.ok(isBlocked(stranger.v4), "who was blocked stays so until its time is over");
  assert.match(it.telltale("unblock", stranger.v4).stdout, /is let in again/);
  assert.ok(!isBlocked(stranger.v4));
  const before = guard.events.length;
  scan("stranger", "400-500");
  await waitFor("a verdict", () => guard.events.slice(before).some(({ type }) => type === "verdict.reached"));
  assert.ok(!isBlocked(stranger.v4));
  assert.equal((await guard.stop()).status, 0);
});
