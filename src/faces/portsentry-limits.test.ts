// The face where something is scarce or missing: thousands of ports, few open files, an interface that is not there yet, no
// permission. It says what it does without, and does the rest.
import assert from "node:assert/strict";
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { type Lab, labObstacle, makeLab, type RunOptions, TELLTALE } from "../../tests/system/lab.ts";
import { waitFor } from "../../tests/system/wait.ts";

/** A lab with a configuration in it, or null after saying what is missing. */
function prepare(t: TestContext, config: string, ...tools: string[]): Lab | null {
  const missing = labObstacle(...tools);
  if (missing !== null) {
    t.skip(missing);
    return null;
  }
  const made = makeLab(["stranger"]);
  t.after(() => made[Symbol.dispose]());
  const files = `HISTORY_FILE="${made.dir}/history"\nBLOCKED_FILE="${made.dir}/blocked"\nIGNORE_FILE=""\n`;
  writeFileSync(join(made.dir, "portsentry.conf"), `${files}${config.replaceAll("DIR", made.dir)}\n`);
  return made;
}

const command = (made: Lab, ...switches: string[]): string[] => [
  TELLTALE,
  "portsentry",
  ...["-c", join(made.dir, "portsentry.conf"), "-l", "stdout"],
  ...switches,
];

/** The lines of a face that listens. */
async function listening(
  made: Lab,
  switches: readonly string[],
  options: RunOptions = {},
): Promise<string[]> {
  const lines: string[] = [];
  const child = made.start("host", command(made, ...switches), options);
  let rest = "";
  let complaint = "";
  child.stderr!.on("data", (data) => (complaint += data));
  child.stdout!.setEncoding("utf8").on("data", (chunk: string) => {
    const whole = (rest + chunk).split("\n");
    rest = whole.pop()!;
    lines.push(...whole);
  });
  await waitFor("the face to listen", () => {
    if (child.exitCode !== null) throw new Error(`it ended: ${complaint}`);
    return lines.some((line) => line.endsWith("is now active and listening."));
  });
  return lines;
}

const seen = (lines: readonly string[]): number[] =>
  lines.flatMap((line) => {
    const port = /^Scan from: .* port: \[(\d+)\]/.exec(line);
    return port === null ? [] : [Number(port[1])];
  });

const nmap = (made: Lab, ...args: string[]): void => {
  const tried = made.run("stranger", [
    "nmap",
    "-n",
    "-Pn",
    "--max-retries",
    "0",
    ...args,
    made.clients[0]!.host4,
  ]);
  assert.equal(tried.status, 0, tried.stderr);
};

test("--connect opens thousands of ports of both protocols, and whoever connects is told", async (t) => {
  const made = prepare(t, 'TCP_PORTS="1-4000"\nUDP_PORTS="1-4000"', "nmap");
  if (made === null) return;
  const lines = await listening(made, ["--connect"]);
  assert.equal(lines.length, 1, lines.slice(0, 3).join("\n"));
  nmap(made, "-sT", "-p", "1,999,2000,4000");
  nmap(made, "-sU", "-p", "3,3999");
  await waitFor("six lines", () => seen(lines).length >= 6);
  assert.deepEqual(
    seen(lines).toSorted((a, b) => a - b),
    [1, 3, 999, 2_000, 3_999, 4_000],
  );
});

test("--connect with more ports than files may be opened says how many it leaves out, and keeps some for visitors", async (t) => {
  const made = prepare(t, 'TCP_PORTS="1-400"\nUDP_PORTS="1-20"', "nmap", "prlimit");
  if (made === null) return;
  const lines = await listening(made, ["--connect"], { as: ["prlimit", "--nofile=250:250"] });
  const short = lines.filter((line) => line.includes("ERROR"));
  assert.equal(short.length, 1, short.join("\n"));
  assert.match(short[0]!, /ERROR: \d+ ports are not watched: this process may open 250 files\..*ulimit -n/);
  nmap(made, "-sT", "-p", "1-100");
  await waitFor("everybody who connected", () => seen(lines).length >= 100);
  assert.equal(new Set(seen(lines)).size, 100);
});

test("a banner answers a client's datagram, and none from a port that would answer it", async (t) => {
  const made = prepare(t, 'TCP_PORTS="7"\nUDP_PORTS="7,5000"\nPORT_BANNER="go away"');
  if (made === null) return;
  const lines = await listening(made, ["--connect"]);
  const script = `import socket, sys
for port in (7, 5000, 40001):
  s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
  s.bind(("", port))
  s.settimeout(0.5 if port < 40000 else 20)
  s.sendto(b"x", (sys.argv[1], 7))
  try: print(port, s.recv(99).decode())
  except TimeoutError: print(port, "silence")`;
  const done = made.run("stranger", ["/usr/bin/python3", "-c", script, made.clients[0]!.host4]);
  assert.equal(done.stdout, "7 silence\n5000 silence\n40001 go away\n", done.stderr);
  await waitFor("three lines", () => seen(lines).length === 3);
});

