// The unprivileged half of the guard in a stranger's hands: check that the privileged one refuses what it may not have, ends
// what no listener would say, and gives it no more for coming back.
import assert from "node:assert/strict";
import { appendFileSync, chownSync, globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { labObstacle, makeLab, ROOT, TELLTALE } from "./lab.ts";
import { LISTENER_UID } from "./split.ts";
import { blocked, makeScene } from "./split-scene.ts";
import { waitFor } from "./wait.ts";

const skip = labObstacle("nft", "setpriv") ?? false;

test("a listener in a stranger's hands is refused, or ended", { skip }, async (t) => {
  using lab = makeLab(["stranger"]);
  const scene = makeScene(lab);
  writeFileSync(join(lab.dir, "secret"), "root's\n", { mode: 0o600 });
  const play = async (lines: readonly string[], until: string): Promise<string> => {
    writeFileSync(join(lab.dir, "lines"), lines.join("\n"), { mode: 0o644 });
    const rogue = join(ROOT, "tests/system/rogue-listener.ts");
    const child = lab.start(
      "host",
      [process.execPath, join(ROOT, "tests/system/rogue-warden.ts"), scene.config, rogue],
      {
        binds: scene.binds,
        env: { ROGUE_LINES: join(lab.dir, "lines") },
      },
    );
    let said = "";
    child.stdout!.on("data", (chunk: Buffer) => void (said += chunk.toString()));
    child.stderr!.on("data", (chunk: Buffer) => void (said += chunk.toString()));
    await waitFor("the warden's answers", () => said.includes(until)).catch((error: Error) => {
      throw new Error(`${error.message}: ${said}`);
    });
    child.kill("SIGTERM");
    await waitFor("its end", () => child.exitCode !== null || child.signalCode !== null);
    return said;
  };
  const ask = (fields: object) => JSON.stringify({ id: 2, ...fields });
  const firewall = (call: string, ...args: unknown[]) => ask({ ask: "firewall", call, args });
  const block = (target: string, forMs = "3600000") => `+${target} ${forMs} 0 `;

  await t.test("files that the configuration does not name stay closed", async () => {
    writeFileSync(`${scene.log}.1`, "older\n", { mode: 0o600 });
    const paths = [
      "/etc/shadow",
      join(lab.dir, "secret"),
      `${lab.dir}/log/../secret`,
      `${scene.log}.evil`,
      `${lab.dir}/log`,
    ];
    const said = await play(
      [
        ...paths.map((path) => ask({ ask: "log", path })),
        ask({ ask: "report-file" }),
        ask({ ask: "log", path: `${scene.log}.1` }),
      ],
      "done",
    );
    const answers = said.split("\n").filter((line) => line.startsWith('{"id":2'));
    const refused = answers.filter((line) => line.includes("is no log that the configuration names"));
    assert.equal(refused.length, paths.length, said);
    assert.match(said, /report\.via = \\"sendmail\\"/);
    assert.match(said, /"fd":true/);
  });

  await t.test("nobody who is protected is blocked, whatever it asks for", async () => {
    const { host4 } = lab.clients[0]!;
    const changes = [host4, "198.51.100.0/24", "127.0.0.1", "0.0.0.0/1", "203.0.113.7"].map((target) =>
      block(target),
    );
    const said = await play(
      [firewall("open"), firewall("setAllow", []), firewall("apply", changes.join(";"))],
      "done",
    );
    assert.equal(said.match(/"why":"refused by the warden/g)?.length, 4, said);
    const sets = blocked(lab);
    assert.match(sets, /203\.0\.113\.7/);
    assert.doesNotMatch(sets, /198\.51\.100|127\.0\.0/);
  });

  await t.test("it gets its share of blocks, and not another one for ending and coming back", async () => {
    appendFileSync(scene.config, "[respond]\nmax_blocks_per_minute = 10\nmax_blocks = 10000\n");
    const all = (second: number, count: number, line: (target: string) => string) =>
      Array.from({ length: count }, (_, n) => line(`203.${second}.${n >> 8}.${n & 255}`)).join(";");
    const said = await play(
      [
        firewall("open"),
        // What a history could have held is put back once; the rest of that minute's share with it.
        firewall("apply", all(1, 20_000, block)),
        firewall(
          "apply",
          all(1, 20_000, (target) => `-${target}`),
        ),
        firewall("clear"),
        firewall("apply", all(2, 300, block)),
        "and it ends itself",
      ],
      "in 2 s",
    );
    const refused = said
      .split("\n")
      .filter(
        (line) => line.startsWith('{"id":2') && line.includes("what respond.max_blocks_per_minute allows"),
      )
      .map((line) => line.match(/refused by the warden/g)!.length);
    assert.deepEqual(refused, [260, 20_000, 300], said.slice(-2_000));
    assert.ok(
      said.includes("telltale guard: the listener is refused: it asked for a block that it may not have"),
    );
  });

  for (const [what, line] of [
    ["no JSON", "rm -rf /"],
    ["an unknown request", ask({ ask: "exec", argv: ["sh"] })],
    ["a field too many", ask({ ask: "capture", interface: "eth0" })],
    ["a step backwards", ask({ ask: "hello" })],
    ["an unknown call of the firewall", firewall("constructor")],
    ["an address that is a script", firewall("apply", block("203.0.113.7 } ; flush ruleset"))],
    ["a block without end", firewall("apply", block("203.0.113.7", "1e300"))],
    ["a path with a zero", ask({ ask: "log", path: "/var/log/syslog\0" })],
  ] as const) {
    await t.test(`${what} ends the conversation`, async () => {
      const said = await play([line], "the listener is gone");
      assert.match(said, /it sent what no listener of telltale's sends/);
    });
  }
});

test("what a rogue listener was refused, and how it ended, stands in the administrator's next report and mail", {
  skip,
}, async () => {
  using lab = makeLab(["stranger"]);
  const scene = makeScene(lab, '[respond]\nmode = "block"\nmax_blocks_per_minute = 10\nmax_blocks = 20\n');
  // What the guard makes before it parts.
  const state = join(lab.dir, "state");
  mkdirSync(state, { mode: 0o700 });
  chownSync(state, LISTENER_UID, LISTENER_UID);
  const once = join(ROOT, "tests/system/rogue-once.ts");
  const flood = (minute: number) =>
    Array.from({ length: 20_000 }, (_, n) => `+203.${minute}.${n >> 8}.${n & 255} 3600000 0 `).join(";");
  const call = (...args: unknown[]) =>
    JSON.stringify({ id: 2, ask: "firewall", call: args[0], args: args.slice(1) });
  const lines = [call("open"), call("apply", flood(1)), "and it ends itself"];
  writeFileSync(join(lab.dir, "lines"), lines.join("\n"), { mode: 0o644 });
  const warden = lab.start(
    "host",
    [process.execPath, join(ROOT, "tests/system/rogue-warden.ts"), scene.config, once],
    {
      binds: scene.binds,
      env: { ROGUE_LINES: join(lab.dir, "lines"), ROGUE_MARK: join(lab.dir, "outbox/played") },
    },
  );
  let said = "";
  for (const stream of [warden.stdout!, warden.stderr!])
    stream.on("data", (chunk: Buffer) => void (said += chunk.toString()));
  const report = (...args: string[]) =>
    lab.run("host", [TELLTALE, "report", ...args, "--config", scene.config], scene);
  const told = [
    /listener failed: it asked for a block that it may not have: refused by the warden: [^;]* respond\.max_blocks allows/,
    /listener failed: it sent what no listener of telltale's sends/,
    /otherwise look whether somebody has taken it over/,
  ];
  const isTold = (text: string) =>
    told.every((line) => line.test(text.replaceAll("=\n", "").replaceAll(/\s+/g, " ")));
  await waitFor("the report to tell of it", () => isTold(report("--since", "1h").stdout), 60_000).catch(
    (error: Error) => {
      throw new Error(`${error.message}: ${report("--since", "1h").stdout}\n${said.slice(-3_000)}`);
    },
  );
  assert.equal(report("--send").status, 0);
  const mails = globSync(join(lab.dir, "outbox/*.mail")).map((path) => readFileSync(path, "utf8"));
  assert.ok(mails.some(isTold), mails.join("\n"));
  warden.kill("SIGTERM");
  await waitFor("its end", () => warden.exitCode !== null || warden.signalCode !== null);
});
