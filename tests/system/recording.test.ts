// A night's capture holds a scan. Check that the sentry finds it in the recording, and saves the packets behind it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { labObstacle, makeLab, TELLTALE } from "./lab.ts";
import { waitFor } from "./wait.ts";

test("finds a scan in a recording and saves its evidence", {
  skip: labObstacle("nmap", "tcpdump") ?? false,
}, async () => {
  using lab = makeLab(["stranger"]);
  const [stranger] = lab.clients as [(typeof lab.clients)[0]];
  const night = join(lab.dir, "night.pcap");
  const recorder = lab.start("host", [
    "tcpdump",
    "--immediate-mode",
    "-Z",
    "root",
    "-i",
    "v0",
    "-U",
    "-w",
    night,
    "ip",
  ]);
  let said = "";
  recorder.stderr!.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  await waitFor("tcpdump", () => said.includes("listening on"));
  lab.run("stranger", [
    "nmap",
    "-sS",
    "-Pn",
    "-n",
    "-p",
    "1-60",
    "--max-retries",
    "0",
    "--max-rate",
    "100",
    stranger.host4,
  ]);
  await waitFor("the recording to grow", () => statSync(night).size > 40 * 70);
  recorder.kill("SIGINT");
  await waitFor("tcpdump to end", () => recorder.exitCode !== null);

  const evidence = join(lab.dir, "evidence.pcap");
  const found = spawnSync(
    TELLTALE,
    ["sentry", "--pcap", night, "--write", evidence, "--json", stranger.host4],
    { encoding: "utf8" },
  );
  assert.equal(found.status, 0, found.stderr);
  const scans = found.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { at: string; scan: { source: string } });
  assert.ok(scans.length > 0 && scans.every(({ scan }) => scan.source === stranger.v4), found.stdout);
  const listed = spawnSync("tcpdump", ["-n", "-r", evidence], { encoding: "utf8" }).stdout;
  assert.match(
    listed,
    new RegExp(
      `IP ${stranger.v4.replaceAll(".", "\\.")}\\.\\d+ > ${stranger.host4.replaceAll(".", "\\.")}\\.\\d+: Flags \\[S\\]`,
    ),
  );

  const damaged = spawnSync(TELLTALE, ["sentry", "--pcap", TELLTALE], { encoding: "utf8" });
  assert.equal(damaged.status, 1);
  assert.match(damaged.stderr, /mend: give a pcap or pcapng file/);
});
