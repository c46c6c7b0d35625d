// What an administrator meets on a bad day: broken configuration, missing firewall, no permission, a full disk. Check
// that each says what is off, what still runs and the mend, and that the guard goes on.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { appendFileSync, chmodSync, existsSync, globSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { startGuard } from "./guard-process.ts";
import { type Lab, labObstacle, makeLab, type RunOptions, TELLTALE } from "./lab.ts";
import { listenerOf, withListener } from "./split.ts";

const skip = labObstacle("nft") ?? false;

function makeConfig(lab: Lab, more = ""): string {
  const rules = join(lab.dir, "logcheck");
  for (const folder of [
    "violations.d",
    "violations.ignore.d",
    "cracking.d",
    "ignore.d.server",
    "ignore.d.paranoid",
    "ignore.d.workstation",
  ]) {
    mkdirSync(join(rules, folder), { recursive: true });
  }
  writeFileSync(join(rules, "violations.d/app"), "app: .*wrong\n");
  writeFileSync(join(lab.dir, "app.log"), "");
  writeFileSync(join(lab.dir, "logrotate.conf"), `${lab.dir}/app.log {\n size 1G\n}\n`, { mode: 0o644 });
  const file = join(lab.dir, "telltale.toml");
  writeFileSync(
    file,
    `[store]
directory = "${lab.dir}/state"
[check]
rules = "${rules}"
logs = ["${lab.dir}/app.log"]
journal = "off"
[rotate]
config = ["${lab.dir}/logrotate.conf"]
state = "${lab.dir}/rotate.state"
roots = []
[report]
via = "none"
${more}`,
  );
  return file;
}

// Both ways to run, for what must not differ.
const MODES = ["one process", "two processes"] as const;
const optionsFor = (lab: Lab, mode: (typeof MODES)[number]): RunOptions =>
  mode === "one process" ? {} : withListener(lab);

for (const mode of MODES) {
  test(`a reload says what changed; a broken one keeps the old configuration and says why: ${mode}`, {
    skip,
  }, async () => {
    using lab = makeLab(["client"]);
    const config = makeConfig(lab);
    const guard = await startGuard(lab, ["--config", config], optionsFor(lab, mode));
    appendFileSync(config, '[respond]\nallow = ["203.0.113.0/24"]\nblock_for = "30m"\n');
    guard.child.kill("SIGHUP");
    const { changes } = await guard.until("config.reloaded");
    assert.match(changes.join("\n"), /respond\.block_for: "10m" is now "30m"/);
    assert.match(changes.join("\n"), /allow.*203\.0\.113\.0\/24/);

    appendFileSync(config, 'mood = "good"\nmax_blocks = "many"\n');
    guard.child.kill("SIGHUP");
    const { faults } = await guard.until("config.rejected");
    assert.deepEqual(
      faults.map((fault) => fault.key),
      ["respond.mood", "respond.max_blocks"],
    );
    assert.ok(faults.every((fault) => fault.file === config && fault.line > 0 && fault.mend !== ""));
    assert.deepEqual(guard.events.filter((event) => event.type === "config.reloaded").length, 1);

    appendFileSync(join(lab.dir, "app.log"), "Nov 22 12:00:00 host app: still something wrong\n");
    await guard.until("line.found");
    const { status } = await guard.stop("SIGINT");
    assert.equal(status, 0);
  });

  test(`the guard does not read its own lines, and nobody hides behind them: ${mode}`, { skip }, async () => {
    using lab = makeLab(["client"]);
    const guard = await startGuard(lab, ["--config", makeConfig(lab)], optionsFor(lab, mode));
    const own = mode === "one process" ? [guard.child.pid!] : [guard.child.pid!, listenerOf(guard)];
    appendFileSync(
      join(lab.dir, "app.log"),
      [
        ...own.map((pid) => `Nov 22 12:00:00 host telltale[${pid}]: app: its own wrong line`),
        `Nov 22 12:00:00 host app: user " telltale[${own[0]}]: " is wrong`,
        `Nov 22 12:00:00 host telltale[${process.pid}]: app: another one's wrong line`,
        "",
      ].join("\n"),
    );
    await guard.until("line.found", (event) => event.line.includes("another one"));
    const found = guard.events.filter((event) => event.type === "line.found").map((event) => event.line);
    assert.equal(found.length, 2);
    assert.ok(found.every((line) => !line.includes("its own")));
    await guard.stop();
  });
}

