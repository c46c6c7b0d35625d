import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { waitFor } from "../../../tests/system/wait.ts";
import { type Address, PrefixSet, parsePrefix } from "../../core/address.ts";
import { BlockedHosts } from "./blocked-file.ts";
import { decideSighting, planBlock } from "./decide.ts";
import { HostNames } from "./names.ts";
import { type PortsentryConfig, parsePortsentryConfig } from "./parse.ts";
import { runStep } from "./react.ts";
import { Reactor } from "./reactor.ts";
import { renderFlags, renderHistory, renderScan } from "./render.ts";
import type { Sighting, Wording } from "./types.ts";

const SIGHTING: Sighting = {
  source: "198.51.100.7" as Address,
  protocol: "TCP",
  port: 11,
  type: "TCP SYN/Normal scan",
  ipOptions: "not set",
  at: new Date("2026-11-22T19:23:56.041Z"),
};

function config(text: string): PortsentryConfig {
  const { config: read, faults } = parsePortsentryConfig("portsentry.conf", text);
  assert.deepEqual(faults, []);
  return read;
}

function scratch(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "tt-portsentry-"));
  t.after(() => rmSync(dir, { recursive: true }));
  return dir;
}

test("the flags of the scan line say how far the evaluation came", () => {
  const on = 'BLOCK_TCP="1"\nSCAN_TRIGGER="2"';
  const off = 'BLOCK_TCP="0"';
  const cases: [string, string, boolean, number, boolean, string, string][] = [
    ["ignored", on, true, 0, false, "true unset unset unset", "no"],
    ["below the trigger", on, false, 1, false, "false false unset unset", "no"],
    ["at the trigger", on, false, 2, false, "false true false true", "block"],
    ["above, and blocked", on, false, 9, true, "false true false true", "already blocked"],
    ["log only", off, false, 0, false, "false true true false", "no"],
  ];
  for (const [what, text, isIgnored, count, isBlocked, flags, react] of cases) {
    const decision = decideSighting(config(text), SIGHTING, { isIgnored, count, isBlocked });
    const { ignored, triggered, noblock, blocked } = decision.outcome;
    assert.equal([ignored, triggered, noblock, blocked].join(" "), flags, what);
    assert.equal(decision.react, react, what);
  }
});

test("a block is hosts.deny, route and command, in the configured order and with our own values in it", () => {
  const text = [
    'BLOCK_TCP="1"',
    'BLOCK_UDP="2"',
    'KILL_ROUTE="route add $TARGET$"',
    'KILL_HOSTS_DENY="ALL: $TARGET$ : DENY"',
    'KILL_RUN_CMD="tell $TARGET$ $PORT$ $MODE$ $TARGET$"',
  ].join("\n");
  const deny = "ALL: 198.51.100.7 : DENY";
  const route = "route add 198.51.100.7";
  const tell = "tell 198.51.100.7 11 stealth 198.51.100.7";
  const steps = (more: string, sighting = SIGHTING): string[] =>
    planBlock(config(`${text}\n${more}`), sighting, "stealth").map((step) =>
      step.do === "wrappers" ? step.line : step.do === "nothing" ? step.key : step.command,
    );
  assert.deepEqual(steps(""), [deny, route, tell]);
  assert.deepEqual(steps('KILL_RUN_CMD_FIRST="1"'), [tell, deny, route]);
  assert.deepEqual(steps("", { ...SIGHTING, protocol: "UDP" }), [tell]);
  assert.deepEqual(planBlock(config('BLOCK_TCP="1"'), SIGHTING, "stealth"), []);
  const blind = config('BLOCK_TCP="1"\nKILL_ROUTE="route"\nKILL_HOSTS_DENY="ALL: ALL"');
  assert.deepEqual(planBlock(blind, SIGHTING, "stealth"), [
    { do: "nothing", key: "KILL_HOSTS_DENY" },
    { do: "nothing", key: "KILL_ROUTE" },
  ]);
});

