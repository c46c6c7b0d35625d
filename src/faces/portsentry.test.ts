// portsentry's face in a network namespace, against real scanners. This file is the test, and, started with "face", the
// face under test.
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import test, { type TestContext } from "node:test";
import { main } from "./portsentry.ts";
import { readPortsentryOptions } from "./portsentry-options.ts";

const lab = await import("../../tests/system/lab.ts");
const { waitFor } = await import("../../tests/system/wait.ts");
type Lab = ReturnType<typeof lab.makeLab>;

if (process.argv[2] === "face") process.exitCode = await main(process.argv.slice(3));
else defineTests();

type Face = {
  made: Lab;
  host4: string;
  host6: string;
  v4: string;
  v6: string;
  lines: string[];
  end(): Promise<number>;
};

/** The face in the host's namespace with DIR for the scratch folder; null after naming what is missing. */
async function start(t: TestContext, config: string, args: string[], tools: string[]): Promise<Face | null> {
  const missing = lab.labObstacle(...tools);
  if (missing !== null) {
    t.skip(missing);
    return null;
  }
  const made = lab.makeLab(["stranger"]);
  t.after(() => made[Symbol.dispose]());
  const path = `${made.dir}/portsentry.conf`;
  const files = `HISTORY_FILE="${made.dir}/history"\nBLOCKED_FILE="${made.dir}/blocked"\n`;
  writeFileSync(path, files + config.replaceAll("DIR", made.dir));
  const { host4, host6, v4, v6 } = made.clients[0]!;
  const lines: string[] = [];
  const child = made.start("host", [process.execPath, import.meta.filename, "face", "-c", path, ...args], {
    env: { TELLTALE_PORTSENTRY_DAEMON: "1" },
  });
  let text = "";
  let complaint = "";
  let status: number | null = null;
  child.stdout!.on("data", (data) => {
    text += data;
    const whole = text.split("\n");
    text = whole.pop()!;
    lines.push(...whole);
  });
  child.stderr!.on("data", (data) => (complaint += data));
  child.on("exit", (code) => (status = code ?? -1));
  await waitFor("the face to listen", () => {
    if (status !== null) throw new Error(`ended with ${status}: ${complaint}`);
    return lines.some((line) => line.endsWith("is now active and listening."));
  });
  const end = async (): Promise<number> => {
    child.kill("SIGTERM");
    await waitFor("the end", () => status !== null);
    return status!;
  };
  return { made, host4, host6, v4, v6, lines, end };
}

function scan(face: Face, ...args: string[]): void {
  const target = args.includes("-6") ? face.host6 : face.host4;
  const done = face.made.run("stranger", ["nmap", "-n", "-Pn", "-T4", ...args, target]);
  assert.equal(done.status, 0, done.stderr);
}

function scanLine(source: string, port: number, rest: string): string {
  return `Scan from: [${source}] (${source}) protocol: [TCP] port: [${port}] ${rest}`;
}

