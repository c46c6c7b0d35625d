// The story: a guard runs; a second terminal asks what it does, changes its configuration, and ends it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import type { GuardStatus } from "../../src/app/control/types.ts";
import { startGuard } from "./guard-process.ts";
import { labObstacle, makeLab, TELLTALE } from "./lab.ts";
import { withListener } from "./split.ts";
import { waitFor } from "./wait.ts";

function scene(t: TestContext) {
  const lab = makeLab([]);
  t.after(() => lab[Symbol.dispose]());
  const config = join(lab.dir, "telltale.toml");
  const state = join(lab.dir, "state");
  const write = (more: string) =>
    writeFileSync(
      config,
      `[store]\ndirectory = "${state}"\n[check]\nenabled = false\n[rotate]\nenabled = false\n[report]\nvia = "file"\nfile = "${join(lab.dir, "reports")}"\nevery = "daily at 06:25"\n${more}`,
    );
  write("");
  const telltale = (...args: string[]) => lab.run("host", [TELLTALE, ...args, "--config", config]);
  return { lab, config, state, write, telltale };
}

for (const mode of ["one process", "two processes"] as const) {
  test(`the guard answers status, reload and stop from another terminal: ${mode}`, async (t) => {
    const obstacle = labObstacle();
    if (obstacle !== null) return t.skip(obstacle);
    const { lab, config, state, write, telltale } = scene(t);
    const guard = await startGuard(
      lab,
      ["--config", config],
      mode === "one process" ? {} : withListener(lab),
    );

    // Check that status names the parts and what comes next.
    const status = await waitFor("the socket", () => {
      const { status, stdout } = telltale("status", "--json");
      return status === 0 ? (JSON.parse(stdout) as GuardStatus) : null;
    });
    assert.ok(status.parts.some(({ part, on }) => part === "sentry" && on));
    assert.deepEqual(
      status.next.map(({ what }) => what),
      ["report"],
    );
    assert.match(telltale("status").stdout, /observing[\s\S]*report +.*daily at 06:25[\s\S]*today +0 scans/);
    assert.match(telltale("status", "--metrics").stdout, /^telltale_part_up\{part="sentry"\} 1$/m);

    // Check that a second guard over the same state is refused, and another one over another state is not.
    const second = telltale("guard");
    assert.equal(second.status, 1);
    assert.match(
      second.stderr,
      /another guard runs with the state in .*\n {4}mend: telltale status shows it/,
    );
    const otherConfig = join(lab.dir, "other.toml");
    writeFileSync(
      otherConfig,
      `[store]\ndirectory = "${join(lab.dir, "other")}"\n[check]\nenabled = false\n`,
    );
    const other = await startGuard(lab, ["--config", otherConfig]);
    await other.stop();

    // The administrator edits the configuration.
    write("[respond]\nmax_blocks = 7\n");
    const reloaded = telltale("reload");
    assert.equal(reloaded.status, 0, reloaded.stderr);
    assert.match(reloaded.stdout, /respond\.max_blocks: 100000 is now 7/);
    write('[respond]\nmode = "blok"\n');
    const refused = telltale("reload");
    assert.equal(refused.status, 1);
    assert.match(
      refused.stderr,
      /telltale\.toml:\d+: respond\.mode: wants one of observe, block[\s\S]*refused/,
    );
    write("");

    // Clients that say nothing, or never read, are in nobody's way.
    const idle = Array.from({ length: 60 }, () => connect(join(state, "control.sock")).on("error", () => {}));
    t.after(() => {
      for (const socket of idle) socket.destroy();
    });
    for (const socket of idle.slice(0, 10)) socket.pause().write('{"do":"events"}\n');
    await waitFor("an answer among idle clients", () => telltale("status").status === 0);

    // Somebody follows the events until the guard ends.
    const follower = lab.start("host", [TELLTALE, "events", "--json", "--config", config]);
    let followed = "";
    follower.stdout!.setEncoding("utf8").on("data", (text: string) => void (followed += text));
    await waitFor(
      "a followed reload",
      () => telltale("reload").status === 0 && /config\.reloaded/.test(followed),
    );

    const stopped = telltale("stop");
    assert.equal(stopped.status, 0, stopped.stderr);
    assert.match(stopped.stdout, /has ended; blocks stay in force/);
    await guard.until("guard.stopped", ({ because }) => because === "telltale stop");
    await waitFor("the follower's end", () => follower.exitCode === 0);
    const gone = telltale("status");
    assert.equal(gone.status, 69);
    assert.match(gone.stderr, /no guard answers at .*\n {4}mend: start it/);
  });
}

