// Debian's logrotate judges: random configurations, trees, states and clocks, both programs on copies of the same tree, and the
// trees, states, exit statuses and script calls that come out must be equal.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import type { Event, EventBody } from "../../core/events.ts";
import { loadRotation, runRotations } from "../run.ts";
import { parseState } from "../state.ts";
import { type Case, cases, deliberate, LOGS } from "./cases.ts";
import { judgeIsBefore322, LOGROTATE } from "./judge.ts";

const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 40);
function missing(): string | null {
  for (const tool of [LOGROTATE, "faketime"]) {
    if (spawnSync(tool, ["--version"]).error !== undefined) return `needs ${tool}: apt install ${tool}`;
  }
  return process.getuid?.() === 0 ? null : "needs root: files of several owners";
}

// Fills a fresh directory as the case says.
function build(root: string, given: Case): void {
  mkdirSync(join(root, "d/old"), { recursive: true });
  // What `su daemon daemon` may write to.
  if (JSON.stringify(given).includes("su daemon"))
    for (const at of ["d", "d/old"]) chownSync(join(root, at), 1, 1);
  chmodSync(root, 0o755);
  const now = nowOf(given);
  const stamps: string[] = [];
  for (const file of given.files) {
    const path = join(root, "d", file.name);
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) continue;
    if (file.kind === "link") symlinkSync("elsewhere", path);
    else {
      const content = Buffer.from(`${file.name}\n`.repeat(Math.ceil(file.sizeBytes / 8))).subarray(
        0,
        file.sizeBytes,
      );
      writeFileSync(path, file.name.endsWith(".gz") ? gzipSync(content) : content);
      chownSync(path, file.uid, file.uid);
      chmodSync(path, file.mode);
      const at = now.getTime() / 1000 - file.ageDays * 86_400 - 7;
      utimesSync(path, at, at);
      if (file.kind === "hardlink") linkSync(path, `${path}-twin`);
    }
    if (file.stamp !== null) {
      const last = new Date(now.getTime() - file.stamp * 3_600_000);
      stamps.push(
        `"${path}" ${last.getFullYear()}-${last.getMonth() + 1}-${last.getDate()}-${last.getHours()}:${last.getMinutes()}:${last.getSeconds()}`,
      );
    }
  }
  writeFileSync(
    join(root, "state"),
    `logrotate state -- version 2\n${stamps.map((line) => `${line}\n`).join("")}`,
    { mode: 0o640 },
  );
  writeFileSync(join(root, "conf"), configOf(root, given), { mode: 0o644 });
  writeFileSync(join(root, "mailer"), `#!/bin/sh\n{ echo "mail $*"; cat; } >> ${root}/calls\n`, {
    mode: 0o755,
  });
}

function configOf(root: string, given: Case): string {
  const stanzas = given.stanzas.map(
    ({ patterns, lines }) => `${patterns} {\n${lines.map((line) => `  ${line}\n`).join("")}}\n`,
  );
  // Where two stanzas name one log, logrotate gives up the second stanza and telltale only the log.
  const globals = [...(given.stanzas.length > 1 ? ["ignoreduplicates"] : []), ...given.globals];
  return `${globals.join("\n")}\n${stanzas.join("\n")}`.replaceAll("ROOT", root);
}

function nowOf(given: Case): Date {
  return new Date(given.now);
}

// Every log that is there gets a line.
function grow(root: string): void {
  for (const name of LOGS) {
    const path = join(root, "d", name);
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile())
      appendFileSync(path, `more in ${name}\n`.repeat(3));
  }
}

// What a run left, with the directory's own name taken out.
function picture(root: string, given: Case, failed: readonly string[]): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  const recent = Date.now() - 3_600_000;
  const visit = (at: string): void => {
    for (const name of readdirSync(join(root, at)).sort()) {
      const rel = `${at}/${name}`;
      const stat = lstatSync(join(root, rel));
      const common = `${(stat.mode & 0o7777).toString(8)} ${stat.uid}:${stat.gid}`;
      if (stat.isDirectory()) {
        out[rel] = `directory ${common}`;
        visit(rel);
      } else if (stat.isSymbolicLink()) out[rel] = `link ${readlinkSync(join(root, rel))}`;
      else {
        const bytes = readFileSync(join(root, rel));
        const text = (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString();
        const time = stat.mtimeMs > recent ? "now" : Math.round(stat.mtimeMs / 1000);
        out[rel] =
          `${common} links ${stat.nlink} at ${time}: ${text.length} bytes ${createHash("sha1").update(text).digest("hex").slice(0, 6)} ${text.slice(0, 9)}`;
      }
    }
  };
  visit("d");
  const state = parseState(readFileSync(join(root, "state"), "utf8"), "state");
  assert.deepEqual(state.faults, []);
  // logrotate stamps a log whose rotation failed as rotated; telltale keeps the old stamp and tries again.
  out["state"] = [...state.stamps]
    .filter(([path]) => !failed.includes(path.slice(root.length)))
    .map(([path, at]) => `${path} ${stampText(at, given)}`.replaceAll(root, "ROOT"))
    .sort();
  let calls = "";
  try {
    calls = readFileSync(join(root, "calls"), "utf8");
  } catch {
    // No script has run.
  }
  // Before 3.22 a pattern that scripts are given ends in the blank before its `{`.
  out["calls"] = calls.replaceAll(root, "ROOT").replace(/ \|/g, "|").split("\n");
  return out;
}

