// Locking out and letting in by hand, and everything that may be broken meanwhile: the history, the configuration, the
// guard. And the administrator's own network, which is never cut for longer than a moment unless somebody says so.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { startGuard } from "./guard-process.ts";
import { type Lab, labObstacle, makeLab, TELLTALE } from "./lab.ts";
import { waitFor } from "./wait.ts";

const skip = labObstacle("nft") ?? false;

function scene(names: readonly string[] = [], respond = "") {
  const lab = makeLab(names);
  const config = join(lab.dir, "telltale.toml");
  const state = join(lab.dir, "state");
  mkdirSync(state);
  writeFileSync(
    config,
    `[store]\ndirectory = "${state}"\n[rotate]\nenabled = false\n[check]\nenabled = false\n[report]\nvia = "none"\n[respond]\n${respond}\n`,
  );
  return {
    lab,
    config,
    state,
    store: join(state, "telltale.db"),
    telltale: (...args: string[]) => lab.run("host", [TELLTALE, ...args, "--config", config]),
    firewall: () => lab.run("host", ["nft", "list", "ruleset"]).stdout,
    [Symbol.dispose]: () => lab[Symbol.dispose](),
  };
}

const FOREIGN = `table inet filter {
	set telltale {
		type ipv4_addr
		elements = { 192.0.2.1 }
	}

	chain input {
		type filter hook input priority filter; policy drop;
		ip saddr @telltale accept
		ct state established,related accept
	}
}
table ip nat {
	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		tcp dport 8080 dnat to 192.0.2.1:80
	}
}
`;