test("-i NAME that is not there is told, the others go on, and it is heard when it comes", async (t) => {
  const made = prepare(t, 'TCP_PORTS="11,12"', "nmap");
  if (made === null) return;
  const lines = await listening(made, ["--stealth", "-L", "-i", "late0", "-i", "lo"]);
  assert.match(lines[0]!, /^adminalert: ERROR: no such interface: late0 \(.*\); listening on lo$/);
  nmap(made, "-sS", "-p", "11");
  made.run("host", ["nmap", "-n", "-Pn", "-sS", "-p", "12", "127.0.0.1"]);
  await waitFor("the line from loopback", () => seen(lines).includes(12));
  assert.ok(!seen(lines).includes(11), "v0 was not asked for");
  for (const change of [
    ["v0", "down"],
    ["v0", "name", "late0"],
    ["late0", "up"],
  ])
    assert.equal(made.run("host", ["ip", "link", "set", ...change]).stderr, "");
  await waitFor("the interface", () => lines.includes("adminalert: listening on late0"));
  nmap(made, "-sS", "-p", "11");
  await waitFor("the line from there", () => seen(lines).includes(11));
});

test("a packet through a bridge is heard on its port and on the bridge, and counts once", async (t) => {
  const made = prepare(t, 'TCP_PORTS="7,8"\nSCAN_TRIGGER="2"', "nmap");
  if (made === null) return;
  const { host4 } = made.clients[0]!;
  const mac = "address 02:00:00:00:00:01";
  const bridge = `ip link add br0 ${mac} type bridge && ip link set v0 ${mac} master br0 &&
    ip addr flush dev v0 && ip addr add ${host4}/30 dev br0 && ip link set br0 up`;
  const done = made.run("host", ["sh", "-c", bridge]);
  if (/Unknown device type/.test(done.stderr)) return t.skip("this kernel has no bridges");
  assert.equal(done.status, 0, done.stderr);
  // The kernel takes up to a second to say that a new bridge is running; until then its address is not told.
  const isRunning = () => /^br0 +UP /m.test(made.run("host", ["ip", "-br", "link"]).stdout);
  await waitFor("the bridge to run", isRunning);
  const lines = await listening(made, ["--stealth"]);
  nmap(made, "-sS", "-p", "7");
  nmap(made, "-sS", "-p", "8");
  await waitFor("the line about the second port", () => seen(lines).includes(8));
  assert.deepEqual(seen(lines), [7, 8]);
  assert.match(lines.find((line) => line.includes("port: [7]"))!, /triggered: \[false\]/);
});

test("a fragment that hides its flags counts, and says so", async (t) => {
  const made = prepare(t, 'TCP_PORTS="7"', "nmap");
  if (made === null) return;
  const lines = await listening(made, ["-stcp"]);
  nmap(made, "-sS", "-f", "-p", "7");
  await waitFor("its line", () => lines.some((line) => line.startsWith("attackalert:")));
  assert.match(
    lines.find((line) => line.startsWith("attackalert:"))!,
    /^attackalert: Unknown Type: TCP Packet Flags: hidden in a later fragment from host: \S+ to TCP port: 7$/,
  );
});

test("-S counts ports on which a service listens, too", async (t) => {
  const made = prepare(t, 'TCP_PORTS="11"', "nmap", "socat");
  if (made === null) return;
  made.start("host", ["socat", "TCP-LISTEN:11,fork,reuseaddr", "SYSTEM:cat"]);
  await waitFor("the service", () => made.run("host", ["ss", "-ltn"]).stdout.includes(":11 "));
  const lines = await listening(made, ["--stealth", "-S"]);
  nmap(made, "-sS", "-p", "11");
  await waitFor("the line", () => seen(lines).includes(11));
});

test("a disk that is full of its lines keeps nobody from being blocked", async (t) => {
  const made = prepare(t, 'TCP_PORTS="7"\nBLOCK_TCP="1"\nKILL_ROUTE="touch DIR/$TARGET$"', "nmap");
  if (made === null) return;
  const { v4 } = made.clients[0]!;
  const child = made.start("host", [
    "sh",
    "-c",
    'exec "$@" > /dev/full',
    "sh",
    ...command(made, "--stealth"),
  ]);
  let complaint = "";
  child.stderr!.on("data", (data) => (complaint += data));
  await waitFor("the first line that is lost", () => complaint.includes("lines are lost: ENOSPC"));
  nmap(made, "-sS", "-p", "7");
  await waitFor("the block", () => existsSync(join(made.dir, v4)));
  assert.equal(complaint.split("\n").length, 2, complaint);
});

test("without permission it says what it may not do and how to get it, with the exit status of either generation", (t) => {
  const made = prepare(t, 'TCP_PORTS="11"\nIGNORE_FILE=""', "setpriv");
  if (made === null) return;
  chmodSync(made.dir, 0o777);
  const as = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  for (const [mode, status, what] of [
    ["--stealth", 1, /may not listen to packets \(EPERM\)\n {4}mend: run as root, or give CAP_NET_RAW/],
    ["-stcp", 255, /may not listen to packets \(EPERM\)\n {4}mend: run as root, or give CAP_NET_RAW/],
    ["--connect", 1, /could not bind ANY sockets\n {4}mend: .*run as root for ports below 1024/],
    ["-tcp", 255, /could not bind ANY sockets\n {4}mend: .*run as root for ports below 1024/],
  ] as const) {
    const tried = made.run("host", command(made, mode), { as });
    assert.equal(tried.status, status, `${mode}: ${tried.stdout}${tried.stderr}`);
    assert.match(tried.stderr, what, mode);
  }
});
