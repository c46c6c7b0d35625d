// The guard with each firewall that the configuration may name: check that a scanner is shut out by it, that the commands beside
// it see, make and lift the same blocks, and that the end leaves nothing behind.
import assert from "node:assert/strict";
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { startGuard } from "./guard-process.ts";
import { type Lab, labObstacle, makeLab, TELLTALE } from "./lab.ts";
import { synScan } from "./nmap.ts";
import { withListener } from "./split.ts";
import { waitFor } from "./wait.ts";

const BY_HAND = "203.0.113.7";

type Case = {
  readonly backend: string;
  readonly tools: readonly string[];
  readonly more?: (dir: string) => string;
  /** What it holds, as text in which a blocked address stands. */
  readonly holds: (lab: Lab) => string;
};

const CASES: readonly Case[] = [
  {
    backend: "iptables",
    tools: ["iptables", "ipset"],
    holds: (lab) => lab.run("host", ["ipset", "save"]).stdout,
  },
  {
    backend: "route",
    tools: [],
    holds: (lab) =>
      lab.run("host", ["ip", "-4", "route", "show", "table", "all", "type", "blackhole"]).stdout,
  },
  {
    backend: "hosts-deny",
    tools: [],
    holds: (lab) => readFileSync(join(lab.dir, "etc/hosts.deny"), "utf8"),
  },
  {
    backend: "command",
    tools: [],
    more: (dir) =>
      `block_command = ["${dir}/firewall", "block", "{target}"]\nlift_command = ["${dir}/firewall", "lift", "{target}"]`,
    holds: (lab) => (existsSync(join(lab.dir, "held")) ? readFileSync(join(lab.dir, "held"), "utf8") : ""),
  },
];

for (const { backend, tools, more, holds } of CASES) {
  test(`respond.backend = "${backend}"`, {
    skip: labObstacle("nmap", ...tools) ?? false,
    timeout: 120_000,
  }, async () => {
    using lab = makeLab(["stranger"]);
    const { host4, v4 } = lab.clients[0]!;
    // A host's own /etc, because a file that is replaced whole cannot be a mount of its own.
    const etc = join(lab.dir, "etc");
    cpSync("/etc", etc, { recursive: true, verbatimSymlinks: true });
    writeFileSync(join(etc, "hosts.deny"), "# mine\n");
    const binds = [[etc, "/etc"], ...withListener(lab).binds] as const;
    writeFileSync(
      join(lab.dir, "firewall"),
      `#!/bin/sh\ncd ${lab.dir}\ngrep -vx "$2" held >held.new 2>/dev/null\n[ "$1" = lift ] || echo "$2" >>held.new\nmv held.new held\n`,
      { mode: 0o755 },
    );
    const config = join(lab.dir, "telltale.toml");
    writeFileSync(
      config,
      `[store]\ndirectory = "${lab.dir}/state"\n[rotate]\nenabled = false\n[check]\nenabled = false\n[report]\nvia = "none"\n[respond]\nbackend = "${backend}"\n${more?.(lab.dir) ?? ""}\n`,
    );
    const telltale = (...args: string[]) =>
      lab.run("host", [TELLTALE, ...args, "--config", config], { binds });
    const has = (address: string) => new RegExp(`\\b${address.replaceAll(".", "\\.")}\\b`).test(holds(lab));
    const guard = await startGuard(lab, ["--block", "--config", config], { binds });
    lab.run("stranger", synScan(host4, "1-100", "3s"));
    await guard.until("block.applied", ({ target }) => target === v4);
    assert.ok(has(v4), holds(lab));

    const byHand = telltale("block", BY_HAND, "--why", "by hand");
    assert.equal(byHand.status, 0, byHand.stderr);
    assert.ok(has(BY_HAND) && has(v4), holds(lab));
    assert.match(telltale("blocks").stdout, new RegExp(`^${BY_HAND} .* by hand$`, "m"));
    assert.match(telltale("unblock", v4).stdout, /is let in again/);
    assert.ok(!has(v4) && has(BY_HAND), holds(lab));
    await guard.until("block.lifted", ({ target }) => target === v4);

    // Killed, it leaves its blocks; the next one has them, and the brake lifts all.
    await guard.stop("SIGKILL");
    assert.ok(has(BY_HAND));
    const again = await startGuard(lab, ["--block", "--config", config], { binds });
    await waitFor("the block to be known", () => telltale("blocks").stdout.includes(BY_HAND));
    assert.ok(has(BY_HAND) && !has(v4), holds(lab));
    const panic = telltale("panic");
    assert.equal(panic.status, 0, panic.stderr);
    assert.ok(!has(BY_HAND), holds(lab));
    assert.equal(telltale("blocks").stdout, "Nobody is blocked.\n");
    assert.equal(telltale("panic", "--end").status, 0);
    assert.deepEqual(
      [...guard.events, ...again.events].filter(({ type }) => type === "block.failed"),
      [],
    );
    assert.equal((await again.stop()).status, 0);
    if (backend === "hosts-deny") assert.equal(holds(lab), "# mine\n");
  });
}
