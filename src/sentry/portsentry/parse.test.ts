import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import test from "node:test";
import { parseIgnoreFile, parsePortRanges, parsePortsentryConfig } from "./parse.ts";

test("reads the file that Debian ships without a fault", (t) => {
  const file = "/etc/portsentry/portsentry.conf";
  if (!existsSync(file)) return t.skip("needs portsentry.conf: apt install portsentry");
  const { config, faults } = parsePortsentryConfig(file, readFileSync(file, "utf8"));
  assert.deepEqual(faults, []);
  assert.ok(config.tcpPorts.length > 0 && config.udpPorts.length > 0);
  assert.equal(config.scanTrigger, 0);
});

test("reads 1.x and 2.x values", () => {
  const { config, faults } = parsePortsentryConfig(
    "p.conf",
    `TCP_PORTS="1,11,20-25"
RESOLVE_HOST = "1"
BLOCK_TCP="2"
KILL_RUN_CMD="/bin/echo $TARGET$ $PORT$"
SCAN_TRIGGER="2"
PORT_BANNER=""
`,
  );
  assert.deepEqual(faults, []);
  assert.deepEqual(config.tcpPorts, [
    { low: 1, high: 1 },
    { low: 11, high: 11 },
    { low: 20, high: 25 },
  ]);
  assert.equal(config.resolveHost, true);
  assert.equal(config.blockTcp, 2);
  assert.equal(config.killRunCmd, "/bin/echo $TARGET$ $PORT$");
  assert.equal(config.scanTrigger, 2);
});

test("a faulty line costs that line and names what was found", () => {
  const { config, faults } = parsePortsentryConfig(
    "p.conf",
    'TCP_PORTS="1,70000"\nCOLOUR="red"\n__proto__="1"\nBLOCK_TCP="9"\nnonsense\nUDP_PORTS="7"\n',
  );
  assert.deepEqual(
    faults.map((fault) => [fault.line, fault.key]),
    [
      [1, "TCP_PORTS"],
      [2, "COLOUR"],
      [3, "__proto__"],
      [4, "BLOCK_TCP"],
      [5, ""],
    ],
  );
  assert.match(faults[0]!.message, /found "70000"/);
  assert.deepEqual(config.tcpPorts, [{ low: 1, high: 1 }], "the others are watched");
  assert.deepEqual(config.udpPorts, [{ low: 7, high: 7 }]);
});

test("a line that both generations read differently is read as the one that is asked for reads it", () => {
  const cases: [string, string | null, string | null][] = [
    ['KILL_ROUTE="a"\nKILL_ROUTE="b"', "a", "b"],
    ['KILL_ROUTE="a', "a", null],
    ['KILL_ROUTE "a"', "a", null],
    ['KILL_ROUTE="a" # b "c"', "a", "a"],
    ["KILL_ROUTE=a", null, null],
    [' KILL_ROUTE="a"', null, null],
    ['kill_route="a"', null, null],
    ['KILL_ROUTE = "a"\r', "a", "a"],
  ];
  for (const [text, first, second] of cases) {
    for (const [wording, expected] of [
      [1, first],
      [2, second],
    ] as const) {
      const { config, faults } = parsePortsentryConfig("p.conf", text, wording);
      assert.equal(config.killRoute, expected ?? "", `${wording}: ${text}`);
      assert.equal(faults.length > 0, expected === null || (wording === 1 && /\n/.test(text)), text);
    }
  }
});

test("a command that its own quotes cut short is told, a comment behind it is not", () => {
  for (const wording of [1, 2] as const) {
    const { config, faults } = parsePortsentryConfig("p.conf", 'KILL_ROUTE="sh -c "a $TARGET$""', wording);
    assert.equal(config.killRoute, "sh -c ", "as both generations read it");
    assert.match(faults[0]!.message, /^ends at the second quote, found "a \$TARGET\$/);
    assert.deepEqual(parsePortsentryConfig("p.conf", 'KILL_RUN_CMD="a" # "b"', wording).faults, []);
  }
});

test("a byte order mark and the line ends of other systems are no fault", () => {
  const { config, faults } = parsePortsentryConfig("p.conf", '\uFEFFTCP_PORTS="1"\r\nBLOCK_TCP="1"\r\n', 2);
  assert.deepEqual(faults, []);
  assert.deepEqual([config.tcpPorts, config.blockTcp], [[{ low: 1, high: 1 }], 1]);
});

test("port lists refuse what is no port", () => {
  for (const bad of ["0", "65536", "5-1", "1-2-3", "x", "1;2", "-1"])
    assert.equal(parsePortRanges(bad), null, bad);
  assert.deepEqual(parsePortRanges(""), []);
});

test("the ignore file gives prefixes; 0.0.0.0 is one address, not all of them", () => {
  const { prefixes, faults } = parseIgnoreFile(
    "i",
    "127.0.0.1/32\n0.0.0.0\n2001:db8::/64 # office\nhost.example\n",
  );
  assert.deepEqual(
    prefixes.map((prefix) => `${prefix.base}/${prefix.bits}`),
    ["127.0.0.1/32", "0.0.0.0/32", "2001:db8::/64"],
  );
  assert.equal(faults[0]!.line, 4);
});
