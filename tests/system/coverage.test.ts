// A reinstall has moved a web server's logs out of rotation's sight. The guard says so, and says what to do.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import type { Event } from "../../src/core/events.ts";
import { ROOT, TELLTALE } from "./lab.ts";
import { waitFor } from "./wait.ts";

const DAEMON = join(ROOT, "tests/system/chatty-daemon.ts");

// What was begun last ends first: the folder goes when nobody uses it any more.
function cleanup(t: TestContext): (work: () => unknown) => void {
  const todo: (() => unknown)[] = [];
  t.after(async () => {
    for (const work of todo.reverse()) await work();
  });
  return (work) => void todo.push(work);
}

type Later = ReturnType<typeof cleanup>;

function scratch(later: Later): { dir: string; config: string } {
  const dir = mkdtempSync(join(tmpdir(), "telltale-coverage-"));
  later(() => rmSync(dir, { recursive: true, force: true }));
  for (const name of ["log/apache2", "srv/www/logs"]) mkdirSync(join(dir, name), { recursive: true });
  const stanza = `${dir}/log/apache2/*.log {\n weekly\n rotate 4\n missingok\n}\n`;
  writeFileSync(join(dir, "logrotate.conf"), stanza, { mode: 0o644 });
  // It was rotated last week, where it used to be.
  writeFileSync(
    join(dir, "state"),
    `logrotate state -- version 2\n"${dir}/log/apache2/access.log" 2026-11-15-0:0:0\n`,
    {
      mode: 0o640,
    },
  );
  const config = join(dir, "telltale.toml");
  writeFileSync(
    config,
    `[rotate]\nconfig = ["${dir}/logrotate.conf"]\nstate = "${dir}/state"\nroots = ["${dir}/log"]\n[disk]\nevery = "1s"\n` +
      `[sentry]\nenabled = false\n[check]\nenabled = false\n[report]\nvia = "none"\n[store]\ndirectory = "${dir}/store"\n`,
    { mode: 0o644 },
  );
  return { dir, config };
}

function startGuard(later: Later, config: string): () => Event[] {
  const guard = spawn(TELLTALE, ["guard", "--json", "-c", config], { stdio: ["ignore", "pipe", "inherit"] });
  later(async () => {
    guard.kill("SIGTERM");
    if (guard.exitCode === null) await new Promise((resolve) => guard.once("exit", resolve));
  });
  let text = "";
  guard.stdout.setEncoding("utf8").on("data", (piece: string) => {
    text += piece;
  });
  return () =>
    text
      .slice(0, text.lastIndexOf("\n") + 1)
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Event);
}

const LONG_MS = 60_000;

test("a log that has moved out of its stanza's sight is named, with its writer and what to write; the stanza, too", {
  timeout: 150_000,
}, async (t) => {
  const later = cleanup(t);
  const { dir, config } = scratch(later);
  const moved = join(dir, "srv/www/logs/access_log");
  const daemon = spawn(process.execPath, [DAEMON, moved, "500", "5000"], { stdio: "ignore" });
  later(() => daemon.kill("SIGKILL"));
  await waitFor("the daemon's first lines", () => spawnSync("test", ["-s", moved]).status === 0);
  const events = startGuard(later, config);
  const named = await waitFor(
    "the moved log to be named",
    () => events().find((event) => event.type === "log.uncovered" && event.path === moved),
    LONG_MS,
  );
  assert.equal(named.type, "log.uncovered");
  if (named.type !== "log.uncovered") return;
  assert.match(named.writer, new RegExp(`\\(pid ${daemon.pid}\\)`));
  assert.match(named.mend, new RegExp(`${moved} \\{\n`));
  const stanza = await waitFor(
    "the stanza",
    () => events().find(({ type }) => type === "log.mishandled"),
    LONG_MS,
  );
  assert.match(stanza.type === "log.mishandled" ? stanza.why : "", /matches nothing any more/);
  // Check that a person sees the same, and that the stanza can be put to use as it is.
  const { stdout } = spawnSync(TELLTALE, ["rotate", "--uncovered", "--json", "-c", config], {
    encoding: "utf8",
  });
  const lines = stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, string>);
  const own = lines.find(({ path }) => path === moved)!;
  writeFileSync(join(dir, "logrotate.conf"), own["stanza"]!, { mode: 0o644 });
  const after = spawnSync(TELLTALE, ["rotate", "--uncovered", "--json", "-c", config], {
    encoding: "utf8",
  }).stdout;
  assert.ok(!after.includes(moved), "the stanza covers it");
});

for (const [where, isThere] of [
  ["where somebody else rotates", true],
  ["where there is no configuration of logrotate at all", false],
] as const) {
  test(`${where}, a log that nobody rotates is named all the same, and nothing is rotated`, {
    timeout: 150_000,
  }, async (t) => {
    const later = cleanup(t);
    const { dir, config } = scratch(later);
    writeFileSync(config, readFileSync(config, "utf8").replace("[rotate]\n", "[rotate]\nenabled = false\n"));
    if (!isThere) rmSync(join(dir, "logrotate.conf"));
    const covered = join(dir, "log/apache2/access.log");
    writeFileSync(covered, "a line\n");
    writeFileSync(join(dir, "state"), `logrotate state -- version 2\n"${covered}" 2020-1-1-0:0:0\n`);
    const moved = join(dir, "srv/www/logs/access_log");
    const daemon = spawn(process.execPath, [DAEMON, moved, "500", "5000"], { stdio: "ignore" });
    later(() => daemon.kill("SIGKILL"));
    const events = startGuard(later, config);
    await waitFor(
      "the moved log to be named",
      () => events().some((event) => event.type === "log.uncovered" && event.path === moved),
      LONG_MS,
    );
    assert.deepEqual(
      events().filter(({ type }) => type === "log.rotated" || type === "part.failed"),
      [],
    );
    assert.equal(readFileSync(covered, "utf8"), "a line\n");
  });
}

test("a log that suddenly grows far beyond its habit is told at once, with the lines it is made of", {
  timeout: 150_000,
}, async (t) => {
  const later = cleanup(t);
  const { dir, config } = scratch(later);
  const path = join(dir, "log/apache2/error.log");
  writeFileSync(path, "begin\n");
  const events = startGuard(later, config);
  let line = 0;
  const usual = setInterval(() => appendFileSync(path, `request ${++line} took ${line % 9} ms\n`), 100);
  later(() => clearInterval(usual));
  await waitFor("the guard", () => events().some(({ type }) => type === "guard.started"), LONG_MS);
  // It pours until it is told: a habit has to be known first.
  const flood = setInterval(() => {
    if (line < 120) return;
    const lines = Array.from(
      { length: 2_000 },
      (_, i) => `[error] worker ${i} cannot reach 192.0.2.${i % 250}: refused\n`,
    );
    appendFileSync(path, lines.join(""));
  }, 500);
  later(() => clearInterval(flood));
  const surge = await waitFor("the surge", () => events().find(({ type }) => type === "log.surged"), LONG_MS);
  assert.equal(surge.type, "log.surged");
  if (surge.type !== "log.surged") return;
  assert.equal(surge.path, path);
  assert.equal(surge.templates[0]!.text, "[error] worker <n> cannot reach <ip>: refused");
  assert.ok(surge.bytesPerDay >= 10 * surge.usualBytesPerDay);
});
