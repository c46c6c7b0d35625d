import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  parseChronySources,
  parseHosts,
  parseIgnoreFile,
  parseIgnoreIp,
  parseLease,
  parseLogins,
  parseNtpPeers,
  parseResolvers,
  parseRoutes4,
  parseRoutes6,
  parseSockets,
  parseSshConnection,
  parseSshPorts,
  parseTimeServers,
} from "./parse.ts";

test("sshd's ports are read in every form sshd_config(5) allows", () => {
  assert.deepEqual(
    parseSshPorts(
      'Port 2222\nport=2223\n  Port "2224"\nListenAddress 0.0.0.0:2225\nListenAddress [::]:2226\nListenAddress ::1\nListenAddress host\n#Port 1\nPort 99999\nPort x\n',
    ),
    [2222, 2223, 2224, 2225, 2226],
  );
});

test("the client's address is taken from SSH_CONNECTION only when it is one", () => {
  assert.equal(parseSshConnection("203.0.113.9 50022 192.0.2.5 22"), "203.0.113.9");
  assert.equal(parseSshConnection("fe80::5%eth0 50022 fe80::1%eth0 22"), "fe80::5");
  assert.equal(parseSshConnection("UNKNOWN 65535 UNKNOWN 65535"), null);
});

test("no parser throws, whatever a file holds", () => {
  const junk = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string(),
    fc
      .array(
        fc.constantFrom(
          "nameserver ",
          "option ",
          "routers ",
          "eth0\t",
          "00000000\t",
          " 0: ",
          ":",
          "\n",
          "01",
          "g",
          "__proto__=",
        ),
      )
      .map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(junk, (text) => {
      parseSockets(text, true, () => true);
      parseRoutes4(text, true);
      parseRoutes6(text);
      parseResolvers(text);
      parseLease(text);
      parseTimeServers(text);
      parseChronySources(text);
      parseNtpPeers(text);
      parseIgnoreIp(text);
      parseHosts(text, "g");
      parseSshPorts(text);
      parseSshConnection(text);
      parseIgnoreFile(text);
      parseLogins(Buffer.from(text.repeat(50)), 0);
    }),
    { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 300) },
  );
});

test("a name of /etc/hosts has the addresses that stand before it", () => {
  const hosts =
    "127.0.0.1 localhost\n192.0.2.9\tgw.example.org gw # the office\n2001:db8::9 GW.example.org\n#192.0.2.8 gw\n";
  assert.deepEqual(parseHosts(hosts, "gw.example.org."), ["192.0.2.9", "2001:db8::9"]);
  assert.deepEqual(parseHosts(hosts, "gw"), ["192.0.2.9"]);
  assert.deepEqual(parseHosts(hosts, "office"), []);
});
