// Which files are opened for a listener that may be in a stranger's hands, and who owns what it works in.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chownSync,
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { Refused } from "../../warden/server.ts";
import { openNamedLog } from "./log-desk.ts";
import { handOverStore, takeBackFolders } from "./store-owner.ts";

function scratch(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "telltale-desk-"));
  t.after(() => rmSync(dir, { recursive: true }));
  return dir;
}

test("a named log and its generations are opened, whatever else lies beside them is not", (t) => {
  const dir = scratch(t);
  const log = join(dir, "auth.log");
  for (const name of [
    "auth.log",
    "auth.log.1",
    "auth.log.2.gz",
    "auth.log-20261122",
    "auth.log.bak",
    "secret",
  ])
    writeFileSync(join(dir, name), name);
  symlinkSync(join(dir, "secret"), join(dir, "auth.log.3"));
  mkdirSync(join(dir, "auth.log.4"));
  spawnSync("mkfifo", [join(dir, "auth.log.5")]);
  for (const name of ["auth.log", "auth.log.1", "auth.log.2.gz", "auth.log-20261122"]) {
    const fd = openNamedLog(join(dir, name), [log]);
    assert.equal(readFileSync(fd, "utf8"), name);
    closeSync(fd);
  }
  for (const name of ["auth.log.bak", "secret", "../secret", "sub/auth.log", "", "auth.log.4", "auth.log.5"])
    assert.throws(() => openNamedLog(join(dir, name), [log]), Refused, name);
  assert.throws(() => openNamedLog(`${dir}/sub/../auth.log`, [log]), Refused);
  assert.throws(() => openNamedLog("auth.log", ["auth.log"]), Refused);
  // A link where a generation should be is not followed.
  assert.throws(() => openNamedLog(join(dir, "auth.log.3"), [log]), /ELOOP/);
});

test("a link that root made in the place of a log leads to its target, and a stranger's does not", (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root");
  const dir = scratch(t);
  writeFileSync(join(dir, "target.log"), "target");
  symlinkSync(join(dir, "target.log"), join(dir, "app.log"));
  closeSync(openNamedLog(join(dir, "target.log"), [join(dir, "app.log")]));
  spawnSync("chown", ["-h", "65534", join(dir, "app.log")]);
  assert.throws(() => openNamedLog(join(dir, "target.log"), [join(dir, "app.log")]), Refused);
});

test("the history is handed over, root's own files are not, and no link is followed", (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root");
  const dir = scratch(t);
  const state = join(dir, "state");
  const account = { uid: 64_931, gid: 64_931, groups: [] };
  mkdirSync(join(state, "spool"), { recursive: true });
  for (const name of [
    "telltale.db",
    "telltale.db-wal",
    "panic",
    "rotate.state",
    "spool/a.json",
    "guard.lock",
  ])
    writeFileSync(join(state, name), name);
  writeFileSync(join(dir, "elsewhere"), "root's");
  symlinkSync(join(dir, "elsewhere"), join(state, "telltale.db-shm"));
  linkSync(join(dir, "elsewhere"), join(state, "telltale.db-journal"));
  for (let again = 0; again < 2; again++) {
    handOverStore(join(state, "telltale.db"), ["spool", "code"], account);
    const owner = (name: string) => lstatSync(join(state, name)).uid;
    for (const name of ["telltale.db", "telltale.db-wal", "spool", "spool/a.json", "code"])
      assert.equal(owner(name), account.uid, name);
    for (const name of ["panic", "rotate", "rotate/state", "guard.lock"]) assert.equal(owner(name), 0, name);
    assert.equal(statSync(join(dir, "elsewhere")).uid, 0);
    assert.equal(statSync(state).mode & 0o7777, 0o1770);
    assert.ok(!existsSync(join(state, "rotate.state")));
  }
  takeBackFolders(join(state, "telltale.db"), ["spool", "nothing"]);
  assert.equal(lstatSync(join(state, "spool")).uid, 0, "one process again, as root");
  // What the listener plants is not obeyed: neither as rotation's state, nor as root's folder.
  writeFileSync(join(state, "rotate.state.journal"), "rename everything");
  chownSync(join(state, "rotate.state.journal"), account.uid, account.gid);
  handOverStore(join(state, "telltale.db"), ["spool", "code"], account);
  assert.ok(!existsSync(join(state, "rotate/state.journal")));
  chownSync(join(state, "rotate"), account.uid, account.gid);
  assert.throws(() => handOverStore(join(state, "telltale.db"), [], account), /is not root's alone/);
});
