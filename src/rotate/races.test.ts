// Races that logrotate has lost, each with a process that really races: directories and logs exchanged under a rotation, and files
// that are wide open for an instant.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DAEMON, root, rotate, scratch } from "./attack-scene.ts";

test("a directory that a user can exchange for a link leads nowhere else", { timeout: 60_000 }, async (t) => {
  if (root !== null) return t.skip(root);
  const dir = scratch(t);
  const [home, victim] = [join(dir, "home"), join(dir, "victim")];
  mkdirSync(join(home, "logs"), { recursive: true });
  mkdirSync(victim);
  for (const path of [home, join(home, "logs")]) chownSync(path, DAEMON, DAEMON);
  const log = join(home, "logs/a.log");
  // `su root root` is what an administrator writes to be rid of the warning, and what made "logrotten" work.
  const text = `${log} {\n su root root\n rotate 3\n create 0644 daemon daemon\n compress\n missingok\n}\n`;
  // The user exchanges the directory for a link to the victim and back, as fast as the machine allows, and rests now and then:
  // some rotations take place.
  const swap = `const fs = require("node:fs");
    const [home, victim] = process.argv.slice(1);
    process.on("SIGTERM", () => process.exit(0));
    console.log("ready");
    const go = () => {
      for (let i = 0; i < 50; i++) {
        try { fs.renameSync(home + "/logs", home + "/real"); fs.symlinkSync(victim, home + "/logs"); } catch {}
        try { fs.unlinkSync(home + "/logs"); fs.renameSync(home + "/real", home + "/logs"); } catch {}
      }
      setTimeout(go, Math.random() * 8);
    };
    go();`;
  const racer = spawn(process.execPath, ["-e", swap, home, victim], {
    uid: DAEMON,
    gid: DAEMON,
    stdio: ["ignore", "pipe", "ignore"],
  });
  t.after(() => racer.kill("SIGKILL"));
  await new Promise((resolve) => racer.stdout.once("data", resolve));
  let rotated = 0;
  for (let round = 0; round < 60; round++) {
    for (const at of ["logs", "real"]) {
      try {
        if (lstatSync(join(home, at)).isDirectory()) writeFileSync(join(home, at, "a.log"), "line\n");
      } catch {
        // Exchanged between two looks.
      }
    }
    for (const name of readdirSync(victim)) rmSync(join(victim, name));
    const { summary } = await rotate(dir, text);
    rotated += summary.rotated;
    assert.deepEqual(
      readdirSync(victim).filter((name) => name !== "a.log"),
      [],
      `round ${round}`,
    );
  }
  racer.kill("SIGTERM");
  await new Promise((resolve) => racer.once("close", resolve));
  t.diagnostic(`${rotated} of 60 rotations took place, none in the victim`);
});

test("a log that a user can exchange for a link leads to nobody else's file", {
  timeout: 60_000,
}, async (t) => {
  if (root !== null) return t.skip(root);
  const dir = scratch(t);
  const [home, victim] = [join(dir, "home"), join(dir, "victim")];
  mkdirSync(home);
  chownSync(home, DAEMON, DAEMON);
  writeFileSync(victim, "precious\n", { mode: 0o600 });
  const log = join(home, "a.log");
  // The log is by turns a file of the user's, a symbolic link to the victim, a hard link to it, and gone. It is root
  // who plays the user here, for kernels where users may link to files that are not theirs (fs.protected_hardlinks = 0).
  const swap = `const fs = require("node:fs");
    const [log, victim] = process.argv.slice(1);
    process.on("SIGTERM", () => process.exit(0));
    const put = [
      () => fs.writeFileSync(log + ".new", "line\\n"),
      () => fs.symlinkSync(victim, log + ".new"),
      () => fs.writeFileSync(log + ".new", "line\\n"),
      () => fs.linkSync(victim, log + ".new"),
    ];
    console.log("ready");
    let i = 0;
    const go = () => {
      for (let n = 0; n < 9; n++, i++) {
        try { put[i % put.length](); fs.renameSync(log + ".new", log); } catch { try { fs.unlinkSync(log + ".new"); } catch {} }
        if (i % 8 === 5) try { fs.unlinkSync(log); } catch {}
      }
      setTimeout(go, Math.random() * 12);
    };
    go();`;
  const racer = spawn(process.execPath, ["-e", swap, log, victim], { stdio: ["ignore", "pipe", "ignore"] });
  t.after(() => racer.kill("SIGKILL"));
  await new Promise((resolve) => racer.stdout.once("data", resolve));
  let rotated = 0;
  for (let round = 0; round < 90; round++) {
    const manner = [
      "copytruncate",
      "create 0644 daemon daemon",
      "create\n shred\n shredcycles 1",
      "renamecopy\n create",
    ][round % 4];
    const text = `${log} {\n su root root\n rotate 2\n ${manner}\n compress\n missingok\n}\n`;
    rotated += (await rotate(dir, text)).summary.rotated;
    const { mode, uid } = statSync(victim);
    assert.deepEqual(
      [readFileSync(victim, "utf8"), mode & 0o777, uid],
      ["precious\n", 0o600, 0],
      `round ${round}, ${manner}`,
    );
  }
  racer.kill("SIGTERM");
  await new Promise((resolve) => racer.once("close", resolve));
  t.diagnostic(`${rotated} of 90 rotations took place, none in the victim`);
});

test("no new file is readable wider than it will be, for an instant", { timeout: 60_000 }, async (t) => {
  const dir = scratch(t);
  const log = join(dir, "d/a.log");
  // Looks at every file there, over and over, and tells of any that its group or others may read.
  const watch = `const fs = require("node:fs");
    const dir = process.argv[1];
    process.on("SIGTERM", () => { process.stdout.write(JSON.stringify([...seen])); process.exit(0); });
    const seen = new Set();
    const go = () => {
      for (let i = 0; i < 100; i++) for (const name of fs.readdirSync(dir)) {
        try { const { mode } = fs.lstatSync(dir + "/" + name); if (mode & 0o077) seen.add(name + " " + (mode & 0o777).toString(8)); } catch {}
      }
      setImmediate(go);
    };
    process.stderr.write("ready");
    go();`;
  const watcher = spawn(process.execPath, ["-e", watch, join(dir, "d")], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.after(() => watcher.kill("SIGKILL"));
  await new Promise((resolve) => watcher.stderr.once("data", resolve));
  const umask = process.umask(0);
  try {
    writeFileSync(log, "secret\n", { mode: 0o600 });
    for (let round = 0; round < 40; round++) {
      const manner = ["create 0600", "copytruncate", "renamecopy\n create"][round % 3];
      const { summary } = await rotate(dir, `${log} {\n rotate 3\n compress\n ${manner}\n}\n`);
      assert.equal(summary.exitStatus, 0);
    }
  } finally {
    process.umask(umask);
  }
  let said = "";
  watcher.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  watcher.kill("SIGTERM");
  await new Promise((resolve) => watcher.once("close", resolve));
  assert.equal(said, "[]");
});
