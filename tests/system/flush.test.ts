// Somebody's firewall script empties the ruleset, again and again, while a flood from forged addresses keeps both halves of the
// guard busy and the scanner goes on. Check that the table, every block and the tripwire are back each time, and that it is told.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { startGuard } from "./guard-process.ts";
import { labObstacle, makeLab, TELLTALE } from "./lab.ts";
import { synScan } from "./nmap.ts";
import { withListener } from "./split.ts";
import { blocked } from "./split-scene.ts";
import { waitFor } from "./wait.ts";

const TIMES = 5;
// Lets 2,000 packets a second go, from an address of its own each.
const FLOOD = ["hping3", "-q", "-n", "-S", "--rand-source", "-p", "++1", "-i", "u500"];

test("the ruleset is flushed under load: table, blocks and tripwire are back, and nobody is let in for good", {
  skip: labObstacle("nft", "nmap", "hping3", "setpriv") ?? false,
  timeout: 120_000,
}, async () => {
  using lab = makeLab(["stranger", "flooder", "late"]);
  const [stranger, flooder, late] = lab.clients;
  const config = join(lab.dir, "telltale.toml");
  const off = ["rotate", "check"].map((part) => `[${part}]\nenabled = false\n`).join("");
  // In the lab all are neighbours; a whole network is not what this is about.
  writeFileSync(
    config,
    `[store]\ndirectory = "${lab.dir}/state"\n${off}[report]\nvia = "none"\n[respond]\naggregate_from = 0\n`,
  );
  const options = withListener(lab);
  const guard = await startGuard(lab, ["--block", "--config", config], options);
  const telltale = (...args: string[]) => lab.run("host", [TELLTALE, ...args, "--config", config], options);
  lab.run("stranger", synScan(stranger!.host4, "1-300", "3s"));
  await guard.until("block.applied", ({ target }) => target === stranger!.v4);
  assert.equal(telltale("block", "203.0.113.7", "2001:db8:9::/48").status, 0);
  const standing = [stranger!.v4, "203.0.113.7", "2001:db8:9::"];
  const allStand = () => standing.every((address) => blocked(lab).includes(`${address} `));
  assert.ok(allStand());

  const flood = lab.start("flooder", [...FLOOD, flooder!.host4]);
  flood.stdout!.resume();
  flood.stderr!.resume();
  const received = () =>
    Number(lab.run("host", ["cat", "/sys/class/net/v1/statistics/rx_packets"]).stdout.trim());
  const atStart = received();
  await waitFor("the flood", () => received() > atStart + 1_000);
  for (let n = 0; n < TIMES; n++) {
    assert.equal(lab.run("host", ["nft", "flush", "ruleset"]).status, 0);
    await waitFor(`the blocks to be back after flush ${n + 1}`, allStand);
  }
  await guard.until("part.failed", ({ why }) => /took apart/.test(why));
  await guard.until("part.recovered", ({ how }) => /back in the firewall/.test(how));

  // Who comes now meets the whole of it: the kernel's own first decision, and the guard's after it.
  lab.run("late", synScan(late!.host4, "1-300", "3s"));
  await guard.until("block.applied", ({ target }) => target === late!.v4);
  flood.kill("SIGKILL");
  const lifted = guard.events.filter(
    (event) => event.type === "block.lifted" && standing.includes(event.target),
  );
  assert.deepEqual(lifted, []);
  assert.equal((await guard.stop()).status, 0);
  assert.ok(allStand(), "and they outlast the guard");
});
