// Debian's logrotate judges stanzas of so many logs that they come in batches, with a log in the middle that cannot be moved.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import type { Event } from "../../core/events.ts";
import { BATCH_LOGS } from "../batches.ts";
import { loadRotation, runRotations } from "../run.ts";

const LOGS = 2 * BATCH_LOGS + 40;
const IN_THE_WAY = BATCH_LOGS + 9;

// Of the second batch, one log has a directory where a generation is expected.
function build(root: string): void {
  rmSync(root, { recursive: true, force: true });
  mkdirSync(join(root, "d"), { recursive: true });
  for (let i = 0; i < LOGS; i++) {
    const log = join(root, `d/app${String(i).padStart(4, "0")}.log`);
    writeFileSync(log, `now ${i}\n`, { mode: i % 2 === 0 ? 0o640 : 0o604 });
    if (i % 3 > 0) writeFileSync(`${log}.1`, `one ${i}\n`);
    if (i % 3 > 1) writeFileSync(`${log}.2`, `two ${i}\n`);
    if (i === IN_THE_WAY) mkdirSync(`${log}.2/in-the-way`, { recursive: true });
  }
}

function picture(root: string): string[] {
  return readdirSync(join(root, "d"))
    .sort()
    .map((name) => {
      const path = join(root, "d", name);
      const stat = statSync(path);
      const bytes = stat.isFile() ? readFileSync(path) : Buffer.from("a directory");
      const text = name.endsWith(".gz") ? gunzipSync(bytes) : bytes;
      return `${name} ${(stat.mode & 0o7777).toString(8)} ${text}`;
    });
}

test("hundreds of logs of one stanza, one of which fails, are left as logrotate leaves them", {
  timeout: 240_000,
}, async (t) => {
  if (spawnSync("logrotate", ["--version"]).error !== undefined)
    return t.skip("needs logrotate: apt install logrotate");
  const base = mkdtempSync(join(tmpdir(), "tt-many-"));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const root = join(base, "r");
  for (const manner of ["create", "nocreate\n dateext", "create 0600\n extension .log\n sharedscripts"]) {
    const conf = join(base, "conf");
    writeFileSync(conf, `${root}/d/*.log {\n rotate 2\n ${manner}\n}\n`, { mode: 0o644 });
    build(root);
    const theirs = spawnSync("logrotate", ["-f", "-s", join(base, "theirs"), conf]).status;
    const wanted = picture(root);
    build(root);
    const options = { configs: [conf], statePath: join(base, "ours"), force: true };
    const { exitStatus } = await runRotations(await loadRotation(options), options, (body) => body as Event);
    assert.deepEqual(picture(root), wanted, manner);
    assert.equal(exitStatus, theirs, manner);
    for (const name of ["theirs", "ours"]) rmSync(join(base, name), { force: true });
  }
});