test("lines are letter for letter those that rules of logcheck and fail2ban know", () => {
  assert.equal(
    renderScan(SIGHTING, "198.51.100.7", {
      ignored: "false",
      triggered: "true",
      noblock: "false",
      blocked: "true",
    }),
    "Scan from: [198.51.100.7] (198.51.100.7) protocol: [TCP] port: [11] type: [TCP SYN/Normal scan] IP opts: [not set] ignored: [false] triggered: [true] noblock: [false] blocked: [true]",
  );
  assert.deepEqual(
    [0, 0x29, 0x2b, 1, 2, 3].map((flags) => renderFlags(flags)),
    [
      "TCP NULL scan",
      "TCP XMAS scan",
      "TCP XMAS scan",
      "TCP FIN scan",
      "TCP SYN/Normal scan",
      "Unknown Type: TCP Packet Flags: SYN: 1 FIN: 1 ACK: 0 PSH: 0 URG: 0 RST: 0",
    ],
  );
  assert.match(
    renderHistory("", SIGHTING, "a.example", 1),
    /^1795375436 - \d\d\/\d\d\/2026 \d\d:23:56 Host: a\.example\/198\.51\.100\.7 Port: 11 TCP Blocked$/,
  );
  assert.match(
    renderHistory("Scan from: x", SIGHTING, "", 2),
    /^2026-11-2\dT\d\d:\d\d:56\.041[+-]\d{4} Scan from: x$/,
  );
});

test("the blocked file of 2.x holds family and address, and is read again after a restart", (t) => {
  const path = join(scratch(t), "blocked");
  const hosts = new BlockedHosts(path, 2);
  hosts.add("198.51.100.7" as Address, "");
  hosts.add("2001:db8::7" as Address, "");
  assert.equal(readFileSync(path).toString("hex"), "0200c6336407" + "0a0020010db8000000000000000000000007");
  const again = new BlockedHosts(path, 2);
  assert.ok(again.has("198.51.100.7" as Address) && again.has("2001:db8::7" as Address));
  assert.ok(!again.has("198.51.100.8" as Address));
  writeFileSync(path, Buffer.from("0200c6336407ffff00", "hex"));
  assert.ok(new BlockedHosts(path, 2).has("198.51.100.7" as Address), "what comes before the damage counts");
  assert.ok(!new BlockedHosts("", 2).has("198.51.100.7" as Address));
});

test("a link or a pipe in the place of the blocked file is not followed", (t) => {
  const dir = scratch(t);
  const victim = join(dir, "victim");
  writeFileSync(victim, "precious");
  symlinkSync(victim, join(dir, "blocked"));
  const hosts = new BlockedHosts(join(dir, "blocked"), 2);
  assert.throws(() => hosts.add("198.51.100.7" as Address, ""), /ELOOP/);
  assert.equal(readFileSync(victim, "utf8"), "precious");
});

async function react(
  t: TestContext,
  text: string,
  sightings: readonly Sighting[],
  wording: Wording = 2,
): Promise<{ lines: string[]; dir: string }> {
  const dir = scratch(t);
  const lines: string[] = [];
  const reactor = new Reactor({
    config: config(
      `HISTORY_FILE="${dir}/history"\nBLOCKED_FILE="${dir}/blocked"\n${text.replaceAll("DIR", dir)}`,
    ),
    ignore: new PrefixSet([parsePrefix("203.0.113.0/24")!]),
    wording,
    mode: wording === 1 ? "stcp" : "stealth",
    log: (line) => lines.push(line),
    verbose: true,
    hostsDeny: join(dir, "hosts.deny"),
  });
  for (const sighting of sightings) void reactor.see(sighting);
  await reactor.settled();
  return { lines, dir };
}

test("a command that fails is told as failed, and the host is not called blocked", async (t) => {
  const { lines } = await react(
    t,
    'BLOCK_TCP="1"\nKILL_ROUTE="exit 3 # $TARGET$"\nKILL_RUN_CMD="no-such-command"',
    [SIGHTING, SIGHTING],
  );
  assert.match(lines[0]!, /was NOT dealt with by command: "exit 3 # \S+": exit status 3/);
  assert.match(lines[1]!, /no-such-command.*exit status 127/);
  assert.match(lines[2]!, /Error during target dispose/);
  assert.match(lines[3]!, /blocked: \[false\]$/);
  assert.match(lines[7]!, /blocked: \[false\]$/, "and it is tried again");
});

