// The guard as two processes. Check from outside that the one that reads what strangers write may do nothing, that the
// one that may do something does only what it should, and that no accident of the first costs a block or a line.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  existsSync,
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
import { type Lab, labObstacle, makeLab, TELLTALE } from "./lab.ts";
import { synScan } from "./nmap.ts";
import { LISTENER_UID, listenerOf, statusOf } from "./split.ts";
import { blocked, makeScene, type Scene } from "./split-scene.ts";
import { waitFor } from "./wait.ts";

const skip = labObstacle("nft", "setpriv", "nmap") ?? false;
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

const socketsIn = (pid: number, table: string, fits: (fields: readonly string[]) => boolean): number => {
  const inodes = readFileSync(`/proc/${pid}/net/${table}`, "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(fits)
    .map((fields) => `socket:[${fields.at(-1)}]`);
  return descriptors(pid).filter((name) => inodes.includes(name)).length;
};
const packetSockets = (pid: number): number => socketsIn(pid, "packet", () => true);
// NETLINK_NETFILTER of linux/netlink.h
const netfilterSockets = (pid: number): number =>
  socketsIn(pid, "netlink", ([, protocol]) => protocol === "12");

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
      // Bound by the warden to what the tripwire tells; a process without rights can do nothing else with it.
      assert.equal(netfilterSockets(listener), 1);
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

test("more blocks than a minute's share come back: after a reboot, and when the table went while the listener was gone", {
  skip,
}, async () => {
  using lab = makeLab([]);
  const scene = makeScene(lab, "[respond]\nmax_blocks_per_minute = 10\n");
  const first = await startSplit(lab, scene);
  const all = Array.from({ length: 300 }, (_, n) => `203.0.${n >> 8}.${n & 255}`);
  const byHand = lab.run("host", [TELLTALE, "block", ...all, "--for", "1d", "--config", scene.config], scene);
  assert.equal(byHand.status, 0, byHand.stderr);
  const inForce = () => blocked(lab).match(/203\.0\.\d+\.\d+ [^,}]*expires/g)?.length ?? 0;
  const goes = () => lab.run("host", ["nft", "delete", "table", "inet", "telltale"]);
  assert.equal(inForce(), all.length);
  assert.equal((await first.stop()).status, 0);
  goes();
  const guard = await startSplit(lab, scene);
  assert.equal(inForce(), all.length);
  const listener = listenerOf(guard);
  process.kill(listener, "SIGKILL");
  await waitFor("its end", () => !existsSync(`/proc/${listener}`));
  goes();
  await anotherListener(guard, listener);
  await waitFor("the blocks to be back", () => inForce() === all.length);
  assert.deepEqual(
    guard.events.filter(({ type }) => type === "block.failed"),
    [],
  );
  assert.equal((await guard.stop()).status, 0);
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
