// The guard as two processes keeps a limit: the unprivileged half tells, root's jobs look and make room.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import test from "node:test";
import { startGuard } from "./guard-process.ts";
import { labObstacle, makeLab } from "./lab.ts";
import { withListener } from "./split.ts";
import { waitFor } from "./wait.ts";

const skip = labObstacle("mount") ?? false;
const MB = 1024 * 1024;

test("two processes name a log that nobody rotates, and make room for a limit", {
  skip,
  timeout: 120_000,
}, async (t) => {
  using lab = makeLab(["client"]);
  const disk = mkdtempSync(join(tmpdir(), "telltale-split-disk-"));
  t.after(() => {
    spawnSync("umount", ["-l", disk]);
    rmSync(disk, { recursive: true, force: true });
  });
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=24m,mode=755", "tmpfs", disk]).status !== 0)
    return t.skip("needs mount: apt install mount");
  const logs = join(disk, "log");
  mkdirSync(logs);
  writeFileSync(join(logs, "app.log"), "now\n");
  for (let n = 1; n <= 6; n++) writeFileSync(join(logs, `app.log.${n}.gz`), randomBytes(2 * MB));
  const stray = openSync(join(logs, "stray.log"), "a");
  t.after(() => closeSync(stray));
  writeSync(stray, "a line\n".repeat(3_000));
  writeFileSync(join(lab.dir, "logrotate.conf"), `${logs}/app.log {\n rotate 9\n compress\n}\n`, {
    mode: 0o644,
  });
  const config = join(lab.dir, "telltale.toml");
  writeFileSync(
    config,
    `[store]\ndirectory = "${lab.dir}/state"\n[check]\nenabled = false\n[sentry]\nenabled = false\n[report]\nvia = "none"\n` +
      `[rotate]\nconfig = ["${lab.dir}/logrotate.conf"]\nstate = "${lab.dir}/rotate.state"\nroots = ["${logs}"]\n` +
      `[disk]\nevery = "1s"\nmin_free = "30%"\nreserve = "0"\n`,
  );
  const guard = await startGuard(lab, ["--config", config], withListener(lab));
  const named = await guard.until("log.uncovered", ({ path }) => path.endsWith("stray.log"));
  assert.match(named.writer, new RegExp(`\\(pid ${process.pid}\\)`));
  // Somebody fills the disk with what is no log.
  writeFileSync(join(disk, "upload"), randomBytes(8 * MB));
  const first = await guard.until("log.pruned");
  assert.match(first.path, /app\.log\.6\.gz$/);
  await waitFor("room", () => !readdirSync(logs).includes("app.log.5.gz") || readdirSync(logs).length < 7);
  assert.ok(readdirSync(logs).includes("app.log.1.gz"), "the newest is protected");
  assert.ok(guard.events.some(({ type }) => type === "disk.pressed"));
  assert.ok(guard.events.some(({ type }) => type === "disk.sampled"));
  await guard.stop();
});
