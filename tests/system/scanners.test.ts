// Scanners who hide behind others, and those who ask many addresses: the stranger uses decoys, an idle zombie, an FTP server
// that connects wherever it is told, zmap and a ping sweep. Check who is accused of it, and who is locked out.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import type { Scan } from "../../src/core/events.ts";
import { type GuardProcess, startGuard } from "./guard-process.ts";
import { type Lab, labObstacle, makeLab, ROOT } from "./lab.ts";
import { withListener } from "./split.ts";
import { waitFor } from "./wait.ts";

const skip = labObstacle("nft", "nmap", "zmap", "vsftpd", "socat", "setpriv") ?? false;
const NAMES = ["stranger", "router", "zombie", "ftp"] as const;

async function ready(lab: Lab, where: string, argv: readonly string[]): Promise<void> {
  const child = lab.start(where, argv);
  let said = "";
  child.stdout!.on("data", (data) => (said += data));
  await waitFor(`${argv[0]} to be ready`, () => said.includes("ready"));
}

/** Whom the guard has called a scanner, and whom it has blocked. */
const accused = ({ events }: GuardProcess): Scan[] =>
  events.flatMap((event) => (event.type === "scan.detected" ? [event.scan] : []));
const blocked = ({ events }: GuardProcess): string[] =>
  events.flatMap((event) => (event.type === "block.applied" ? [event.target] : []));