// The run's own stamp may be a second or two later under faketime.
function stampText(at: number, given: Case): string {
  const runs = [0, given.again?.hours ?? 0].map((hours) => nowOf(given).getTime() + hours * 3_600_000);
  const run = runs.findIndex((start) => at >= start && at - start < 60_000);
  return run >= 0 ? `run ${run}` : new Date(at).toString();
}

async function ours(root: string, given: Case): Promise<{ status: number; said: string; failed: string[] }> {
  const events: EventBody[] = [];
  const options = {
    configs: [join(root, "conf")],
    statePath: join(root, "state"),
    force: given.force,
    now: nowOf(given),
    mailCommand: [join(root, "mailer")],
  };
  const rotation = await loadRotation(options);
  const summary = await runRotations(rotation, options, (body) => {
    events.push(body);
    return body as Event;
  });
  const said = [
    ...rotation.faults.map((fault) => JSON.stringify(fault)),
    ...events.map((event) => JSON.stringify(event)),
  ];
  const failed = events.flatMap((event) =>
    event.type === "rotation.failed" ? [event.log.slice(root.length)] : [],
  );
  return { status: summary.exitStatus, said: said.join("\n"), failed };
}

function theirs(root: string, given: Case): { status: number; said: string } {
  // Frozen, and as seconds since the epoch: local time is ambiguous where clocks go back.
  const at = String(nowOf(given).getTime() / 1000);
  const run = spawnSync(
    "faketime",
    [
      "-f",
      at,
      LOGROTATE,
      "-v",
      ...(given.force ? ["-f"] : []),
      "-m",
      join(root, "mailer"),
      "-s",
      join(root, "state"),
      join(root, "conf"),
    ],
    {
      encoding: "utf8",
      env: { PATH: process.env["PATH"], TZ: given.zone, LC_ALL: "C", NO_FAKE_STAT: "1", FAKETIME_FMT: "%s" },
    },
  );
  return { status: run.status ?? -1, said: run.stderr + run.stdout };
}

async function compare(given: Case): Promise<void> {
  const base = mkdtempSync(join(tmpdir(), "tt-diff-"));
  chmodSync(base, 0o755);
  const zone = process.env["TZ"];
  process.env["TZ"] = given.zone;
  try {
    const [a, b] = [join(base, "A"), join(base, "B")];
    for (const root of [a, b]) build(root, given);
    let [left, right] = [theirs(a, given), await ours(b, given)];
    // After a failure the two part ways on purpose: telltale tries again.
    if (given.again !== null && right.failed.length === 0) {
      const now = new Date(nowOf(given).getTime() + given.again.hours * 3_600_000).toISOString();
      const next = { ...given, now, force: given.again.force };
      for (const root of [a, b]) grow(root);
      const second = [theirs(a, next), await ours(b, next)] as const;
      const failed = [...right.failed, ...second[1].failed];
      left = {
        status: left.status * 10 + second[0].status,
        said: `${left.said}\n--- again\n${second[0].said}`,
      };
      right = {
        status: right.status * 10 + second[1].status,
        said: `${right.said}\n--- again\n${second[1].said}`,
        failed,
      };
    }
    // logrotate compresses and removes old generations before it sees that the new one's name is taken; telltale looks first.
    if (right.said.includes("already exists") && left.status === right.status) return;
    assert.deepEqual(
      { status: right.status, ...picture(b, given, right.failed) },
      { status: left.status, ...picture(a, given, right.failed) },
      `telltale (actual) differs from logrotate (expected)\n--- configuration\n${configOf("ROOT", given)}\n--- logrotate said\n${left.said}\n--- telltale said\n${right.said}\n--- case\n${JSON.stringify(given)}`,
    );
  } finally {
    rmSync(base, { recursive: true, force: true });
    if (zone === undefined) delete process.env["TZ"];
    else process.env["TZ"] = zone;
  }
}

test("a random rotation leaves what logrotate leaves", { timeout: 600_000 }, async (t: TestContext) => {
  const lack = missing();
  if (lack !== null) return t.skip(lack);
  const before322 = judgeIsBefore322() === true;
  const seed = process.env["TELLTALE_SEED"];
  await fc.assert(
    fc.asyncProperty(
      cases.filter((given) => !deliberate(given, before322)),
      compare,
    ),
    {
      numRuns: RUNS,
      ...(seed === undefined ? {} : { seed: Number(seed) }),
    },
  );
});
