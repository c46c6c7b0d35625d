// The stranger scans every port and is locked out within the first few; the visitor who mistyped `https://` is not
// even called a scanner; whoever the host depends on is never blocked, whatever address a packet bears.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import test from "node:test";
import { type GuardProcess, startGuard } from "./guard-process.ts";
import { type Client, type Lab, labObstacle, makeLab, ROOT, TELLTALE } from "./lab.ts";
import { synScan } from "./nmap.ts";
import { withListener } from "./split.ts";
import { waitFor } from "./wait.ts";

const obstacle = labObstacle("nft", "nmap", "hping3");
const MAIL_PORT = 2525;

type Stage = { lab: Lab; guard: GuardProcess; config: string; client: (name: string) => Client };

// One stage for all scenes: making namespaces and starting a guard costs a second.
async function makeStage(): Promise<Stage> {
  const lab = makeLab(["stranger", "stranger6", "visitor", "router", "admin"]);
  try {
    return await setStage(lab);
  } catch (error) {
    // What plays in it would keep this process waiting for ever.
    lab[Symbol.dispose]();
    throw error;
  }
}

async function setStage(lab: Lab): Promise<Stage> {
  const client = (name: string) => lab.clients.find((each) => each.name === name)!;
  const config = join(lab.dir, "telltale.toml");
  mkdirSync(join(lab.dir, "mail"));
  writeFileSync(join(lab.dir, "resolv.conf"), "nameserver 198.51.100.14\n");
  writeFileSync(
    config,
    `[store]
directory = "${lab.dir}/state"
[rotate]
enabled = false
[check]
enabled = false
[report]
via = "smtp"
smtp_port = ${MAIL_PORT}
every = "1d"
`,
  );
  assert.equal(client("router").v4, "198.51.100.14");
  lab.run("host", ["ip", "route", "add", "default", "via", client("router").v4]);
  for (const port of ["80", "22"]) {
    const serve = `require("net").createServer((s) => { s.on("error", () => {}); ${port === "80" ? 's.on("data", () => s.end("HTTP/1.0 200 OK\\r\\n\\r\\nhello"))' : ""} }).listen(${port}, "::", () => console.log("ready"))`;
    await ready(lab.start("host", [process.execPath, "-e", serve]));
  }
  await ready(
    lab.start("host", [
      process.execPath,
      join(ROOT, "tests/system/smtp-sink.ts"),
      String(MAIL_PORT),
      join(lab.dir, "mail"),
    ]),
  );
  const session = `require("net").connect(22, "${client("admin").host4}", () => console.log("ready"))`;
  await ready(lab.start("admin", [process.execPath, "-e", session]));
  const guard = await startGuard(lab, ["--block", "--config", config], {
    binds: [...withListener(lab).binds, [join(lab.dir, "resolv.conf"), "/etc/resolv.conf"]],
  });
  return { lab, guard, config, client };
}

function ready(child: ReturnType<Lab["start"]>): Promise<true> {
  let said = "";
  child.stdout!.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  return waitFor("a helper program", () => said.includes("ready"));
}

const ruleset = (lab: Lab) => lab.run("host", ["nft", "list", "table", "inet", "telltale"]).stdout;
// The sets of blocked sources; other sets hold who touched what, and who is allowed.
const blockedSets = (lab: Lab) => [...ruleset(lab).matchAll(/set blocked[^}]*\}/g)].join("\n");

