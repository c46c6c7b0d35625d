// Ten thousand blocks in the history and none in the firewall, as after a reboot. Check that the guard puts every one of them
// back, again when somebody flushes the firewall, and that one order beside it lets everybody in, each told of once.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { openStore } from "../../src/store/store.ts";
import { startGuard } from "./guard-process.ts";
import { labObstacle, makeLab, TELLTALE } from "./lab.ts";
import { LISTENER_UID, withListener } from "./split.ts";
import { waitFor } from "./wait.ts";

const COUNT = 10_000;
const WITHIN_MS = 60_000;

test("ten thousand blocks are back after a reboot and after a flush, and gone by one order", {
  skip: labObstacle("nft") ?? false,
  timeout: 240_000,
}, async () => {
  using lab = makeLab(["stranger"]);
  const path = join(lab.dir, "store/telltale.db");
  const names = Array.from({ length: COUNT }, (_, n) => `11.0.${n >> 8}.${n & 255}`);
  const now = Date.now();
  const store = openStore(path);
  store.transaction(() => {
    for (const target of names)
      store.blocks.put({
        target,
        since: new Date(now).toISOString(),
        until: new Date(now + 3_600_000).toISOString(),
        because: "a scan",
        grade: "spoofable",
        findingId: "",
        packetsStopped: 0,
      });
  });
  store.close();
  const options = withListener(lab);
  lab.run("host", ["chown", "-R", `${LISTENER_UID}:${LISTENER_UID}`, join(lab.dir, "store")]);
  const config = join(lab.dir, "telltale.toml");
  const off = ["rotate", "check", "sentry"].map((part) => `[${part}]\nenabled = false\n`).join("");
  writeFileSync(
    config,
    `[store]\ndirectory = "${lab.dir}/store"\n[respond]\nmode = "block"\n${off}[report]\nvia = "none"\n`,
  );
  const inForce = (): number =>
    (lab.run("host", ["nft", "list", "ruleset"]).stdout.match(/\b11\.0\.\d+\.\d+\b/g) ?? []).length;

  const guard = await startGuard(lab, ["--config", config], options);
  assert.equal(inForce(), COUNT);
  assert.deepEqual(
    guard.events.filter(({ type }) => type === "block.failed" || type === "part.failed"),
    [],
  );

  // Each is shown once, oldest first, in a table and for programs; also where the guard's table holds others.
  lab.run("host", ["nft", "add element inet telltale blocked4_32 { 203.0.113.9 timeout 1h }"]);
  const shown = (...args: string[]) =>
    lab
      .run("host", [TELLTALE, "blocks", "--config", config, ...args], options)
      .stdout.trimEnd()
      .split("\n");
  const [head, ...rows] = shown();
  assert.deepEqual(rows.map((row) => row.split(" ", 1)[0]).sort(), [...names].sort());
  const why = head!.indexOf("WHY");
  assert.ok(rows.every((row) => row.slice(why) === "a scan"));
  assert.deepEqual(
    shown("--json").map((row) => (JSON.parse(row) as { target: string }).target),
    rows.map((row) => row.split(" ", 1)[0]),
  );
  lab.run("host", ["nft", "delete element inet telltale blocked4_32 { 203.0.113.9 }"]);

  lab.run("host", ["nft", "flush", "ruleset"]);
  await waitFor("all to be back after a flush", () => inForce() === COUNT, WITHIN_MS);
  await guard.until("part.recovered", ({ how }) => how.includes(`${COUNT} blocks are back`));

  // What each has stopped until the clean end is in the history, and the next guard goes on from there.
  const counted = names
    .map((name, n) => `${name} counter packets ${n} bytes ${60 * n} timeout 1h`)
    .join(", ");
  const script = join(lab.dir, "counted.nft");
  const set = "inet telltale blocked4_32";
  writeFileSync(script, `flush set ${set}\nadd element ${set} { ${counted} }\n`);
  const ran = lab.run("host", ["nft", "-f", script]);
  assert.equal(ran.status, 0, ran.stderr);
  await guard.stop();
  {
    using ended = openStore(path, { readOnly: true });
    const packets = new Map(ended.blocks.inForce(new Date()).map((row) => [row.target, row.packetsStopped]));
    assert.deepEqual(
      names.map((name) => packets.get(name)),
      names.map((_, n) => n),
    );
  }
  const again = await startGuard(lab, ["--config", config], options);
  assert.equal(inForce(), COUNT);

  const order = lab.run("host", [TELLTALE, "unblock", "--all", "--config", config], options);
  assert.equal(order.status, 0, order.stderr);
  assert.equal(inForce(), 0);
  // The guard hears of each, from whichever of the two wrote it down.
  const lifted = () => again.events.filter(({ type }) => type === "block.lifted");
  await waitFor("the guard to have heard of all", () => lifted().length >= COUNT, WITHIN_MS);
  await again.stop();
  assert.equal(inForce(), 0, "nobody was put back");
  assert.equal(new Set(lifted().map((event) => event.id)).size, COUNT);
  const after = openStore(path, { readOnly: true });
  assert.equal(after.blocks.countInForce(new Date()), 0);
  assert.equal(after.eventsSince(0, { types: ["block.lifted"], limit: 2 * COUNT }).length, COUNT);
  after.close();
});
