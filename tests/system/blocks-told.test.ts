// The story: a guard blocks, and somebody asks who is locked out. The guard says the very bytes that the history and the firewall
// would have said, and where it does not say, they are asked.
import assert from "node:assert/strict";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { askBlocks } from "../../src/app/control/client.ts";
import { startGuard } from "./guard-process.ts";
import { labObstacle, makeLab, TELLTALE } from "./lab.ts";
import { withListener } from "./split.ts";
import { waitFor } from "./wait.ts";

const obstacle = labObstacle("nft");

function scene(t: TestContext) {
  const lab = makeLab(["stranger"]);
  t.after(() => lab[Symbol.dispose]());
  const socket = join(lab.dir, "control.sock");
  const write = (name: string, controlSocket: string): string => {
    const off = ["rotate", "check"].map((part) => `[${part}]\nenabled = false\n`).join("");
    const path = join(lab.dir, name);
    writeFileSync(
      path,
      `[store]\ndirectory = "${lab.dir}/state"\n[guard]\ncontrol_socket = "${controlSocket}"\n${off}[report]\nvia = "none"\n`,
    );
    return path;
  };
  const config = write("telltale.toml", socket);
  // The same history and no guard to ask.
  const alone = write("alone.toml", join(lab.dir, "nobody.sock"));
  const blocks = (by: string, ...args: string[]): string => {
    const ran = lab.run("host", [TELLTALE, "blocks", "--config", by, ...args]);
    assert.equal(ran.status, 0, ran.stderr);
    return ran.stdout;
  };
  const block = (...args: string[]): void => {
    const ran = lab.run("host", [TELLTALE, "block", "--config", config, ...args]);
    assert.equal(ran.status, 0, ran.stderr);
  };
  return { lab, config, alone, socket, blocks, block };
}

for (const mode of ["one process", "two processes"] as const) {
  test(`a running guard tells what would have been read: ${mode}`, async (t) => {
    if (obstacle !== null) return t.skip(obstacle);
    const { lab, config, alone, socket, blocks, block } = scene(t);
    const options = mode === "one process" ? {} : withListener(lab);
    const guard = await startGuard(lab, ["--block", "--config", config], options);
    assert.deepEqual(await askBlocks(socket), []);
    assert.equal(blocks(config), "Nobody is blocked.\n");
    assert.equal(blocks(config, "--json"), "");

    const [stranger] = lab.clients;
    block(stranger!.v4, "203.0.113.0/24", "--for", "1h", "--why", "x\u001b[31m");
    block("2001:db8:9::/48", "--for", "2h");
    lab.run("host", [TELLTALE, "unblock", "203.0.113.0/24", "--config", config]);
    block("203.0.113.0/24", "--for", "1h");
    const knock = `const s = require("node:dgram").createSocket("udp4"); let left = 3; for (let n = 0; n < 3; n++) s.send("x", 4000 + n, "${stranger!.host4}", () => --left || s.close())`;
    lab.run("stranger", [process.execPath, "-e", knock]);
    // Check that the guard has heard of all of it, and the firewall has counted.
    const told = await waitFor("the guard to tell of the packets", async () => {
      const each = await askBlocks(socket);
      return each?.length === 3 && each.some(({ packetsStopped }) => packetsStopped === 3) ? each : null;
    });
    assert.deepEqual(
      told.map(({ target, timesBefore }) => [target, timesBefore]),
      [
        [stranger!.v4, 0],
        ["2001:db8:9::/48", 0],
        ["203.0.113.0/24", 1],
      ],
    );
    assert.equal(blocks(config, "--json"), blocks(alone, "--json"));
    assert.deepEqual(
      blocks(config, "--json")
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown),
      told,
    );
    // What is left of the time may be a second less. The column keeps its width: "1h" has more space behind it than "59m 59s".
    const steady = (table: string) =>
      table.replace(/ (?:\d+[smh] ?)+ +/g, (left) => " LEFT".padEnd(left.length));
    assert.equal(steady(blocks(config)), steady(blocks(alone)));
    await guard.stop();
    assert.equal(blocks(config, "--json"), blocks(alone, "--json"));
  });
}

test("who observes does not tell, and neither does a guard with thousands: the history is read", async (t) => {
  if (obstacle !== null) return t.skip(obstacle);
  const { lab, config, socket, blocks, block } = scene(t);
  block("203.0.113.7", "--for", "1h");
  const observer = await startGuard(lab, ["--config", config]);
  assert.equal(await askBlocks(socket), null);
  assert.match(blocks(config), /^203\.0\.113\.7 /m);
  await observer.stop();

  const guard = await startGuard(lab, ["--block", "--config", config]);
  const many = Array.from({ length: 600 }, (_, n) => `198.18.${n >> 8}.${n & 255}`);
  block(...many, "--for", "1h");
  await waitFor("the guard to know of so many", async () => (await askBlocks(socket)) === null);
  assert.equal(blocks(config, "--json").trimEnd().split("\n").length, many.length + 1);
  await guard.stop();
});

test("what answers in place of a guard costs nothing but the asking", async (t) => {
  if (obstacle !== null) return t.skip(obstacle);
  const { lab, config, socket, blocks, block } = scene(t);
  block("203.0.113.7", "--for", "1h");
  const answers = [
    ["an older guard", `c.end('{"ok":false,"why":"asks for none of status, metrics","mend":""}\\n')`],
    ["one that ends", "c.destroy()"],
    ["somebody else", "c.end('no JSON\\n')"],
    ["one that hangs", "c.resume()"],
  ] as const;
  for (const [who, answer] of answers) {
    const script = `require("node:net").createServer((c) => { c.on("error", () => {}); ${answer} }).listen(${JSON.stringify(socket)})`;
    const server = lab.start("host", [process.execPath, "-e", script]);
    await waitFor("it to listen", () => existsSync(socket));
    assert.match(blocks(config), /^203\.0\.113\.7 /m, who);
    server.kill("SIGKILL");
    rmSync(socket);
  }
});
