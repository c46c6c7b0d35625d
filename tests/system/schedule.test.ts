// The story: a report was due while the host was off. It goes out when the guard is back, once, and rotation keeps its time.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { openStore } from "../../src/store/store.ts";
import { startGuard } from "./guard-process.ts";
import { labObstacle, makeLab } from "./lab.ts";
import { waitFor } from "./wait.ts";

const HOUR_MS = 3_600_000;

test("what fell due while nothing ran is made up for once, and nothing is done before its time", async (t) => {
  const obstacle = labObstacle();
  if (obstacle !== null) return t.skip(obstacle);
  using lab = makeLab([]);
  const state = join(lab.dir, "state");
  const reports = join(lab.dir, "reports");
  const log = join(lab.dir, "app.log");
  const config = join(lab.dir, "telltale.toml");
  mkdirSync(state);
  writeFileSync(log, "a line\n");
  writeFileSync(join(lab.dir, "rotate.conf"), `${log} {\n  rotate 3\n  size 1k\n}\n`);
  // Both were due within the last hour, and are due again tomorrow only.
  const due = new Date(Date.now() - HOUR_MS / 2);
  const at = `daily at ${due.toTimeString().slice(0, 5)}`;
  writeFileSync(
    config,
    [
      `[store]\ndirectory = "${state}"`,
      `[check]\nenabled = false\n[sentry]\nenabled = false`,
      `[rotate]\nconfig = ["${join(lab.dir, "rotate.conf")}"]\nstate = "${join(lab.dir, "rotate.state")}"\nevery = "${at}"`,
      `[report]\nvia = "file"\nfile = "${reports}"\nevery = "${at}"`,
      "",
    ].join("\n"),
  );
  {
    using store = openStore(join(state, "telltale.db"));
    store.append({
      v: 1,
      id: "0",
      host: "h",
      at: new Date(Date.now() - HOUR_MS).toISOString(),
      type: "line.found",
      layer: "cracking",
      source: "/var/log/auth.log",
      line: "Nov 22 10:00:00 h evil: the line of yesterday",
    });
    store.marks.set("schedule.report", new Date(Date.now() - 20 * HOUR_MS).toISOString());
  }
  const lastLook = join(lab.dir, "rotate.state.last-look");

  // The guard comes back: the report goes out at once; rotation was never done by it, and waits for its time.
  const guard = await startGuard(lab, ["--config", config]);
  await guard.until("report.delivered");
  assert.match(readFileSync(reports, "utf8"), /the line of yesterday/);
  // A log that grows too large does not wait for it.
  writeFileSync(log, "x".repeat(4_000));
  await guard.until("log.rotated");
  assert.ok(!existsSync(lastLook), "rotation did not wait for its time");
  await guard.stop();

  // It is restarted: the report is not sent again. Rotation, that was missed since its last look, is made up for.
  writeFileSync(lastLook, "");
  const yesterday = new Date(Date.now() - 20 * HOUR_MS);
  utimesSync(lastLook, yesterday, yesterday);
  const stale = join(lab.dir, "stale.log");
  writeFileSync(stale, "yesterday\n");
  writeFileSync(join(lab.dir, "rotate.conf"), `${stale} {\n  rotate 3\n  daily\n}\n`);
  writeFileSync(
    join(lab.dir, "rotate.state"),
    `logrotate state -- version 2\n"${stale}" ${yesterday.getFullYear() - 1}-1-1-0:0:0\n`,
  );
  const again = await startGuard(lab, ["--config", config]);
  await again.until("log.rotated");
  await waitFor("the look to be remembered", () => lookedAfter(lastLook, due));
  assert.ok(!again.events.some(({ type }) => type === "report.delivered"), "the report went out twice");
  await again.stop();
});

function lookedAfter(file: string, due: Date): boolean {
  return statSync(file).mtime > due;
}