test("by hand somebody is locked out and let in again, and nobody else's rules change by a byte", {
  skip,
}, () => {
  using it = scene();
  const rules = join(it.lab.dir, "foreign.nft");
  writeFileSync(rules, FOREIGN);
  assert.equal(it.lab.run("host", ["nft", "-f", rules]).status, 0);
  const before = it.firewall();
  const others = () =>
    it
      .firewall()
      .split(/^(?=table )/m)
      .filter((table) => !table.startsWith("table inet telltale"))
      .join("");

  const why = `x'; touch ${it.lab.dir}/pwned; $(touch ${it.lab.dir}/pwned) \u001b[31m`;
  const blocked = it.telltale(
    "block",
    "203.0.113.7",
    "2001:db8:9::/48",
    "203.0.113.0/24",
    "--for",
    "1h",
    "--why",
    why,
  );
  assert.equal(blocked.status, 0, blocked.stderr);
  assert.match(it.firewall(), /203\.0\.113\.7 .*timeout/);
  assert.equal(others(), before);
  const listed = it.telltale("blocks").stdout;
  assert.match(listed, /^ADDRESS +SINCE +UNTIL +LEFT +STOPPED +EVIDENCE +BEFORE +WHY$/m);
  assert.match(listed, /^203\.0\.113\.0\/24 .* proven +0 +x'; touch/m);
  assert.ok(!listed.includes("\u001b"), "the terminal is not written to by a reason");
  const [row] = it
    .telltale("blocks", "--json")
    .stdout.trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(Object.keys(row!).sort(), [
    "because",
    "findingId",
    "grade",
    "packetsStopped",
    "since",
    "target",
    "timesBefore",
    "until",
  ]);
  assert.equal(existsSync(join(it.lab.dir, "pwned")), false);

  assert.equal(it.telltale("unblock", "203.0.113.7").status, 0);
  assert.equal(it.telltale("block", "203.0.113.7", "--for", "1h").status, 0);
  assert.match(it.telltale("blocks").stdout, /^203\.0\.113\.7 .* proven +1 +blocked by hand/m);
  assert.match(it.telltale("explain", "203.0.113.7").stdout, /203\.0\.113\.7 lifted \(administrator\)/);
  // Check that whoever is cut with a network finds out why.
  for (const [address, network] of [
    ["203.0.113.99", "203.0.113.0/24"],
    ["2001:db8:9:1::5", "2001:db8:9::/48"],
  ] as const) {
    assert.ok(it.telltale("explain", address).stdout.includes(`${network} blocked via nftables`), address);
  }

  const refused = it.telltale("block", "127.0.0.1", "0.0.0.0/0", "fe80::1", "192.0.2.1; nft flush ruleset");
  assert.equal(refused.status, 1);
  assert.equal(refused.stderr.match(/never blocked|is no address/g)?.length, 4, refused.stderr);
  assert.equal(it.telltale("unblock", "--all").status, 0);
  assert.equal(it.firewall(), before);

  // Check that who blocks while the brake is on hears of it.
  assert.equal(it.telltale("panic").status, 0);
  const braked = it.telltale("block", "203.0.113.7");
  assert.equal(braked.status, 0);
  assert.match(braked.stderr, /panic holds.*\n +mend: telltale panic --end/);
  it.telltale("panic", "--end");
  assert.equal(it.telltale("block", "203.0.113.7").stderr, "");
  it.telltale("unblock", "--all");
});

for (const [what, spoil] of [
  [
    "is damaged",
    (it: { store: string }) => {
      rmSync(`${it.store}-wal`, { force: true });
      rmSync(`${it.store}-shm`, { force: true });
      writeFileSync(it.store, "garbage".repeat(9_999));
    },
  ],
  [
    "cannot be opened",
    (it: { store: string }) => {
      rmSync(it.store);
      mkdirSync(join(it.store, "folder"), { recursive: true });
    },
  ],
] as const) {
  test(`with no guard and a history that ${what}, everybody can be let in, and the brake pulled`, {
    skip,
  }, () => {
    using it = scene();
    const block = () => it.telltale("block", "203.0.113.7", "--for", "1h");
    assert.equal(block().status, 0);
    spoil(it);
    it.telltale("unblock", "--all");
    assert.equal(it.firewall(), "");

    rmSync(it.store, { recursive: true, force: true });
    assert.equal(block().status, 0);
    spoil(it);
    const panic = it.telltale("panic");
    assert.equal(panic.status, 0, panic.stderr);
    assert.match(panic.stdout, /Nobody is blocked until: telltale panic --end/);
    assert.equal(it.firewall(), "");
    assert.match(it.telltale("panic", "--end").stdout, /Blocking may go on/);

    rmSync(it.store, { recursive: true, force: true });
    assert.equal(block().status, 0);
    spoil(it);
    assert.match(
      it.telltale("unblock", "203.0.113.7").stdout,
      /203\.0\.113\.7 (is let in again|was not blocked)/,
    );
    assert.doesNotMatch(it.firewall(), /203\.0\.113\.7/);
  });
}

test("who is not root is told so, never that nobody is blocked", {
  skip: labObstacle("nft", "setpriv") ?? false,
}, () => {
  using it = scene();
  chmodSync(it.lab.dir, 0o755);
  chmodSync(it.state, 0o700);
  assert.equal(it.telltale("block", "203.0.113.7").status, 0);
  const as = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  for (const call of ["blocks", "explain 203.0.113.7", "unblock 203.0.113.7", "unblock --all", "panic"]) {
    const argv = [TELLTALE, ...call.split(" "), "--config", it.config];
    const { status, stdout, stderr } = it.lab.run("host", argv, { as });
    assert.equal(stdout, "", call);
    assert.match(
      stderr,
      new RegExp(`^telltale ${call.split(" ")[0]}: .*(permission denied|not permitted|EPERM)`, "im"),
    );
    assert.match(stderr, new RegExp(`mend: sudo telltale ${call}`), stderr);
    assert.doesNotMatch(stderr, /^ +at /m);
    assert.equal(status, 77, call);
  }
  assert.match(it.firewall(), /203\.0\.113\.7 /);
});

test("a broken configuration keeps nobody in", { skip }, () => {
  using it = scene();
  assert.equal(it.telltale("block", "203.0.113.7", "--for", "1h").status, 0);
  writeFileSync(it.config, `[store]\ndirectory = "${it.state}"\n[respond]\nbackend = "magic"\nmode = [`);
  // Where the history lies is in the broken file, too: telltale looks where it would lie without one.
  const home = { binds: [[it.state, "/var/lib"]] as const };
  const all = it.lab.run("host", [TELLTALE, "unblock", "--all", "--config", it.config], home);
  assert.match(all.stdout, /Everybody is let in again/);
  assert.equal(it.firewall(), "");
});

// struct utmp, see src/respond/parse.ts.
function login(address: string, at: Date): Buffer {
  const record = Buffer.alloc(384);
  record.writeInt16LE(7, 0);
  record.write("root", 44);
  record.writeUInt32LE(Math.floor(at.getTime() / 1_000), 340);
  Buffer.from(address.split(".").map(Number)).copy(record, 348);
  return record;
}

function scan(lab: Lab, name: string, host: string, from: string): void {
  const knock = `let left = 12; for (let p = 2001; p < 2013; p++) { const s = require("net").connect({ port: p, host: process.argv[1], localAddress: process.argv[2] }); s.on("error", () => {}).on("close", () => --left || process.exit()); } setTimeout(() => process.exit(), 1500)`;
  lab.run(name, [process.execPath, "-e", knock, host, from]);
}

test("the network that somebody logged in from is cut for two minutes only, and one command makes it last", {
  skip,
  timeout: 120_000,
}, async () => {
  using it = scene(["office", "stranger"]);
  const [office, stranger] = it.lab.clients;
  const wtmp = join(it.lab.dir, "wtmp");
  writeFileSync(wtmp, login(office!.v4.replace(/\d+$/, "200"), new Date(Date.now() - 86_400_000)));
  // Both clients are of one /24 in this lab; the stranger comes from a network of its own.
  it.lab.run("stranger", ["ip", "addr", "add", "203.0.113.9/32", "dev", "lo"]);
  it.lab.run("host", ["ip", "route", "add", "203.0.113.9/32", "via", stranger!.v4]);
  const guard = await startGuard(it.lab, ["--block", "--config", it.config], {
    binds: [[wtmp, "/var/log/wtmp"]],
  });

  scan(it.lab, "office", office!.host4, office!.v4);
  const { verdict } = await guard.until("verdict.reached", ({ verdict }) => verdict.source === office!.v4);
  assert.equal(verdict.action, "block");
  assert.equal(verdict.forMs, 120_000);
  const command = /to make it last: (telltale block \S+ --for \S+)/.exec(verdict.because)?.[1];
  assert.match(verdict.because, /provisional, because somebody logged in from 198\.51\.100\.0\/24 on/);
  assert.ok(command !== undefined, verdict.because);
  const { until } = await guard.until("block.applied", ({ target }) => target === office!.v4);
  assert.ok(Date.parse(until) - Date.now() < 121_000);

  scan(it.lab, "stranger", stranger!.host4, "203.0.113.9");
  const other = await guard.until("verdict.reached", ({ verdict }) => verdict.source === "203.0.113.9");
  assert.doesNotMatch(other.verdict.because, /provisional/);
  assert.ok(other.verdict.forMs > 500_000);

  // The administrator confirms, in the words of the message.
  const said = it.telltale(...command.split(" ").slice(1));
  assert.equal(said.status, 0, said.stderr);
  const [confirmed] = it
    .telltale("blocks", "--json")
    .stdout.split("\n")
    .filter((line) => line.includes(`"${office!.v4}"`))
    .map((line) => JSON.parse(line) as { until: string });
  assert.ok(Date.parse(confirmed!.until) - Date.now() > 500_000, confirmed!.until);
  const timeout = await waitFor("the longer block in the firewall", () =>
    new RegExp(`${office!.v4.replaceAll(".", "\\.")}[^,}]* timeout (9|10|11)m`).exec(it.firewall()),
  );
  assert.ok(timeout);
  // The running guard has taken it up: it does not end it after the two minutes, and puts it back when somebody flushes.
  await guard.until(
    "block.applied",
    ({ target, because }) => target === office!.v4 && because === "blocked by hand",
  );
  it.telltale("block", "203.0.113.77", "--for", "1h");
  await guard.until("block.applied", ({ target }) => target === "203.0.113.77");
  const disturbed = guard.events.filter(
    (event) => event.type === "part.failed" && /took apart/.test(event.why),
  );
  assert.deepEqual(disturbed, [], "a block by hand leaves the guard's table as it is");
  it.lab.run("host", ["nft", "flush", "ruleset"]);
  await waitFor("the blocks to be back", () => /203\.0\.113\.77 /.test(it.firewall()));
  assert.match(it.firewall(), new RegExp(`${office!.v4.replaceAll(".", "\\.")} [^,}]* timeout (9|10|11)m`));
  await guard.stop();
});

test("killed, and the firewall emptied as by a reboot: the next start puts every block back with the time left", {
  skip,
  timeout: 120_000,
}, async () => {
  using it = scene(["stranger"]);
  const stranger = it.lab.clients[0]!;
  const guard = await startGuard(it.lab, ["--block", "--config", it.config]);
  scan(it.lab, "stranger", stranger.host4, stranger.v4);
  const { until } = await guard.until("block.applied", ({ target }) => target === stranger.v4);
  assert.equal(it.telltale("block", "2001:db8:77::/48", "--for", "2h").status, 0);
  killAll(it.lab);
  it.lab.run("host", ["nft", "flush", "ruleset"]);

  const next = await startGuard(it.lab, ["--block", "--config", it.config]);
  await waitFor(
    "both blocks",
    () => it.firewall().includes(`${stranger.v4} `) && it.firewall().includes("2001:db8:77:: "),
  );
  const rows = it
    .telltale("blocks", "--json")
    .stdout.trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { target: string; until: string });
  assert.equal(rows.find(({ target }) => target === stranger.v4)?.until, until);
  assert.equal(rows.length, 2);
  await next.stop();
});