test("a guarded host", { skip: obstacle ?? false }, async (t) => {
  const stage = await makeStage();
  using lab = stage.lab;
  const { guard, config, client } = stage;
  const stranger = client("stranger");
  const visitor = client("visitor");
  const isServed = (where: string, host: string): boolean => {
    const get = `const s = require("net").connect(80, process.argv[1], () => s.write("GET / HTTP/1.0\\r\\n\\r\\n")); s.on("data", (d) => console.log(String(d))).on("error", () => {}); setTimeout(() => s.destroy(), 1000).unref()`;
    return lab.run(where, [process.execPath, "-e", get, host], { timeoutMs: 2_000 }).stdout.includes("hello");
  };
  const telltale = (...args: string[]) => lab.run("host", [TELLTALE, ...args, "--config", config]);

  await t.test("the visitor tries a closed 443 ten times and is no scanner", async () => {
    const attempt = `let n = 0; (function go() { const s = require("net").connect(443, process.argv[1]); s.on("error", () => (++n < 10 ? go() : console.log(n))); })()`;
    for (const host of [visitor.host4, visitor.host6]) {
      assert.equal(lab.run("visitor", [process.execPath, "-e", attempt, host]).stdout, "10\n");
    }
  });

  await t.test("the stranger scans with nmap and is blocked within the first few ports", async () => {
    lab.run("stranger", synScan(stranger.host4, "1-60000"));
    const { scan } = await guard.until("scan.detected", (event) => event.scan.source === stranger.v4);
    assert.equal(scan.shape, "vertical");
    assert.ok(scan.distinct <= 8, `seen after ${scan.distinct} ports`);
    const verdict = await guard.until("verdict.reached", (event) => event.verdict.source === stranger.v4);
    assert.equal(verdict.verdict.action, "block");
    await guard.until("block.applied", (event) => event.target === stranger.v4);
    assert.match(blockedSets(lab), new RegExp(`${stranger.v4.replaceAll(".", "\\.")}[^,}]*timeout`));
    assert.equal(isServed("stranger", stranger.host4), false, "the stranger still gets answers");
  });

  await t.test(
    "the same over IPv6; the block is narrowed to the address where the host shares the /64",
    async () => {
      const six = client("stranger6");
      lab.run("stranger6", synScan(six.host6, "1-2000"));
      const blocked = await guard.until("block.applied", (event) => event.target.startsWith("2001:db8:2:"));
      assert.equal(blocked.target, six.v6);
    },
  );

  await t.test(
    "gateway, resolver, SSH peer and the host itself are never blocked, even as forged sources",
    async () => {
      const router = client("router");
      const admin = client("admin");
      // Six distinct closed ports in the name of somebody else.
      const forge = (source: string) =>
        lab.run("visitor", [
          "hping3",
          "-q",
          "-c",
          "6",
          "-i",
          "u2000",
          "-S",
          "-a",
          source,
          "-p",
          "++7001",
          visitor.host4,
        ]);
      for (const [forged, why] of [
        [router.v4, /gateway|resolver/],
        [admin.v4, /SSH/],
      ] as const) {
        forge(forged);
        const { verdict } = await guard.until("verdict.reached", (event) => event.verdict.source === forged);
        assert.notEqual(verdict.action, "block");
        assert.match(verdict.guardrail ?? "", why);
      }
      // The host's own address as a source: not even a scan, or one that is ignored.
      forge(visitor.host4);
      const sets = ruleset(lab).split(/set allow/)[0]!;
      for (const address of [router.v4, admin.v4, visitor.host4]) {
        const inForce = telltale("blocks", "--json").stdout;
        assert.ok(!inForce.includes(`"${address}"`), `${address} is blocked: ${inForce} ${sets}`);
      }
    },
  );

  await t.test("the visitor was never called a scanner and is served", () => {
    const about = guard.events.filter(
      (event) => event.type === "scan.detected" && event.scan.source === visitor.v4,
    );
    assert.deepEqual(about, []);
    assert.equal(isServed("visitor", visitor.host4), true);
  });

  await t.test("the store holds scan, verdict and block; telltale blocks shows them", async () => {
    await waitFor("the store", () => {
      const database = new DatabaseSync(join(lab.dir, "state/telltale.db"), { readOnly: true });
      try {
        const types = database
          .prepare("SELECT DISTINCT type FROM events")
          .all()
          .map((row) => row["type"]);
        return ["scan.detected", "verdict.reached", "block.applied"].every((type) => types.includes(type));
      } finally {
        database.close();
      }
    });
    const shown = telltale("blocks").stdout;
    assert.match(shown, new RegExp(`^${stranger.v4.replaceAll(".", "\\.")} `, "m"));
  });

  await t.test(
    "the digest names the stranger under Active System Attack Alerts, in the classic words",
    () => {
      const { stdout } = telltale("report");
      const attacks =
        /Active System Attack Alerts\n[=-]+\n([\s\S]*?)(\n\n[A-Z][^\n]*\n[=-]+\n|$)/.exec(stdout)?.[1] ?? "";
      assert.match(
        attacks,
        new RegExp(`attackalert: .*SYN/Normal scan from host: ${stranger.v4}.* to TCP port: \\d+`),
      );
      assert.match(attacks, new RegExp(`attackalert: Host ${stranger.v4} has been blocked`));
      assert.doesNotMatch(stdout, new RegExp(`scan from host: ${visitor.v4}`));
    },
  );

  await t.test("the mail arrives by SMTP", async () => {
    const sent = telltale("report", "--send");
    assert.equal(sent.status, 0, sent.stderr);
    const mail = await waitFor("the mail", () => {
      const [name] = readdirSync(join(lab.dir, "mail")).filter((file) => file.endsWith(".eml"));
      return name === undefined ? null : readFileSync(join(lab.dir, "mail", name), "utf8");
    });
    assert.match(mail, /^Auto-Submitted: auto-generated/im);
    assert.match(mail, /Active System Attack Alerts/);
  });

  await t.test(
    "telltale unblock lets the stranger in beside the running guard, and a new scan is blocked again",
    async () => {
      assert.match(telltale("unblock", stranger.v4).stdout, /let in again/);
      assert.doesNotMatch(blockedSets(lab), new RegExp(`${stranger.v4.replaceAll(".", "\\.")} `));
      await waitFor("the stranger to get answers", () => isServed("stranger", stranger.host4));
      await guard.until("block.lifted", (event) => event.target === stranger.v4);
      const before = guard.events.length;
      lab.run("stranger", synScan(stranger.host4, "5000-5200"));
      await guard.until(
        "block.applied",
        (event) => event.target === stranger.v4 && guard.events.indexOf(event) >= before,
      );
    },
  );

  await t.test("SIGTERM ends it cleanly in under two seconds; blocks stay in force", async () => {
    const { status, tookMs } = await guard.stop();
    assert.equal(status, 0);
    assert.ok(tookMs < 2_000, `took ${tookMs} ms`);
    assert.equal(guard.events.at(-1)!.type, "guard.stopped");
    assert.match(blockedSets(lab), new RegExp(stranger.v4.replaceAll(".", "\\.")));
  });

  await t.test("a guard that starts again takes the blocks over, with the time that is left", async () => {
    const before = telltale("blocks", "--json").stdout;
    assert.match(before, new RegExp(`"target":"${stranger.v4}"`));
    const again = await startGuard(lab, ["--block", "--config", config]);
    const respond = again.events
      .find((event) => event.type === "guard.started")!
      .parts!.find((part) => part.part === "respond")!;
    assert.match(respond.what, /2 blocks in force/);
    assert.equal(telltale("blocks", "--json").stdout.split("\n").length, before.split("\n").length);
    assert.equal(isServed("stranger", stranger.host4), false);
    await again.stop("SIGINT");
  });

  await t.test("telltale panic stops a running guard from blocking, until it is ended", async () => {
    const again = await startGuard(lab, ["--block", "--config", config]);
    assert.equal(isServed("stranger", stranger.host4), false);
    assert.match(telltale("panic").stdout, /Nobody is blocked until/);
    assert.equal(isServed("stranger", stranger.host4), true);
    await again.until("part.failed", (event) => /telltale panic/.test(event.why));
    const scanAgain = (ports: string) => lab.run("stranger", synScan(stranger.host4, ports));
    scanAgain("6000-6100");
    const { verdict } = await again.until("verdict.reached", (event) => event.verdict.source === stranger.v4);
    assert.equal(verdict.mode, "observe");
    assert.equal(isServed("stranger", stranger.host4), true);
    telltale("panic", "--end");
    await again.until("part.recovered", (event) => /telltale panic/.test(event.how));
    assert.match(telltale("block", stranger.v4, "--why", "enough").stdout, /is locked out for 1h/);
    assert.equal(isServed("stranger", stranger.host4), false);
    assert.match(telltale("block", client("router").v4).stderr, /never blocked: .*gateway/);
    await again.stop();
  });

  await t.test("telltale unblock --all removes the table, guard down or not", () => {
    assert.match(telltale("unblock", "--all").stdout, /Everybody is let in again/);
    assert.equal(ruleset(lab), "");
    assert.match(telltale("blocks").stdout, /Nobody is blocked/);
  });
});