test("a pipe or a folder in the place of a file is told, keeps nobody waiting, and forgets nobody", async (t) => {
  const dir = scratch(t);
  const lines: string[] = [];
  const [history, blocked] = [join(dir, "history"), join(dir, "blocked")];
  const text = `HISTORY_FILE="${history}"\nBLOCKED_FILE="${blocked}"\nBLOCK_TCP="1"\nKILL_ROUTE="true $TARGET$"`;
  const reactor = new Reactor({
    config: config(text),
    ignore: new PrefixSet([]),
    wording: 2,
    mode: "stealth",
    log: (line) => lines.push(line),
  });
  await reactor.see(SIGHTING);
  unlinkSync(history);
  unlinkSync(blocked);
  assert.equal(spawnSync("mkfifo", [history]).status, 0);
  mkdirSync(blocked);
  lines.length = 0;
  await reactor.see(SIGHTING);
  await reactor.see({ ...SIGHTING, source: "198.51.100.8" as Address });
  const told = lines.map((line) =>
    line.replaceAll(dir, "").replace(/ has been blocked .*/, " has been blocked"),
  );
  assert.deepEqual(
    told.filter((line) => !line.startsWith("Scan from")),
    [
      "adminalert: ERROR: Cannot read /blocked: /blocked is no regular file; its last content counts",
      "attackalert: Host: 198.51.100.7/198.51.100.7 is already blocked Ignoring",
      "adminalert: ERROR: Cannot write /history: ENXIO: no such device or address, open '/history'",
      "attackalert: Host 198.51.100.8 has been blocked",
      "adminalert: ERROR: Cannot write /blocked: EISDIR: illegal operation on a directory, open '/blocked'",
      "adminalert: ERROR: Cannot write /history: ENXIO: no such device or address, open '/history'",
    ],
  );
});

test("a command that hangs is ended with all that it started", async (t) => {
  const dir = scratch(t);
  const step = { do: "external", command: `sleep 300 & echo $! > ${dir}/pid; wait` } as const;
  const why = await runStep(step, { timeoutMs: 1_000 });
  assert.equal(why, "not done after 1 s, and ended");
  const pid = readFileSync(join(dir, "pid"), "utf8").trim();
  await waitFor("the end of what it started", () => {
    const state = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, "latin1") : "gone";
    return state === "gone" || state.includes(") Z ");
  });
});

test("whoever ends it waits for no command that hangs, nor for those who wait behind it", async (t) => {
  const dir = scratch(t);
  const lines: string[] = [];
  const reactor = new Reactor({
    config: config(`BLOCK_TCP="1"\nKILL_ROUTE="echo $TARGET$ >> ${dir}/route; sleep 300"`),
    ignore: new PrefixSet([]),
    wording: 2,
    mode: "stealth",
    log: (line) => lines.push(line),
  });
  for (let i = 0; i < 5; i++) void reactor.see(SIGHTING);
  await waitFor("the first command", () => existsSync(join(dir, "route")));
  await reactor.end(10);
  assert.match(lines[0]!, /was NOT dealt with by command: .*: ended with portsentry$/);
  assert.equal(lines.at(-1), "adminalert: 4 probes were not dealt with any more: portsentry was ended");
  assert.equal(readFileSync(join(dir, "route"), "utf8"), "198.51.100.7\n");
});

test("a block does not wait for a name", async (t) => {
  const dir = scratch(t);
  let answer: (names: string[]) => void = () => {};
  const names = new HostNames({
    reverse: () => new Promise((resolve) => (answer = resolve)),
    lookup: async () => [{ address: SIGHTING.source }],
    lookupService: async () => ({ hostname: "" }),
  });
  const lines: string[] = [];
  const reactor = new Reactor({
    config: config(`RESOLVE_HOST="1"\nBLOCK_TCP="1"\nKILL_ROUTE="echo $TARGET$ > ${dir}/route"`),
    ignore: new PrefixSet([]),
    wording: 2,
    mode: "stealth",
    log: (line) => lines.push(line),
    names,
  });
  const seen = reactor.see(SIGHTING);
  await waitFor("the block", () => existsSync(join(dir, "route")));
  assert.deepEqual(lines, []);
  answer(["scanner.example"]);
  await seen;
  assert.match(lines[1]!, /^Scan from: \[\S+\] \(scanner\.example\) /);
});

