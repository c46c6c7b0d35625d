// The guard as two processes. Check from outside that the one that reads what strangers write may do nothing, that the
// one that may do something does only what it should, and that no accident of the first costs a block or a line.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import test from "node:test";
import { type GuardProcess, startGuard } from "./guard-process.ts";
import { type Lab, labObstacle, makeLab, ROOT, TELLTALE } from "./lab.ts";
import { synScan } from "./nmap.ts";
import { LISTENER_UID, listenerOf, statusOf, withListener } from "./split.ts";
import { waitFor } from "./wait.ts";

const skip = labObstacle("nft", "setpriv", "nmap") ?? false;
const RULES = [
  "violations.d",
  "violations.ignore.d",
  "cracking.d",
  "ignore.d.server",
  "ignore.d.paranoid",
  "ignore.d.workstation",
];

type Scene = {
  readonly config: string;
  readonly log: string;
  readonly binds: readonly (readonly [string, string])[];
};

// A host with one log that only root may read, and a mailer that writes down who runs it.
function makeScene(lab: Lab, more = ""): Scene {
  const { binds } = withListener(lab);
  const rules = join(lab.dir, "logcheck");
  for (const folder of RULES) mkdirSync(join(rules, folder), { recursive: true });
  writeFileSync(join(rules, "violations.d/app"), "app\\[[0-9]+\\]: event [0-9]+$\n");
  const log = join(lab.dir, "log/app.log");
  mkdirSync(join(lab.dir, "log"));
  writeFileSync(log, "", { mode: 0o600 });
  const outbox = join(lab.dir, "outbox");
  mkdirSync(outbox);
  chmodSync(outbox, 0o777);
  const sendmail = join(lab.dir, "sendmail");
  writeFileSync(
    sendmail,
    `#!/bin/sh\nexec >${outbox}/$$.part 2>&1\nid -u\ngrep NoNewPrivs /proc/self/status\necho "$@"\ncat\nmv ${outbox}/$$.part ${outbox}/$$.mail\n`,
    { mode: 0o755 },
  );
  writeFileSync(join(lab.dir, "logrotate.conf"), `${log} {\n size 1G\n rotate 9\n}\n`, { mode: 0o644 });
  const config = join(lab.dir, "telltale.toml");
  writeFileSync(
    config,
    `[store]
directory = "${lab.dir}/state"
[check]
rules = "${rules}"
logs = ["${log}"]
journal = "off"
[rotate]
config = ["${lab.dir}/logrotate.conf"]
roots = []
[report]
via = "sendmail"
sendmail = "${sendmail}"
to = "root, admin@example.org"
alerts = true
${more}`,
  );
  return { config, log, binds };
}

const startSplit = (lab: Lab, { config, binds }: Scene): Promise<GuardProcess> =>
  startGuard(lab, ["--block", "--config", config], { binds });

const anotherListener = (guard: GuardProcess, than: number) =>
  waitFor(
    "another listener",
    () => {
      const pid = listenerOf(guard);
      return Number.isNaN(pid) || pid === than ? null : pid;
    },
    60_000,
  );

const descriptors = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return "closed";
    }
  });

const packetSockets = (pid: number): number => {
  const inodes = readFileSync(`/proc/${pid}/net/packet`, "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => `socket:[${line.trim().split(/\s+/).at(-1)}]`);
  return descriptors(pid).filter((name) => inodes.includes(name)).length;
};

const blocked = (lab: Lab) =>
  [
    ...lab.run("host", ["nft", "list", "table", "inet", "telltale"]).stdout.matchAll(/set blocked[^}]*\}/g),
  ].join("\n");

function scan(lab: Lab, client: string): void {
  const { host4 } = lab.clients.find((each) => each.name === client)!;
  lab.run(client, synScan(host4, "1-300", "3s"));
}

function linesSeen(lab: Lab): number[] {
  const database = new DatabaseSync(join(lab.dir, "state/telltale.db"), { readOnly: true });
  try {
    const rows = database.prepare("SELECT json FROM events WHERE type = 'line.found' ORDER BY seq").all();
    return rows.map((row) => Number(/event (\d+)/.exec(String(row["json"]))![1]));
  } finally {
    database.close();
  }
}