// As a power cut would: nobody gets to tidy up.
function killAll(lab: Lab): void {
  lab.run("host", [
    "sh",
    "-c",
    `for p in $(grep -l -a ${lab.dir} /proc/[0-9]*/cmdline | cut -d/ -f3); do [ "$p" = $$ ] || kill -9 "$p"; done`,
  ]);
}

test("with the disk under the history full the scanner is shut out all the same, and let in by hand", {
  skip,
  timeout: 120_000,
}, async () => {
  using it = scene(["stranger"]);
  const stranger = it.lab.clients[0]!;
  const disk = join(it.lab.dir, "small");
  mkdirSync(disk);
  assert.equal(spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]).status, 0);
  try {
    writeFileSync(it.config, readFileSync(it.config, "utf8").replace(it.state, disk));
    const guard = await startGuard(it.lab, ["--block", "--config", it.config]);
    spawnSync("sh", ["-c", `cat /dev/zero > ${disk}/filler`]);
    scan(it.lab, "stranger", stranger.host4, stranger.v4);
    await guard.until("block.applied", ({ target }) => target === stranger.v4);
    assert.match(it.firewall(), new RegExp(`${stranger.v4.replaceAll(".", "\\.")} [^,}]*timeout`));
    assert.match(it.telltale("unblock", "--all").stdout, /Everybody is let in again/);
    assert.doesNotMatch(it.firewall(), new RegExp(`${stranger.v4.replaceAll(".", "\\.")} [^,}]*timeout`));
    await guard.stop();
  } finally {
    killAll(it.lab);
    spawnSync("umount", ["-l", disk]);
  }
});

