import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { ProbeKind } from "../core/events.ts";
import { attackAlertLines, logLine, PORTS_PER_SCAN } from "./attackalert.ts";
import { everyType, HOSTILE, probe, scan, stamped, verdict } from "./fixtures/events.ts";

process.env["TZ"] = "UTC";

test("names each of the first ports of a SYN scan in PortSentry's words", () => {
  assert.deepEqual(attackAlertLines(stamped(scan("192.0.2.7", [1, 3]))), [
    "attackalert: SYN/Normal scan from host: 192.0.2.7/192.0.2.7 to TCP port: 1",
    "attackalert: SYN/Normal scan from host: 192.0.2.7/192.0.2.7 to TCP port: 3",
  ]);
});

test("gives a scan of every port a few lines, not 65,535", () => {
  const ports = Array.from({ length: 65_535 }, (_, index) => index + 1);
  assert.equal(attackAlertLines(stamped(scan("192.0.2.7", ports))).length, PORTS_PER_SCAN);
});

test("says a port once, however often it was asked", () => {
  assert.equal(attackAlertLines(stamped(scan("192.0.2.7", [80, 80, 80]))).length, 1);
});

test("has a name for every kind of probe", () => {
  const names: Record<ProbeKind, string> = {
    syn: "SYN/Normal scan from host: A to TCP port: 7",
    connect: "Connect from host: A to TCP port: 7",
    fin: "FIN scan from host: A to TCP port: 7",
    null: "NULL scan from host: A to TCP port: 7",
    xmas: "XMAS scan from host: A to TCP port: 7",
    maimon: "Maimon scan from host: A to TCP port: 7",
    ack: "ACK scan from host: A to TCP port: 7",
    flags: "Unknown Type: TCP Packet Flags: SYN|FIN from host: A to TCP port: 7",
    udp: "UDP scan from host: A to UDP port: 7",
    sctp: "SCTP scan from host: A to SCTP port: 7",
    protocol: "IP protocol scan from host: A to IP protocol: 7",
    ping: "Ping from host: A to host: 10.0.0.1",
  };
  const wire = { udp: "udp", sctp: "sctp", protocol: "ip", ping: "icmp" } as Record<
    ProbeKind,
    "udp" | "sctp" | "ip" | "icmp"
  >;
  for (const [kind, want] of Object.entries(names) as [ProbeKind, string][]) {
    const one = probe("192.0.2.7", 7, { kind, protocol: wire[kind] ?? "tcp", flags: "SYN|FIN" });
    const [said] = attackAlertLines(stamped(scan("192.0.2.7", [], { probes: [one] })));
    assert.equal(said, `attackalert: ${want.replace("host: A", "host: 192.0.2.7/192.0.2.7")}`, kind);
  }
});

test("says what happened to a host: blocked, would have been, could not be, protected, free again", () => {
  const lines = everyType().flatMap(attackAlertLines);
  assert.ok(
    lines.includes("attackalert: Host 192.0.2.7 has been blocked via nftables until Nov 22 20:01:02"),
  );
  assert.ok(lines.includes("attackalert: Host 192.0.2.8 could not be blocked: no table"));
  assert.ok(
    lines.includes("attackalert: Host 192.0.2.7 would have been blocked (observe mode): vertical scan"),
  );
  assert.ok(lines.includes("attackalert: Host 192.0.2.7 is no longer blocked (expired)"));
  assert.deepEqual(
    attackAlertLines(stamped(verdict("192.0.2.1", { guardrail: "default gateway of eth0" }))),
    ["attackalert: Host 192.0.2.1 is protected, not blocked: default gateway of eth0"],
  );
});

test("does not call a host blocked before the firewall has said so", () => {
  assert.deepEqual(attackAlertLines(stamped(verdict("192.0.2.7", { mode: "block" }))), []);
});

test("stands in a log as syslog would write it", () => {
  const alert = { at: "2026-11-02T09:05:01.000Z", text: "attackalert: x" };
  assert.equal(logLine(alert, "web1", 812), "Nov  2 09:05:01 web1 telltale[812]: attackalert: x");
  assert.equal(logLine(alert, "web1"), "Nov  2 09:05:01 web1 telltale: attackalert: x");
});

test("never lets a stranger's text start a line of its own", () => {
  fc.assert(
    fc.property(fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: "binary" })), (text) => {
      const events = [
        stamped(verdict("192.0.2.7", { because: text })),
        stamped(verdict("192.0.2.7", { guardrail: text })),
        stamped({ type: "block.failed", target: text, why: text, mend: text, findingId: "x" }),
      ];
      for (const said of events.flatMap(attackAlertLines)) {
        assert.match(said, /^attackalert: /);
        assert.doesNotMatch(said, /[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]/);
      }
    }),
  );
});
