// A daemon writes numbered lines while its log is rotated by renaming and by copying, and while the guard is stopped,
// killed and started again. Check that every line was classified exactly once.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import test from "node:test";
import { startGuard } from "./guard-process.ts";
import { labObstacle, makeLab } from "./lab.ts";
import { listenerOf, withListener } from "./split.ts";
import { waitFor } from "./wait.ts";

for (const mode of ["two processes", "one process"] as const) {
  test(`every line is classified exactly once, by a guard of ${mode}`, {
    skip: labObstacle("logrotate") ?? false,
  }, async () => {
    using lab = makeLab([]);
    const options = mode === "two processes" ? withListener(lab) : {};
    const log = join(lab.dir, "log/app.log");
    const rules = join(lab.dir, "logcheck");
    mkdirSync(join(lab.dir, "log"), { mode: 0o755 });
    for (const folder of [
      "violations.d",
      "violations.ignore.d",
      "cracking.d",
      "ignore.d.server",
      "ignore.d.paranoid",
      "ignore.d.workstation",
    ]) {
      mkdirSync(join(rules, folder), { recursive: true });
    }
    writeFileSync(join(rules, "violations.d/app"), "app\\[[0-9]+\\]: event [0-9]+$\n");
    writeFileSync(join(rules, "logcheck.logfiles"), `${log}\n`);
    writeFileSync(log, "");
    const config = join(lab.dir, "telltale.toml");
    writeFileSync(
      config,
      `[store]\ndirectory = "${lab.dir}/state"\n[sentry]\nenabled = false\n[rotate]\nenabled = false\n[report]\nvia = "none"\n[check]\nrules = "${rules}"\njournal = "off"\n`,
    );
    const rotate = (how: string) => {
      const conf = join(lab.dir, "logrotate.conf");
      writeFileSync(conf, `${log} {\n rotate 20\n ${how}\n}\n`, { mode: 0o644 });
      execFileSync("logrotate", ["-f", "-s", join(lab.dir, "logrotate.state"), conf]);
    };
    let written = 0;
    const write = (count: number) => {
      let text = "";
      for (let i = 0; i < count; i++) text += `Nov 22 12:00:00 host app[7]: event ${++written}\n`;
      appendFileSync(log, text);
    };
    const seen = () => {
      const database = new DatabaseSync(join(lab.dir, "state/telltale.db"), { readOnly: true });
      try {
        return database
          .prepare("SELECT json FROM events WHERE type = 'line.found' ORDER BY seq")
          .all()
          .map((row) =>
            Number(/event (\d+)/.exec((JSON.parse(String(row["json"])) as { line: string }).line)![1]),
          );
      } finally {
        database.close();
      }
    };
    const caughtUp = (what: string) => waitFor(`the guard to read ${what}`, () => seen().length >= written);

    let guard = await startGuard(lab, ["--config", config], options);
    write(500);
    await caughtUp("what is appended");

    // Renamed while lines are still unread, then written on under the old name.
    write(700);
    rotate("create");
    write(300);
    await caughtUp("across a rename");

    // Rotated twice before the guard looks.
    const reader = mode === "two processes" ? listenerOf(guard) : guard.child.pid!;
    process.kill(reader, "SIGSTOP");
    write(250);
    rotate("create");
    write(250);
    rotate("create");
    write(250);
    process.kill(reader, "SIGCONT");
    await caughtUp("two rotations in one go");

    // Copied and truncated, while the writer pauses and the reader has caught up: what copytruncate itself can keep.
    rotate("copytruncate");
    write(400);
    await caughtUp("across copytruncate");

    // Stopped, written to, rotated, started.
    await guard.stop();
    write(350);
    rotate("create");
    write(350);
    guard = await startGuard(lab, ["--config", config], options);
    await caughtUp("what came while it was down");

    // Killed without notice, in the middle of reading.
    for (let round = 0; round < 3; round++) {
      write(2_000);
      await waitFor("it to begin", () => seen().length > written - 2_000 || guard.child.exitCode !== null);
      guard.child.kill("SIGKILL");
      await waitFor("its end", () => guard.child.exitCode !== null || guard.child.signalCode !== null);
      write(500);
      rotate(round === 1 ? "create\ncompress" : "create");
      guard = await startGuard(lab, ["--config", config], options);
    }
    await caughtUp("what came around a kill -9");
    await guard.stop();

    const numbers = seen();
    assert.equal(numbers.length, written);
    assert.deepEqual(
      [...numbers].sort((a, b) => a - b),
      Array.from({ length: written }, (_, i) => i + 1),
    );
  });
}