test("where the administrator wants it, a first scan is slowed down, and who goes on is blocked", {
  skip,
  timeout: 120_000,
}, async () => {
  using it = scene(["stranger"], 'first_offence = "throttle"');
  const stranger = it.lab.clients[0]!;
  const guard = await startGuard(it.lab, ["--block", "--config", it.config]);
  scan(it.lab, "stranger", stranger.host4, stranger.v4);
  const { throttled } = await guard.until("block.applied", ({ target }) => target === stranger.v4);
  assert.equal(throttled, true);
  const address = stranger.v4.replaceAll(".", "\\.");
  await waitFor("the kernel's own block to give way", () =>
    new RegExp(`set slowed4_32 \\{[^}]*${address} `).test(it.firewall()),
  );
  assert.match(it.telltale("blocks").stdout, new RegExp(`^${address} .* slowed down: `, "m"));
  assert.match(it.telltale("explain", stranger.v4).stdout, /slowed down via nftables until/);

  // Check that it is let through, if slowly: the kernel's tripwire leaves it alone, and the answers come with a pause.
  const knock = `const s = require("net").connect(Number(process.argv[2]), process.argv[1]); s.on("error", (e) => { console.log(e.code); process.exit(); }); setTimeout(() => process.exit(), 1000)`;
  await waitFor("an answer to who is slowed down", () => {
    const at = ["stranger", [process.execPath, "-e", knock, stranger.host4, "9"]] as const;
    return it.lab.run(...at).stdout.includes("ECONNREFUSED");
  });
  assert.doesNotMatch(it.firewall(), new RegExp(`set blocked4_32 \\{[^}]*${address} `));

  // Going on ends it.
  const scans = guard.events.filter(({ type }) => type === "scan.detected").length;
  const goOn = `let p = 3000; setInterval(() => require("net").connect(p++, process.argv[1]).on("error", () => {}), 20)`;
  it.lab.start("stranger", [process.execPath, "-e", goOn, stranger.host4]);
  await guard.until("block.applied", (event) => event.throttled !== true);
  assert.ok(guard.events.filter(({ type }) => type === "scan.detected").length > scans);
  assert.match(it.firewall(), new RegExp(`set blocked4_32 \\{[^}]*${address} `));
  await guard.stop();
});
