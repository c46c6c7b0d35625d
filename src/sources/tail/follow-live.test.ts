// Following while it is written: told by the kernel where it can, by looking where it cannot.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
} from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { rig, shift, until } from "./rig.ts";

test("live: without inotify the slow poll stands in, and it is told", async (t) => {
  const unshare = ["-Ur", "sh", "-c", 'echo 0 > /proc/sys/user/max_inotify_watches && exec "$@"', "sh"];
  if (spawnSync("unshare", [...unshare, "true"]).status !== 0)
    return t.skip("needs user namespaces: unshare -Ur");
  const r = rig(t);
  const program = `
    import { followFiles } from ${JSON.stringify(new URL("./follow.ts", import.meta.url).href)};
    const say = (what) => console.log(JSON.stringify(what));
    const follower = followFiles({
      paths: [process.argv[1]], pollEveryMs: 20, cursors: { get: () => null }, emit: (body) => (say(body), body),
      commit: ({ lines }) => lines.length > 0 && say({ type: "lines", count: lines.length }),
    });
    await follower.start();
    say({ type: "ready" });`;
  const child = spawn(
    "unshare",
    [...unshare, process.execPath, "--input-type=module", "-e", program, r.log],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  t.after(() => child.kill("SIGKILL"));
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  await until(() => said.includes('"ready"'), "started");
  r.write(3);
  await until(() => said.includes('"count":3'), "read by the slow poll");
  const events = said
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { type: string; mend?: string });
  assert.deepEqual(
    events.map(({ type }) => type),
    ["part.failed", "ready", "lines"],
  );
  assert.match(events[0]?.mend ?? "", /max_user_watches/);
});

test("live: appended lines arrive by themselves, through rename, copytruncate, removal and a late start", async (t) => {
  const r = rig(t);
  const follower = r.follower({ pollEveryMs: 60_000 });
  t.after(() => follower.stop());
  await follower.start();
  const arrives = (what: string) => until(() => r.got.length === r.written, what);
  r.write(3);
  await arrives("a log that appears");
  r.write(3);
  shift(r.log, 0);
  r.write(3);
  await arrives("rename");
  r.write(3, `${r.log}.1`);
  await arrives("late lines in the renamed file");
  r.write(3);
  await arrives("before copytruncate");
  renameSync(`${r.log}.1`, `${r.log}.2`);
  copyFileSync(r.log, `${r.log}.1`);
  truncateSync(r.log, 0);
  r.write(1);
  await arrives("copytruncate");
  rmSync(r.log);
  r.write(3);
  await arrives("removed and begun anew");
  r.complete("in order");
  assert.deepEqual(r.notices, []);
});

test("live: a log that never rests keeps neither the start nor another log nor the stop waiting", async (t) => {
  const r = rig(t);
  const quiet = join(r.dir, "quiet.log");
  const seen: string[] = [];
  const follower = r.follower({
    paths: [r.log, quiet],
    cursors: { get: () => null },
    commit: ({ source, lines }) => {
      if (lines.length > 0) seen.push(source);
    },
  });
  t.after(() => follower.stop());
  const writer = spawn("sh", ["-c", `while :; do echo never resting; done >> ${r.log}`]);
  t.after(() => writer.kill("SIGKILL"));
  await until(() => existsSync(r.log) && statSync(r.log).size > 0, "the writer writes");
  await follower.start();
  assert.ok(seen.includes(r.log));
  appendFileSync(quiet, "one line\n");
  await until(() => seen.includes(quiet), "the quiet log");
  await follower.stop();
  const count = seen.length;
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(seen.length, count);
});

test("live: when batches are refused for a while, it says so once and recovers with nothing lost", async (t) => {
  const r = rig(t);
  const follower = r.follower();
  t.after(() => follower.stop());
  await follower.start();
  let refusals = 0;
  r.refuse = () => {
    refusals++;
    throw Object.assign(new Error("no space"), { mend: "free space" });
  };
  r.write(5);
  await until(() => refusals >= 2, "tried again");
  r.refuse = () => {};
  await until(() => r.got.length === r.written, "recovered");
  r.complete("all");
  await until(() => r.events.length >= 2, "both told");
  assert.deepEqual(
    r.events.map((event) => (event.type === "part.failed" ? event.mend : event.type)),
    ["free space", "part.recovered"],
  );
});

test("live: a log that is added is followed, one that is removed is not, and stop ends it", async (t) => {
  const r = rig(t);
  const follower = r.follower({ paths: [] });
  t.after(() => follower.stop());
  await follower.start();
  r.write(2);
  follower.add(r.log, "start");
  await until(() => r.got.length === 2, "added");
  follower.remove(r.log);
  r.write(2);
  await follower.poll();
  assert.equal(r.got.length, 2);
  await follower.stop();
  await r.poll();
  r.complete("its cursor stayed where it was");
});

test("live: a folder that is replaced by another is noticed by the slow poll", async (t) => {
  const r = rig(t);
  const folder = join(r.dir, "sub");
  const log = join(folder, "app.log");
  const follower = r.follower({ paths: [log], pollEveryMs: 50 });
  t.after(() => follower.stop());
  await follower.start();
  mkdirSync(folder);
  r.write(2, log);
  await until(() => r.got.length === 2, "a folder that appears");
  renameSync(folder, `${folder}.old`);
  mkdirSync(folder);
  r.write(2, log);
  await until(() => r.got.length === 4, "a folder that was replaced");
  r.complete("all");
});

test("live: the kernel tells when a folder is replaced by another, so that no poll is waited for", async (t) => {
  const r = rig(t);
  const folder = join(r.dir, "sub");
  const log = join(folder, "app.log");
  mkdirSync(folder);
  r.write(2, log);
  const follower = r.follower({ paths: [log], pollEveryMs: 600_000 });
  t.after(() => follower.stop());
  await follower.start();
  renameSync(folder, `${folder}.old`);
  mkdirSync(folder);
  r.write(2, log);
  await until(() => r.got.length === 4, "the other folder's log");
  r.write(1, log);
  await until(() => r.got.length === 5, "and what is written there later");
  r.complete("all");
});