function defineTests(): void {
  test("--stealth: one line a probe, a block by command, and no line for ports that are served or not listed", async (t) => {
    const config =
      'TCP_PORTS="11,15,20-22"\nUDP_PORTS="69"\nBLOCK_TCP="1"\nKILL_RUN_CMD="echo $TARGET$ $PORT$ $MODE$ >> DIR/told"\n';
    const face = await start(t, config, ["--stealth", "-m", "pcap", "-i", "ALL"], ["nmap", "socat"]);
    if (face === null) return;
    const { v4, v6, lines, made } = face;
    assert.equal(lines[0], "Portsentry is now active and listening.");
    made.start("host", ["socat", "TCP-LISTEN:20,fork,reuseaddr", "SYSTEM:cat"]);
    // Asked from the host itself: a stranger's first try would come before the service does.
    const visit = () => made.run("host", ["sh", "-c", "echo x | socat -t5 - TCP:127.0.0.1:20"]).stdout;
    await waitFor("the service", () => visit() === "x\n");
    lines.splice(0);
    scan(face, "-sS", "-p", "20");
    scan(face, "-sS", "-p", "11");
    await waitFor("a block", () => lines.length >= 2);
    const ending = "ignored: [false] triggered: [true] noblock: [false] blocked: [true]";
    assert.deepEqual(lines, [
      `attackalert: External command run for host: ${v4} using command: "echo ${v4} 11 stealth >> ${made.dir}/told"`,
      scanLine(v4, 11, `type: [TCP SYN/Normal scan] IP opts: [not set] ${ending}`),
    ]);
    lines.splice(0);
    scan(face, "-sF", "-p", "15", "--max-retries", "0");
    scan(face, "-6", "-sX", "-p", "22", "--max-retries", "0");
    scan(face, "-sA", "-p", "11");
    scan(face, "-sS", "-p", "12");
    await waitFor("two more", () => lines.length >= 4);
    assert.deepEqual(lines, [
      `attackalert: Host: ${v4}/${v4} is already blocked Ignoring`,
      scanLine(v4, 15, `type: [TCP FIN scan] IP opts: [not set] ${ending}`),
      `attackalert: External command run for host: ${v6} using command: "echo ${v6} 22 stealth >> ${made.dir}/told"`,
      scanLine(v6, 22, `type: [TCP XMAS scan] IP opts: [unknown] ${ending}`),
    ]);
    assert.equal(await face.end(), 0);
    assert.equal(readFileSync(`${made.dir}/told`, "utf8"), `${v4} 11 stealth\n${v6} 22 stealth\n`);
    assert.equal(readFileSync(`${made.dir}/history`, "utf8").split("\n").length, 4);
    assert.equal(readFileSync(`${made.dir}/blocked`).length, 6 + 18);
  });

  test("--connect: opens the ports, sends the banner, and takes ports in use as they are", async (t) => {
    const config = 'TCP_PORTS="1080,2000-2300"\nUDP_PORTS="1080"\nPORT_BANNER="go away"\nSCAN_TRIGGER="2"\n';
    const face = await start(t, config, ["--connect"], ["socat", "nmap"]);
    if (face === null) return;
    const { v4, v6, lines, made } = face;
    lines.splice(0);
    const talk = (what: string): string =>
      made.run("stranger", ["sh", "-c", `echo hello | socat -t5 -T5 - ${what}`]).stdout;
    assert.equal(talk(`TCP:${face.host4}:1080`), "", "below the trigger nobody is greeted");
    assert.equal(talk(`TCP:${face.host4}:2300`), "go away");
    assert.equal(talk(`TCP:[${face.host6}]:2000`), "");
    assert.equal(talk(`UDP:${face.host4}:1080`), "go away");
    await waitFor("four lines", () => lines.length >= 4);
    const below = "ignored: [false] triggered: [false] noblock: [unset] blocked: [unset]";
    const above = "ignored: [false] triggered: [true] noblock: [true] blocked: [false]";
    assert.deepEqual(lines, [
      scanLine(v4, 1080, `type: [Connect] IP opts: [unknown] ${below}`),
      scanLine(v4, 2300, `type: [Connect] IP opts: [unknown] ${above}`),
      scanLine(v6, 2000, `type: [Connect] IP opts: [unknown] ${below}`),
      scanLine(v4, 1080, `type: [Connect] IP opts: [unknown] ${above}`).replace("[TCP]", "[UDP]"),
    ]);
    lines.splice(0);
    scan(face, "-sT", "-p", "2100");
    await waitFor("the one who connects and resets at once", () => lines.length > 0);
    assert.deepEqual(lines, [scanLine(v4, 2100, `type: [Connect] IP opts: [unknown] ${above}`)]);
    assert.equal(await face.end(), 0);
  });

  test("a packet that bears the gateway's address is told, and the gateway is not blocked", async (t) => {
    const config = 'TCP_PORTS="11"\nBLOCK_TCP="1"\nKILL_RUN_CMD="echo $TARGET$ >> DIR/told"\n';
    const face = await start(t, config, ["--stealth"], ["nmap"]);
    if (face === null) return;
    const { v4, lines, made } = face;
    assert.equal(made.run("host", ["ip", "route", "add", "default", "via", v4]).stderr, "");
    lines.splice(0);
    scan(face, "-sS", "-p", "11");
    await waitFor("the lines", () => lines.length >= 2);
    assert.match(lines[0]!, new RegExp(`^attackalert: Host: ${v4}/${v4} is never blocked: .*gateway`));
    assert.match(lines[1]!, /triggered: \[true\] noblock: \[false\] blocked: \[false\]$/);
    assert.equal(await face.end(), 0);
    assert.ok(!existsSync(`${made.dir}/told`));
  });

  test("-stcp and -atcp speak as PortSentry 1.x does", async (t) => {
    for (const [mode, config] of [
      ["-stcp", 'TCP_PORTS="11,15"\nIGNORE_FILE=""\nBLOCK_TCP="1"\nKILL_ROUTE="true $TARGET$"\n'],
      [
        "-atcp",
        'TCP_PORTS=""\nIGNORE_FILE=""\nADVANCED_PORTS_TCP="100"\nADVANCED_EXCLUDE_TCP="15"\nBLOCK_TCP="1"\nKILL_ROUTE="true $TARGET$"\n',
      ],
    ] as const) {
      const face = await start(t, config, [mode, "-l", "stdout"], ["nmap"]);
      if (face === null) return;
      const { v4, lines } = face;
      assert.deepEqual(lines.slice(0, 2), [
        "adminalert: PortSentry 1.2 is starting.",
        "adminalert: ERROR: Could not read SCAN_TRIGGER option from config file. Disabling SCAN DETECTION TRIGGER",
      ]);
      assert.equal(lines.at(-1), "adminalert: PortSentry is now active and listening.");
      lines.splice(0);
      if (mode === "-atcp") scan(face, "-sS", "-p", "15,200");
      scan(face, "-sS", "-p", "11");
      await waitFor("a block", () => lines.length >= 2);
      assert.equal(await face.end(), 0);
      assert.deepEqual(lines, [
        `attackalert: TCP SYN/Normal scan from host: ${v4}/${v4} to TCP port: 11`,
        `attackalert: Host ${v4} has been blocked via dropped route using command: "true ${v4}"`,
        "securityalert: PortSentry is shutting down",
        "adminalert: PortSentry is shutting down",
      ]);
    }
  });

  test("a faulty configuration is told by line, and keeps 2.x from starting", async (t) => {
    const missing = lab.labObstacle();
    if (missing !== null) return t.skip(missing);
    using made = lab.makeLab([]);
    const path = `${made.dir}/portsentry.conf`;
    const run = (text: string | null, ...args: string[]) => {
      if (text !== null) writeFileSync(path, text);
      return made.run("host", [process.execPath, import.meta.filename, "face", "-c", path, ...args]);
    };
    const none = run(null);
    assert.equal(none.status, 1);
    assert.match(none.stderr, /portsentry\.conf: ENOENT/);
    const bad = run('TCP_PORTS="1,70000"\nUDP_PORTS="7"\nNONSENSE="1"\n');
    assert.equal(bad.status, 1);
    assert.match(bad.stderr, /portsentry\.conf:1: TCP_PORTS: wants .*found "70000"/);
    assert.match(bad.stderr, /portsentry\.conf:3: NONSENSE: is no key of portsentry\.conf \(not started\)/);
    assert.match(run("").stderr, /TCP_PORTS: no ports to watch/);
    const without = (key: string, text: string) =>
      assert.match(
        run(`TCP_PORTS="7"\n${text}`).stderr,
        new RegExp(`portsentry\\.conf: ${key}: .*not started`),
      );
    without("BLOCKED_FILE", 'BLOCK_TCP="1"\nKILL_ROUTE="true $TARGET$"\n');
    without("KILL_RUN_CMD", `BLOCK_UDP="2"\nBLOCKED_FILE="${made.dir}/b"\n`);
    without("KILL_ROUTE", `BLOCK_UDP="1"\nBLOCKED_FILE="${made.dir}/b"\n`);
    without("HISTORY_FILE", `HISTORY_FILE="${path}/h"\n`);
    const classic = run('TCP_PORTS="7"\nHISTORY_FILE=""\nBLOCKED_FILE=""\n', "-stcp");
    assert.equal(classic.status, 255, "the status of 1.x");
    assert.match(classic.stderr, /IGNORE_FILE: is missing \(not started\)/);
    assert.equal(run("", "-stcp", "-tcp").status, 255);
    assert.match(run("", "--frobnicate").stderr, /unrecognized option '--frobnicate'/);
    assert.equal(run("", "-h").status, 0);
    assert.match(run("", "-V").stdout, /^Portsentry version/);
  });

  test("the command line is read as both generations read it", () => {
    const read = (...args: string[]) => readPortsentryOptions(args);
    const cases: [string[], Record<string, unknown> | string][] = [
      [[], { mode: "stealth", wording: 2, loopback: false, daemon: false, log: "stdout" }],
      [
        ["-stcp"],
        { mode: "stcp", wording: 1, daemon: true, log: "syslog", loopback: true, skipLocalCheck: true },
      ],
      [["--audp", "-l", "stdout"], { mode: "audp", wording: 1, log: "stdout", daemon: false }],
      [["-l", "stdout", "-D", "-tcp"], { mode: "tcp", log: "syslog", daemon: true }],
      [["-D"], { mode: "stealth", log: "syslog", daemon: true }],
      [["-l", "stdout", "-lsyslog", "-stcp"], { log: "both", daemon: false }],
      [["-m", "raw"], { loopback: true, skipLocalCheck: false }],
      [["-m", "raw", "-i", "eth0"], { interfaces: ["eth0"], loopback: false }],
      [
        ["--connect", "-dvLS"],
        { mode: "connect", debug: true, skipLocalCheck: true, skipServiceCheck: true },
      ],
      [["-i", "ALL"], { interfaces: [], loopback: true }],
      [["-i", "eth0", "--interface=lo"], { interfaces: ["eth0", "lo"], loopback: true }],
      [["-cportsentry.conf", "-D"], { configFile: "portsentry.conf", daemon: true }],
      [["--configfile", "x", "-m", "raw"], { configFile: "x" }],
      [["-m", "guess"], "Invalid sentry method specified"],
      [["-tcp", "-udp"], "Only one mode can be specified"],
      [["-i", "eth0", "-i", "ALL"], "Only one interface type"],
      [["-i", "ALL", "-i", "eth0"], "Only one interface type"],
      [["-i", "ALL", "-i", "ALL_NLO"], "Only one interface type"],
      [["--conf=x", "--verb", "--conn"], { configFile: "x", verbose: true, mode: "connect" }],
      [["--stea", "--inter", "eth0"], { mode: "stealth", interfaces: ["eth0"] }],
      [["--ver"], "option '--ver' is ambiguous; possibilities: '--verbose' '--version'"],
      [["--verbose=3"], "option '--verbose' doesn't allow an argument"],
      [["--"], "unrecognized option '--'"],
      [["-c"], "option requires an argument -- 'c'"],
      [["-x"], "invalid option -- 'x'"],
      [["stcp"], "unknown argument 'stcp'"],
    ];
    for (const [args, expected] of cases) {
      const found = read(...args);
      if (typeof expected === "string") assert.ok(String(found).startsWith(expected), args.join(" "));
      else assert.partialDeepStrictEqual(found, expected, args.join(" "));
    }
  });
}