test("the two processes hold what they should and no more", { skip }, async (t) => {
  using lab = makeLab(["stranger"]);
  const scene = makeScene(lab);
  const guard = await startSplit(lab, scene);
  const warden = guard.child.pid!;
  const listener = listenerOf(guard);

  await t.test("the listener is nobody, and cannot become anybody", () => {
    const facts = statusOf(listener);
    assert.equal(facts["Uid"], [LISTENER_UID, LISTENER_UID, LISTENER_UID, LISTENER_UID].join("\t"));
    assert.equal(facts["Gid"], [LISTENER_UID, LISTENER_UID, LISTENER_UID, LISTENER_UID].join("\t"));
    for (const name of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
      assert.equal(facts[name], "0000000000000000", name);
    assert.equal(facts["NoNewPrivs"], "1");
    const groups = readFileSync("/etc/group", "utf8")
      .split("\n")
      .map((line) => line.split(":"));
    const wanted = groups
      .filter(([name]) => ["adm", "systemd-journal", "logcheck"].includes(name!))
      .map((group) => Number(group[2]));
    assert.deepEqual(
      facts["Groups"]!.trim()
        .split(" ")
        .map(Number)
        .sort((a, b) => a - b),
      wanted.sort((a, b) => a - b),
    );
    assert.equal(statusOf(warden)["Uid"], "0\t0\t0\t0");
  });

  await t.test(
    "it holds the packet socket and the log that only root may open; the warden holds neither",
    async () => {
      assert.equal(packetSockets(listener), 1);
      assert.equal(packetSockets(warden), 0);
      const files = (pid: number) =>
        descriptors(pid).filter(
          (name) => name.startsWith("/") && name !== "/dev/null" && !name.endsWith("/guard.lock"),
        );
      const state = join(lab.dir, "state");
      for (const file of files(listener))
        assert.ok(
          file === scene.log || file.startsWith(`${state}/telltale.db`),
          `the listener holds ${file}`,
        );
      assert.ok(files(listener).includes(scene.log));
      // It opens for a moment what it reads: who is logged in, which routes there are.
      await waitFor("the warden to hold no file", () => files(warden).length === 0).catch((error: Error) => {
        throw new Error(`${error.message}: ${files(warden).join(", ")}`);
      });
    },
  );

  await t.test("the store is the listener's, and what root keeps beside it is safe from it", () => {
    const state = join(lab.dir, "state");
    assert.equal(statSync(state).mode & 0o7777, 0o1770);
    assert.equal(statSync(state).uid, 0);
    assert.equal(statSync(join(state, "telltale.db")).uid, LISTENER_UID);
    assert.equal(statSync(join(state, "rotate")).uid, 0);
    assert.equal(statSync(join(state, "rotate")).mode & 0o077, 0);
  });

  await t.test("a scan is blocked, and the mail goes out by a mailer that may gain its rights", async () => {
    scan(lab, "stranger");
    const { target } = await guard.until("block.applied");
    assert.match(blocked(lab), new RegExp(target.replaceAll(".", "\\.")));
    const outbox = join(lab.dir, "outbox");
    const name = await waitFor("the alert", () => readdirSync(outbox).find((each) => each.endsWith(".mail")));
    const [uid, privileges, args, ...mail] = readFileSync(join(outbox, name), "utf8").split("\n");
    assert.equal(uid, String(LISTENER_UID));
    assert.equal(privileges, "NoNewPrivs:\t0");
    assert.equal(args, "-i -- root admin@example.org");
    assert.match(mail.join("\n"), /^Subject: /m);
    await guard.until("report.delivered");
  });

  await t.test("root's own commands see the same history, and what root lifts is lifted", async () => {
    const telltale = (...args: string[]) =>
      lab.run("host", [TELLTALE, ...args, "--config", scene.config], scene);
    const { v4 } = lab.clients[0]!;
    assert.match(telltale("blocks").stdout, new RegExp(v4.replaceAll(".", "\\.")));
    assert.equal(telltale("unblock", v4).status, 0);
    await guard.until("block.lifted", (event) => event.target === v4);
    assert.doesNotMatch(blocked(lab), new RegExp(v4.replaceAll(".", "\\.")));
    for (const name of readdirSync(join(lab.dir, "state")).filter((each) => each.startsWith("telltale.db")))
      assert.equal(statSync(join(lab.dir, "state", name)).uid, LISTENER_UID, name);
  });

  assert.equal((await guard.stop()).status, 0);
  assert.ok(!existsSync(`/proc/${listener}`));
});

test("a listener that is killed, crashes or hangs costs no block and no line", { skip }, async (t) => {
  using lab = makeLab(["stranger"]);
  const scene = makeScene(lab);
  const guard = await startSplit(lab, scene);
  let written = 0;
  const write = (count: number) => {
    let text = "";
    for (let i = 0; i < count; i++) text += `Nov 22 12:00:00 host app[7]: event ${++written}\n`;
    appendFileSync(scene.log, text);
  };
  // All generations stay readable for root only: each is opened by the warden.
  const rotate = () => {
    const conf = join(lab.dir, "by-hand.conf");
    writeFileSync(conf, `${scene.log} {\n rotate 9\n create 0600 root root\n compress\n}\n`, { mode: 0o644 });
    const done = spawnSync(TELLTALE, ["logrotate", "-f", "-s", join(lab.dir, "by-hand.state"), conf]);
    assert.equal(done.status, 0, String(done.stderr));
  };
  scan(lab, "stranger");
  const { target } = await guard.until("block.applied");
  const stands = new RegExp(target.replaceAll(".", "\\."));

  for (const [signal, told] of [
    ["SIGKILL", /ended by SIGKILL/],
    ["SIGSEGV", /ended by SIGSEGV/],
    ["SIGSTOP", /not answered for \d+ s/],
  ] as const) {
    await t.test(`${signal} under load`, async () => {
      const pid = listenerOf(guard);
      write(3_000);
      await waitFor("it to begin", () => linesSeen(lab).length > written - 3_000);
      process.kill(pid, signal);
      write(500);
      rotate();
      write(500);
      assert.match(blocked(lab), stands, "while it is gone");
      await anotherListener(guard, pid);
      await guard.until("part.failed", (event) => event.part === "listener" && told.test(event.why));
      await waitFor("all lines", () => linesSeen(lab).length >= written);
      assert.match(blocked(lab), stands, "after it came back");
    });
  }

  await t.test("every line was found exactly once, and the report tells of it", async () => {
    const times = new Map<number, number>();
    for (const line of linesSeen(lab)) times.set(line, (times.get(line) ?? 0) + 1);
    const all = Array.from({ length: written }, (_, i) => i + 1);
    const wrong = all
      .filter((line) => times.get(line) !== 1)
      .map((line) => `${line}: ${times.get(line) ?? 0} times`);
    assert.deepEqual(wrong.slice(0, 10), [], `${wrong.length} of ${written}`);
    const { stdout } = lab.run("host", [TELLTALE, "report", "--config", scene.config], scene);
    assert.match(stdout, /listener failed: it was ended by SIGSEGV/);
    assert.match(stdout, /listener works again/);
  });

  assert.ok(guard.torn.length <= 3, "at most one line is torn by each end of a listener");

  await t.test("a warden that is killed takes its listener with it; blocks stay", async () => {
    const pid = listenerOf(guard);
    process.kill(pid, "SIGSTOP");
    guard.child.kill("SIGKILL");
    await waitFor("the listener to end, although it was stopped", () => !existsSync(`/proc/${pid}`));
    assert.match(blocked(lab), stands);
  });
});

test("where the host is not ready for two processes, one runs and says why", { skip }, async (t) => {
  for (const [what, because, prepare] of [
    [
      "there is no such user",
      /there is no user telltale[\s\S]*mend: adduser/,
      (scene: Scene) => ({ ...scene, binds: [] }),
    ],
    [
      "the administrator wants one",
      /guard\.split = "off"/,
      (scene: Scene) => {
        appendFileSync(scene.config, '[guard]\nsplit = "off"\n');
        return scene;
      },
    ],
    [
      "the user cannot get at the history",
      /user telltale cannot get at .*state[\s\S]*mend: make .* open to it/,
      (scene: Scene) => {
        chmodSync(join(scene.log, "../.."), 0o700);
        return scene;
      },
    ],
  ] as const) {
    await t.test(what, async () => {
      using lab = makeLab(["stranger"]);
      const scene = prepare(makeScene(lab));
      const child = lab.start("host", [TELLTALE, "guard", "--block", "--config", scene.config], {
        binds: scene.binds,
      });
      let said = "";
      child.stdout!.on("data", (chunk: Buffer) => {
        said += chunk.toString();
      });
      await waitFor("the status block", () => /listener .*\n[\s\S]*\n\n/.test(said));
      assert.match(said, /listener +one process does everything: /);
      assert.match(said, because);
      scan(lab, "stranger");
      await waitFor("the block", () => blocked(lab).includes(lab.clients[0]!.v4));
      child.kill("SIGTERM");
      await waitFor("its end", () => child.exitCode !== null || child.signalCode !== null);
    });
  }
});

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
  const block = (base: string, bits: number) => ({ do: "block", target: { base, bits }, forMs: 60_000 });

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
    assert.equal(said.match(/is no log that the configuration names/g)?.length, paths.length);
    assert.match(said, /report\.via = \\"sendmail\\"/);
    assert.match(said, /"fd":true/);
  });

  await t.test("nobody who is protected is blocked, whatever it asks for", async () => {
    const { host4 } = lab.clients[0]!;
    const changes = [
      block(host4, 32),
      block("198.51.100.0", 24),
      block("127.0.0.1", 32),
      block("0.0.0.0", 1),
      block("203.0.113.7", 32),
    ];
    const said = await play([firewall("open"), firewall("setAllow", []), firewall("apply", changes)], "done");
    assert.equal(said.match(/refused by the warden/g)?.length, 4, said);
    const sets = blocked(lab);
    assert.match(sets, /203\.0\.113\.7/);
    assert.doesNotMatch(sets, /198\.51\.100|127\.0\.0/);
  });

  for (const [what, line] of [
    ["no JSON", "rm -rf /"],
    ["an unknown request", ask({ ask: "exec", argv: ["sh"] })],
    ["a field too many", ask({ ask: "capture", interface: "eth0" })],
    ["a step backwards", ask({ ask: "hello" })],
    ["an unknown call of the firewall", firewall("constructor")],
    ["an address that is a script", firewall("apply", [block("203.0.113.7 } ; flush ruleset", 32)])],
    ["a block without end", firewall("apply", [{ ...block("203.0.113.7", 32), forMs: 1e300 }])],
    ["a path with a zero", ask({ ask: "log", path: "/var/log/syslog\0" })],
  ] as const) {
    await t.test(`${what} ends the conversation`, async () => {
      const said = await play([line], "the listener is gone");
      assert.match(said, /it sent what no listener of telltale's sends/);
    });
  }
});