test("a fault under [respond] means observing, whatever the command line says", { skip }, async () => {
  using lab = makeLab(["client"]);
  const config = makeConfig(lab, '[respond]\nallow = ["my office"]\n');
  const guard = await startGuard(lab, ["--block", "--config", config]);
  assert.equal(guard.events.find((event) => event.type === "guard.started")!.mode, "observe");
  await guard.until("config.faulty");
  await guard.stop();
});

for (const mode of MODES) {
  test(`without nftables only blocking is off, and the mend is named: ${mode}`, { skip }, async () => {
    using lab = makeLab(["client"]);
    const config = makeConfig(lab);
    const nothing = join(lab.dir, "nothing");
    writeFileSync(nothing, "");
    const hidden = [...globSync("/usr/lib/*/libnftables.so.1"), "/usr/sbin/nft"].filter((path) =>
      existsSync(path),
    );
    const guard = await startGuard(lab, ["--block", "--config", config], {
      binds: [...(optionsFor(lab, mode).binds ?? []), ...hidden.map((path) => [nothing, path] as const)],
    });
    const failed = await guard.until("part.failed", (event) => event.part === "respond");
    assert.match(failed.mend, /apt install nftables/);
    const parts = guard.events.find((event) => event.type === "guard.started")!.parts!;
    assert.deepEqual(
      parts
        .filter((part) => !part.on)
        .map((part) => part.part)
        .sort(),
      ["report", "respond"],
    );
    appendFileSync(join(lab.dir, "app.log"), "Nov 22 12:00:00 host app: something wrong\n");
    await guard.until("line.found");
    await guard.stop();
  });
}

test("without root the parts that need it are named as off and the rest runs", { skip }, async (t) => {
  using lab = makeLab(["client"]);
  const config = makeConfig(lab);
  chmodSync(lab.dir, 0o777);
  rmSync(join(lab.dir, "state"), { recursive: true, force: true });
  const child = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--inh-caps=-all",
    "--bounding-set=-all",
  ];
  if (spawnSync(child[0]!, [...child.slice(1), "test", "-r", TELLTALE]).status !== 0) {
    t.skip("needs a checkout that other users may read");
    return;
  }
  const guard = await startGuard(lab, ["--config", config], { as: child });
  const failed = await guard.until("part.failed", (event) => event.part === "sentry");
  assert.match(failed.mend, /root|CAP_NET_RAW/);
  appendFileSync(join(lab.dir, "app.log"), "Nov 22 12:00:00 host app: something wrong\n");
  await guard.until("line.found");
  await guard.stop();
});

for (const mode of MODES) {
  test(`a full disk under the store is told, and events come through when there is room again: ${mode}`, {
    skip,
  }, async () => {
    using lab = makeLab(["client"]);
    const config = makeConfig(lab);
    const state = join(lab.dir, "state");
    mkdirSync(state);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m,mode=700", "telltale-test", state]);
    try {
      const guard = await startGuard(lab, ["--config", config], optionsFor(lab, mode));
      spawnSync("dd", ["if=/dev/zero", `of=${state}/ballast`, "bs=64k"], { stdio: "ignore" });
      const lines = 4_000;
      const text = Array.from(
        { length: lines },
        (_, i) => `Nov 22 12:00:00 host app: ${"x".repeat(200)} wrong ${i}\n`,
      ).join("");
      appendFileSync(join(lab.dir, "app.log"), text);
      const failed = await guard.until("part.failed");
      assert.match(`${failed.why} ${failed.mend}`, /full|space/i);
      rmSync(join(state, "ballast"));
      execFileSync("mount", ["-o", "remount,size=64m", state]);
      await guard.until("line.found", (event) => event.line.endsWith(`wrong ${lines - 1}`));
      const found = guard.events.filter((event) => event.type === "line.found").map((event) => event.line);
      assert.equal(new Set(found).size, found.length, "no line twice");
      assert.equal(found.length, lines, "no line lost");
      await guard.stop();
    } finally {
      spawnSync("umount", ["-l", state]);
    }
  });
}
