// Somebody watches one interface in the foreground, and reads what a stranger does there. Check that the other interface is left
// alone, and that Ctrl-C ends it with a summary.
import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import test from "node:test";
import { labObstacle, makeLab, TELLTALE } from "./lab.ts";
import { synScan } from "./nmap.ts";
import { waitFor } from "./wait.ts";

type Told = { type: string; scan?: { source: string; probes: { interface: string }[] } };

test("telltale sentry -i watches what it names and nothing else, until it is interrupted", {
  skip: labObstacle("nmap") ?? false,
}, async () => {
  using lab = makeLab(["stranger", "neighbour"]);
  const [stranger, neighbour] = lab.clients as [(typeof lab.clients)[0], (typeof lab.clients)[0]];
  const told: Told[] = [];
  const sentry = lab.start("host", [TELLTALE, "sentry", "--json", "-i", "v0", "--interface=nosuch0"]);
  createInterface({ input: sentry.stdout! }).on("line", (line) => told.push(JSON.parse(line)));
  let said = "";
  sentry.stderr!.on("data", (data) => (said += data));
  await waitFor("the sentry", () => said.includes("Ctrl-C ends"));
  assert.match(
    said,
    /^v0, nosuch0 \(not there yet\): \d+ TCP and \d+ UDP ports in use, all others watched\. Ctrl-C ends\.$/m,
  );

  const scans = () => told.filter(({ type }) => type === "scan.detected").map(({ scan }) => scan!);
  const interfaces = (source: string) => scans().find((scan) => scan.source === source)?.probes[0]?.interface;
  lab.run("neighbour", synScan(neighbour.host4, "100-110"));
  lab.run("stranger", synScan(stranger.host4, "100-110"));
  await waitFor("the stranger's scan", () => interfaces(stranger.v4) === "v0");
  assert.equal(told[0]!.type, "part.failed", "nosuch0 is told");
  assert.deepEqual(new Set(scans().map(({ source }) => source)), new Set([stranger.v4]));

  let status: number | null = null;
  sentry.on("exit", (code) => (status = code));
  lab.run("host", ["sh", "-c", 'kill -INT "$1"', "sh", String(sentry.pid)]);
  await waitFor("its end", () => status !== null);
  assert.equal(status, 0);
  assert.match(said, /^\d+ packets looked at, 0 lost\.$/m);
});