test("who scans in the name of others, or many addresses at once", { skip, timeout: 180_000 }, async (t) => {
  using lab = makeLab(NAMES);
  const at = (name: (typeof NAMES)[number]) => lab.clients.find((one) => one.name === name)!;
  const { host4 } = at("stranger");
  const must = (where: string, ...argv: string[]): string => {
    const ran = lab.run(where, argv, { timeoutMs: 60_000 });
    assert.equal(ran.status, 0, `${argv.join(" ")}: ${ran.stdout}${ran.stderr}`);
    return ran.stdout;
  };
  // The host is the router between them, and lets through what bears its own address.
  for (const link of ["all", "v0", "v1", "v2", "v3"])
    for (const key of ["rp_filter=0", "accept_local=1"])
      must("host", "sysctl", "-qw", `net.ipv4.conf.${link}.${key}`);
  must("host", "sysctl", "-qw", "net.ipv4.ip_forward=1");
  must("host", "ip", "route", "add", "default", "via", at("router").v4);
  for (let n = 1; n <= 60; n++) must("host", "ip", "addr", "add", `10.60.0.${n}/32`, "dev", "v0");
  /** An address of the stranger's that has done nothing yet. */
  const fresh = (n: number): string => {
    const address = `10.50.0.${n}`;
    must("host", "ip", "route", "add", `${address}/32`, "via", at("stranger").v4);
    must("stranger", "ip", "addr", "add", `${address}/32`, "dev", "eth0");
    return address;
  };
  lab.start("host", ["socat", "TCP-LISTEN:22,fork,reuseaddr", "SYSTEM:cat"]);
  const config = join(lab.dir, "telltale.toml");
  const off = '[rotate]\nenabled = false\n[check]\nenabled = false\n[report]\nvia = "none"\n';
  writeFileSync(config, `[store]\ndirectory = "${lab.dir}/state"\n${off}`);
  const guard = await startGuard(lab, ["--block", "--config", config], withListener(lab));
  const nmap = (...args: string[]): string =>
    must("stranger", "nmap", "-n", "-Pn", "--max-retries", "1", ...args);
  const lockedOut = (address: string) => guard.until("block.applied", (event) => event.target === address);

  await t.test(
    "nmap -D: scanner and decoys are accused alike, and a decoy that is the gateway is not blocked",
    async () => {
      const scanner = fresh(1);
      const decoys = ["203.0.113.5", at("router").v4];
      nmap(
        "-sS",
        "-p",
        "1-40",
        "--host-timeout",
        "8s",
        "-S",
        scanner,
        "-e",
        "eth0",
        "-D",
        decoys.join(","),
        host4,
      );
      for (const source of [scanner, "203.0.113.5"]) await lockedOut(source);
      const { verdict } = await guard.until(
        "verdict.reached",
        ({ verdict: one }) => one.source === at("router").v4,
      );
      assert.match(verdict.guardrail ?? "", /gateway/);
      assert.ok(!blocked(guard).includes(at("router").v4));
      for (const scan of accused(guard)) assert.equal(scan.grade, "spoofable", scan.source);
    },
  );

  await t.test(
    "nmap -sI: the zombie is accused and blocked, as one whose name anybody could write",
    async () => {
      const quiet =
        "table ip t { chain o { type filter hook output priority 0; ip id 0 tcp flags rst drop; }; }";
      must("zombie", "nft", quiet);
      await ready(lab, "zombie", ["/usr/bin/python3", join(ROOT, "bench/scene/zombie.py")]);
      const scan = lab.start("stranger", [
        ...["nmap", "-n", "-Pn", "--max-retries", "1"],
        ...["-sI", `${at("zombie").v4}:80`, "-p", "22,5001-5012", host4],
      ]);
      await lockedOut(at("zombie").v4);
      scan.kill();
      const told = await guard.until("scan.detected", (event) => event.scan.source === at("zombie").v4);
      assert.equal(told.scan.grade, "spoofable");
    },
  );

  await t.test("nmap -b: the FTP server that is made to connect is accused and blocked", async () => {
    mkdirSync(join(lab.dir, "ftp"), { mode: 0o555 });
    mkdirSync(join(lab.dir, "empty"), { mode: 0o555 });
    const settings = ["listen=YES", "anonymous_enable=YES", "no_anon_password=YES", "port_promiscuous=YES"];
    const safety = ["seccomp_sandbox=NO", "background=NO", `secure_chroot_dir=${lab.dir}/empty`];
    const lines = [...settings, ...safety, `anon_root=${lab.dir}/ftp`, "xferlog_enable=NO"];
    writeFileSync(join(lab.dir, "vsftpd.conf"), `${lines.join("\n")}\n`);
    lab.start("ftp", ["vsftpd", join(lab.dir, "vsftpd.conf")]);
    const greets = `import socket, sys; print(socket.create_connection((sys.argv[1], 21), 2).recv(20))`;
    await waitFor("vsftpd", () =>
      lab.run("stranger", ["/usr/bin/python3", "-c", greets, at("ftp").v4]).stdout.includes("220"),
    );
    const scan = lab.start("stranger", [
      ...["nmap", "-n", "-Pn", "--max-retries", "0", "-v"],
      ...["-b", `anonymous:x@${at("ftp").v4}`, "-p", "3001-3012", host4],
    ]);
    let said = "";
    scan.stdout!.on("data", (data) => (said += data));
    await lockedOut(at("ftp").v4);
    assert.match(said, /Initiating Bounce Scan/);
    scan.kill();
  });

  await t.test(
    "zmap over the addresses of this host is a horizontal scan with its own signature",
    async () => {
      const source = fresh(2);
      const mac = must("host", "cat", "/sys/class/net/v0/address").trim();
      must(
        "stranger",
        ...["zmap", "-q", "-p", "9000", "-r", "200", "-b", "/dev/null"],
        ...["-i", "eth0", "-G", mac, "-S", source],
        ...["-c", "1", "-o", "/dev/null", "10.60.0.0/28"],
      );
      await lockedOut(source);
      const scan = accused(guard).find((one) => one.source === source)!;
      assert.equal(scan.hint, "zmap");
      assert.equal(scan.shape, "horizontal");
    },
  );

  await t.test("nmap -sn over the addresses of this host is noticed, and stopped", async () => {
    const source = fresh(3);
    const sweep = ["-n", "-sn", "--disable-arp-ping", "--max-retries", "1", "--host-timeout", "8s"];
    must("stranger", "nmap", ...sweep, "-S", source, "-e", "eth0", "10.60.0.1-60");
    await lockedOut(source);
  });

  await t.test(
    "whoever gave the orders from behind the zombie and the FTP server was not seen, nor anybody else",
    () => {
      const expected = [at("zombie").v4, at("ftp").v4, "10.50.0.1", "10.50.0.2", "10.50.0.3", "203.0.113.5"];
      assert.deepEqual([...new Set(blocked(guard))].sort(), expected.sort());
      assert.ok(!accused(guard).some(({ source }) => source === at("stranger").v4));
    },
  );
  await guard.stop();
});