test("one step that succeeds is a block; then the host is blocked already", async (t) => {
  const { lines, dir } = await react(
    t,
    'BLOCK_TCP="1"\nKILL_ROUTE="echo $TARGET$ >> DIR/route"\nKILL_HOSTS_DENY="ALL: $TARGET$"\nKILL_RUN_CMD="exit 1"',
    [SIGHTING, SIGHTING, { ...SIGHTING, source: "203.0.113.5" as Address }],
  );
  assert.equal(readFileSync(join(dir, "route"), "utf8"), "198.51.100.7\n");
  assert.equal(readFileSync(join(dir, "hosts.deny"), "utf8"), "ALL: 198.51.100.7\n");
  assert.equal(
    lines[1],
    `attackalert: Host 198.51.100.7 has been blocked via dropped route using command: "echo 198.51.100.7 >> ${dir}/route"`,
  );
  assert.match(lines[3]!, /blocked: \[true\]$/);
  assert.equal(lines[4], "attackalert: Host: 198.51.100.7/198.51.100.7 is already blocked Ignoring");
  assert.match(lines[5]!, /blocked: \[true\]$/);
  assert.match(lines[6]!, /^Host: 203\.0\.113\.5 found in ignore file/);
  assert.match(lines[7]!, /ignored: \[true\] triggered: \[unset\] noblock: \[unset\] blocked: \[unset\]$/);
  const history = readFileSync(join(dir, "history"), "utf8").trimEnd().split("\n");
  assert.equal(history.length, 3);
  assert.ok(history.every((line) => / Scan from: \[/.test(line)));
});

test("fail2ban finds the scanner in the history by the filter that comes with PortSentry 2.x", async (t) => {
  if (spawnSync("fail2ban-regex", ["--version"]).status !== 0)
    return t.skip("needs fail2ban-regex: apt install fail2ban");
  const { dir } = await react(t, 'BLOCK_TCP="0"', [
    SIGHTING,
    { ...SIGHTING, source: "2001:db8::7" as Address, protocol: "UDP", type: "UDP" },
  ]);
  const filter = join(dir, "filter.conf");
  writeFileSync(filter, "[Definition]\nfailregex = ^[^ ]* Scan from: \\[<HOST>\\]\n");
  const done = spawnSync("fail2ban-regex", [join(dir, "history"), filter], { encoding: "utf8" });
  assert.match(done.stdout, /Lines: 2 lines, 0 ignored, 2 matched, 0 missed/, done.stdout + done.stderr);
});

test("with the wording of 1.x the lines, the history and the blocked file are those of 1.x", async (t) => {
  const { lines, dir } = await react(
    t,
    'BLOCK_TCP="1"\nKILL_ROUTE="true $TARGET$"',
    [SIGHTING, { ...SIGHTING, ipOptions: "set" }],
    1,
  );
  assert.deepEqual(lines, [
    "attackalert: TCP SYN/Normal scan from host: 198.51.100.7/198.51.100.7 to TCP port: 11",
    'attackalert: Host 198.51.100.7 has been blocked via dropped route using command: "true 198.51.100.7"',
    "attackalert: TCP SYN/Normal scan from host: 198.51.100.7/198.51.100.7 to TCP port: 11",
    "attackalert: Packet from host: 198.51.100.7/198.51.100.7 to TCP port: 11 has IP options set (detection avoidance technique).",
    "attackalert: Host: 198.51.100.7/198.51.100.7 is already blocked Ignoring",
  ]);
  const pattern = /^1795375436 - .* Host: 198\.51\.100\.7\/198\.51\.100\.7 Port: 11 TCP Blocked\n$/;
  assert.match(readFileSync(join(dir, "history"), "utf8"), pattern);
  assert.match(readFileSync(join(dir, "blocked.stcp"), "utf8"), pattern);
});