test("a guard that was killed is in nobody's way: the next one takes its state and its socket", async (t) => {
  const obstacle = labObstacle();
  if (obstacle !== null) return t.skip(obstacle);
  const { lab, config, telltale } = scene(t);
  const first = await startGuard(lab, ["--config", config]);
  await waitFor("the socket", () => telltale("status").status === 0);
  const watcher = lab.start("host", [TELLTALE, "status", "--watch", "--json", "--config", config]);
  let watched = "";
  let missed = "";
  watcher.stdout!.setEncoding("utf8").on("data", (text: string) => void (watched += text));
  watcher.stderr!.setEncoding("utf8").on("data", (text: string) => void (missed += text));
  await waitFor("two looks", () => watched.split("\n").length > 2);
  await first.stop("SIGKILL");
  await waitFor("the watcher to miss it", () => /no guard answers/.test(missed));
  const second = await startGuard(lab, ["--config", config]);
  await waitFor("the socket", () => telltale("status").status === 0);
  assert.ok(!second.events.some((event) => event.type === "part.failed" && event.part === "control"));
  await waitFor("the watcher to see the next one", () => watched.includes(`"pid":${second.child.pid}`));
  await second.stop();
});

test("a fault that was there at the start is told at a reload, too", async (t) => {
  const obstacle = labObstacle();
  if (obstacle !== null) return t.skip(obstacle);
  const { lab, config, write, telltale } = scene(t);
  write('[respond]\nmode = "blok"\n');
  const guard = await startGuard(lab, ["--config", config]);
  write('[respond]\nmode = "blok"\nmax_blocks = 7\n');
  const reloaded = await waitFor("the socket", () => {
    const ran = telltale("reload");
    return ran.status === 0 ? ran : null;
  });
  assert.match(reloaded.stdout, /max_blocks: 100000 is now 7/);
  assert.match(reloaded.stderr, /^still: .*telltale\.toml:\d+: respond\.mode: wants one of/m);
  assert.match(telltale("status").stdout, /respond\.mode: wants one of/);
  await guard.stop();
});

test("a control socket that cannot be made is told, and the guard guards on", async (t) => {
  const obstacle = labObstacle();
  if (obstacle !== null) return t.skip(obstacle);
  const { lab, config, write } = scene(t);
  mkdirSync(join(lab.dir, "in-the-way"));
  write(`[guard]\ncontrol_socket = "${join(lab.dir, "in-the-way")}"\n`);
  const guard = await startGuard(lab, ["--config", config]);
  const { why } = await guard.until("part.failed", ({ part }) => part === "control");
  assert.match(why, /in-the-way: is there already and is no socket/);
  await guard.stop();
});

test("a person who is not root and in no group is told how to ask", (t) => {
  const obstacle = labObstacle("setpriv");
  if (obstacle !== null) return t.skip(obstacle);
  const status = spawnSync(
    "setpriv",
    ["--reuid=65534", "--regid=65534", "--clear-groups", TELLTALE, "status"],
    {
      encoding: "utf8",
      env: { ...process.env, HOME: "/nonexistent" },
    },
  );
  assert.equal(status.status, 69);
  assert.match(status.stderr, /telltale status: .*\n {4}mend: /);
});

test("a member of the control group reads the status of a guard whose state is closed to them, and changes nothing", async (t) => {
  const obstacle = labObstacle("setpriv");
  if (obstacle !== null) return t.skip(obstacle);
  const { lab, config, write, telltale } = scene(t);
  const options = withListener(lab);
  // Of group nogroup, by number.
  write(`[guard]\ncontrol_socket = "${join(lab.dir, "run/control.sock")}"\ncontrol_group = "65534"\n`);
  const guard = await startGuard(lab, ["--config", config], options);
  const asMember = { ...options, as: ["setpriv", "--reuid=64000", "--regid=65534", "--clear-groups"] };
  const ask = (...words: string[]) => lab.run("host", [TELLTALE, ...words, "--config", config], asMember);
  const { stdout } = await waitFor("the status", () => {
    const answer = ask("status");
    return answer.status === 0 ? answer : null;
  });
  assert.match(stdout, /listener +user telltale, process \d+/);
  for (const what of ["reload", "stop"]) {
    const { status, stderr } = ask(what);
    assert.equal(status, 69);
    const refusal = `telltale ${what}: only root may ${what} the guard\n    mend: sudo telltale ${what}\n`;
    assert.equal(stderr, refusal);
  }
  // A word that means nothing to a command is a mistake, and not passed over.
  const mistaken = telltale("stop", "now");
  assert.equal(mistaken.status, 64);
  assert.match(mistaken.stderr, /^telltale stop: takes no operands, found "now"\n {4}mend: /);
  await guard.stop();
});
