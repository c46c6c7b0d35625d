// The whole scene as on a host: a daemon that keeps its log open until it is told to reopen it, logrotate that renames,
// tells it and compresses, and the follower, all at once and none waiting for another.
import assert from "node:assert/strict";
import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { rig, until } from "./rig.ts";

const DAEMON = `
  import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
  const [, log, pidFile] = process.argv;
  let file = openSync(log, "a");
  let number = 0;
  // Buffered as stdio does it: a block may end in the middle of a line, and is flushed before reopening.
  let waiting = "";
  const flush = (bytes) => { if (bytes > 0) { writeSync(file, waiting.slice(0, bytes)); waiting = waiting.slice(bytes); } };
  process.on("SIGHUP", () => { flush(waiting.length); closeSync(file); file = openSync(log, "a"); });
  process.on("SIGTERM", () => { flush(waiting.length); console.log(number); process.exit(0); });
  setInterval(() => {
    for (let i = 0; i < 20; i++) waiting += "Nov 22 19:51:02 host app[7]: line " + number++ + "\\n";
    if (waiting.length > 1000) flush(waiting.length - 13);
  }, 2);
  writeFileSync(pidFile, String(process.pid));
  console.log("ready");`;

function firstLineOf(path: string): string {
  try {
    return readFileSync(path, "latin1").split("\n", 1)[0]!;
  } catch {
    return ""; // Nothing was created yet.
  }
}

const CASES: [string, string][] = [
  ["compressed at once", "compress"],
  ["compressed one rotation later", "compress\n delaycompress"],
  ["nothing compressed, nothing created", "nocreate"],
];

for (const [name, directives] of CASES) {
  test(`a daemon writing, logrotate rotating and the follower reading at once, ${name}: every line once`, async (t) => {
    if (spawnSync("logrotate", ["--version"]).error !== undefined) {
      return t.skip("needs logrotate: apt install logrotate");
    }
    const r = rig(t);
    const pidFile = join(r.dir, "pid");
    const conf = join(r.dir, "rotate.conf");
    const script = `postrotate\n  kill -HUP $(cat ${pidFile})\n endscript`;
    writeFileSync(conf, `${r.log} {\n rotate 99\n create\n ${directives}\n su root root\n ${script}\n}\n`, {
      mode: 0o644,
    });
    const follower = r.follower();
    t.after(() => follower.stop());
    await follower.start();
    const daemon = spawn(process.execPath, ["--input-type=module", "-e", DAEMON, r.log, pidFile], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    t.after(() => daemon.kill("SIGKILL"));
    let said = "";
    daemon.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    await until(() => said.includes("ready"), "the daemon runs");
    for (let round = 0; round < 6; round++) {
      const before = r.got.length;
      // What the daemon writes to a file that is compressed already is in no file: only who has it open sees it.
      await until(() => r.got.includes(firstLineOf(r.log)), "the present file is followed");
      await until(() => r.got.length > before + 200, "lines arrive");
      await promisify(execFile)("logrotate", ["-f", "-s", join(r.dir, "state"), conf]);
    }
    daemon.kill("SIGTERM");
    await once(daemon, "close");
    r.written = Number(said.trim().split("\n").at(-1));
    assert.ok(r.written > 1_000);
    await until(() => r.got.length >= r.written, "the last lines arrive");
    // Between a rename and the reopening both files may be written to: then lines of both arrive side by side.
    r.got.sort((a, b) => Number(a.split(" ").at(-1)) - Number(b.split(" ").at(-1)));
    r.complete(name);
    assert.deepEqual([...r.notices, ...r.events], []);
  });
}

test("a generation that is compressed before it is looked for is not read a second time, whatever its time was rounded to", async (t) => {
  const r = rig(t);
  r.write(400);
  const follower = r.follower({ from: "start" });
  await follower.start();
  await until(() => r.got.length === 400, "the first lines");
  const { atimeMs, mtimeMs } = statSync(r.log);
  writeFileSync(`${r.log}.1.gz`, gzipSync(readFileSync(r.log)));
  // A time in floating-point seconds comes out some hundred nanoseconds later.
  utimesSync(`${r.log}.1.gz`, atimeMs / 1_000, mtimeMs / 1_000 + 2e-6);
  unlinkSync(r.log);
  r.write(3);
  await until(() => r.got.length >= 403, "the lines after the rotation");
  await follower.stop();
  r.complete("each line once");
});
