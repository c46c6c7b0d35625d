// A night's capture holds a scan. Check that the sentry finds it in the recording, and saves the packets behind it; and that
// it says what is wrong with a recording, or with the place for the packets, and never loses the recording itself.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { labObstacle, makeLab, TELLTALE } from "./lab.ts";
import { waitFor } from "./wait.ts";

/** A recorded packet of which no more than 30 bytes were kept. */
function cutPacket(record: Buffer): Buffer {
  const kept = Buffer.from(record.subarray(0, 16 + 30));
  kept.writeUInt32LE(30, 8);
  return kept;
}

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

  const sentry = (...args: string[]) => spawnSync(TELLTALE, ["sentry", ...args], { encoding: "utf8" });
  const damaged = sentry("--pcap", TELLTALE);
  assert.equal(damaged.status, 1);
  assert.match(damaged.stderr, /mend: give a pcap or pcapng file/);

  // tcpdump was ended in the middle of a packet: what came before is told all the same.
  const whole = readFileSync(night);
  const cut = join(lab.dir, "cut.pcap");
  writeFileSync(cut, whole.subarray(0, 24 + 20 * 74 + 30));
  const half = sentry("--pcap", cut, "--json", stranger.host4);
  assert.equal(half.status, 1);
  assert.match(half.stdout, new RegExp(`"source":"${stranger.v4}"`));
  assert.match(
    half.stderr,
    /cut\.pcap: at byte \d+: the recording ends within a packet \(what comes before was read\)/,
  );
  assert.equal(half.stderr.split("cut.pcap").length, 2, "named once");

  const elsewhere = sentry("--pcap", night, "203.0.113.9");
  assert.match(elsewhere.stderr, /0 probes, 0 scans, \d+ packets for others\.$/m);

  const config = join(lab.dir, "telltale.toml");
  writeFileSync(config, `[sentry]\nignore = ["${stranger.v4}"]\n`);
  const ignored = sentry("--pcap", night, "--config", config, stranger.host4);
  assert.equal(ignored.status, 0);
  assert.match(ignored.stderr, / 0 probes, 0 scans, .*\d+ packets ignored as configured\.$/m);
  writeFileSync(config, "[sentry]\nratio = 0\n");
  const faulty = sentry("--pcap", night, "--config", config, stranger.host4);
  assert.equal(faulty.status, 1, "what is faulty is told, the rest is done, and the status shows it");
  assert.match(faulty.stderr, /telltale\.toml:2: sentry\.ratio: .*\n {4}mend: .*\n.* 1 scan/s);

  // Wireless frames, and packets that were cut too short.
  const other = Buffer.from(whole);
  other.writeUInt32LE(105, 20);
  writeFileSync(cut, other);
  const wireless = sentry("--pcap", cut);
  assert.equal(wireless.status, 1);
  assert.match(
    wireless.stderr,
    /\d+ of link type 105, which is not known here\.\n.*mend: record at the guarded host/s,
  );
  writeFileSync(cut, Buffer.concat([whole.subarray(0, 24), cutPacket(whole.subarray(24, 24 + 16 + 60))]));
  assert.match(
    sentry("--pcap", cut).stderr,
    /^1 packet, 0 probes, 0 scans, 1 not decoded \(1 truncated\)\.$/m,
  );

  symlinkSync(night, join(lab.dir, "same.pcap"));
  for (const path of [night, join(lab.dir, "same.pcap")]) {
    const over = sentry("--pcap", night, "--write", path);
    assert.equal(over.status, 1);
    assert.match(over.stderr, /is the recording that --pcap reads\n {4}mend: name another file/);
  }
  assert.deepEqual(readFileSync(night), whole, "the recording is as it was");

  for (const [args, why] of [
    [
      ["--pcap", night, "--write", join(lab.dir, "not/there.pcap")],
      /--write .*not\/there\.pcap: ENOENT.*\n {4}mend: /,
    ],
    [["--pcap", night, "--write", "/dev/full"], /--write \/dev\/full: ENOSPC.*\n {4}mend: /],
    [["--pcap", "-"], /found standard input\n {4}mend: recordings are read twice/],
    [["--pcap", lab.dir], /wants a file, found a folder\n {4}mend: /],
    [["--pcap", join(lab.dir, "none.pcap")], /none\.pcap: ENOENT.*\n {4}mend: /],
    [["--write", join(lab.dir, "not/there.pcap")], /--write .*ENOENT.*\n {4}mend: /],
  ] as const) {
    const refused = sentry(...args);
    assert.equal(refused.status, 1, args.join(" "));
    assert.match(refused.stderr, why);
    assert.doesNotMatch(refused.stderr, /\n +at /, "no stack trace");
  }
  const named = sentry("--pcap", night, "-i", "eth0");
  assert.equal(named.status, 64);
  assert.match(named.stderr, /--interface is for watching live.*\n {4}mend: /);
  const full = spawnSync("sh", ["-c", 'exec "$@" > /dev/full', "sh", TELLTALE, "sentry", "--pcap", night], {
    encoding: "utf8",
  });
  assert.equal(full.status, 74);
  assert.match(full.stderr, /^telltale: lines for standard output are lost: ENOSPC.*\n {4}mend: /m);
  assert.match(full.stderr, / probes, 1 scan/);
  const live = sentry(stranger.host4);
  assert.equal(live.status, 64);
  assert.match(live.stderr, /ADDRESS is for recordings.*\n {4}mend: /);
});
