// One scene on a small real file system, played inside a mount namespace of its own and told as JSON on the last line: the
// file system goes with the process, whatever happens.
//   node disk-scene.ts KIND SCENE DIRECTORY      KIND: ext4, xfs, tmpfs
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statfsSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { Event } from "../../src/core/events.ts";
import { TELLTALE } from "./lab.ts";
import { waitFor } from "./wait.ts";

const [kind, scene, dir] = process.argv.slice(2) as [string, string, string];
const MB = 1024 * 1024;
const SIZES: Readonly<Record<string, number>> = { ext4: 192, tmpfs: 192, xfs: 320 };
const mount = join(dir, "disk");
const logs = join(mount, "log");
const config = join(dir, "telltale.toml");

function must(...argv: [string, ...string[]]): void {
  const { status, stderr, error } = spawnSync(argv[0], argv.slice(1), { encoding: "utf8" });
  if (status === 0) return;
  const why = error === undefined ? stderr.trim() : "it is not here";
  process.stdout.write(`${JSON.stringify({ skip: `${argv.join(" ")}: ${why}` })}\n`);
  process.exit(0);
}

function makeFileSystem(): void {
  mkdirSync(mount);
  const size = `${SIZES[kind]}M`;
  if (kind === "tmpfs") must("mount", "-t", "tmpfs", "-o", `size=${size},mode=755`, "tmpfs", mount);
  else {
    must("truncate", "-s", size, join(dir, "image"));
    must(`mkfs.${kind}`, "-q", join(dir, "image"));
    must("mount", "-o", "loop", join(dir, "image"), mount);
  }
  mkdirSync(logs);
}

// State and history lie on the disk that fills, as they do where /var is one file system.
function configure(disk: string): void {
  writeFileSync(
    join(dir, "logrotate.conf"),
    `${logs}/app.log ${logs}/auth.log {\n weekly\n rotate 200\n compress\n missingok\n create 0640 root root\n}\n`,
    { mode: 0o644 },
  );
  writeFileSync(
    config,
    `[rotate]\nconfig = ["${join(dir, "logrotate.conf")}"]\nstate = "${join(mount, "state")}"\nroots = ["${logs}"]\n` +
      `[disk]\nkeep_high = ["${logs}/auth.log"]\nreserve = "4M"\n${disk}\n` +
      `[sentry]\nenabled = false\n[check]\nenabled = false\n[report]\nvia = "none"\n[store]\ndirectory = "${join(mount, "store")}"\n`,
    { mode: 0o644 },
  );
}

function generations(log: string, count: number, megabytes: number): void {
  writeFileSync(join(logs, log), "now\n");
  for (let n = 1; n <= count; n++) writeFileSync(join(logs, `${log}.${n}.gz`), randomBytes(megabytes * MB));
}

function fill(): void {
  const fd = openSync(join(logs, "app.log"), "a");
  const line = Buffer.from(`${"x".repeat(1_023)}\n`);
  for (const size of [64, 1]) {
    const piece = Buffer.concat(Array.from({ length: size }, () => line));
    try {
      for (;;) if (writeSync(fd, piece) < piece.length) break;
    } catch {
      // Full: that is what was wanted.
    }
  }
  closeSync(fd);
}

// As a daemon without a buffer would: one write(2) a line, and the log opened by its name every thousand lines.
const WRITER = `
const { closeSync, openSync, readdirSync, writeSync } = require("node:fs");
const { randomBytes } = require("node:crypto");
// Some of each line is chance, as in real logs.
const lines = Array.from({ length: 5000 }, (_, i) => Buffer.from("Nov 22 12:00:00 host app[1]: session " + randomBytes(8).toString("hex") + " request from 192.0.2." + (i % 250) + " took " + (i % 977) + " ms and was answered with status 200, " + i + " bytes sent\\n"));
let refused = 0, written = 0, left = [];
const until = Date.now() + 60_000;
while (written < Number(process.argv[2]) && Date.now() < until) {
  const fd = openSync(process.argv[1], "a");
  for (let i = 0; i < 1000; i++) { try { written += writeSync(fd, lines[(i * 7919 + (written & 4095)) % 5000]); } catch (error) { if (error.code !== "ENOSPC") throw error; refused++; } }
  closeSync(fd);
  if (refused > 0) { left = readdirSync(require("node:path").dirname(process.argv[1])); break; }
}
process.stdout.write(JSON.stringify({ refused, written, left }));`;

function free(): number {
  const { bsize, bavail } = statfsSync(mount);
  return bsize * bavail;
}

function facts(events: readonly Event[]): Record<string, unknown> {
  return {
    free: free(),
    size: SIZES[kind]! * MB,
    names: readdirSync(logs).sort(),
    events: events.filter(({ type }) => /^(log|disk|rotation)\./.test(type) && type !== "disk.sampled"),
  };
}

function parse(text: string): Event[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Event);
}

async function guarded(work: (events: () => Event[]) => Promise<Record<string, unknown>>): Promise<void> {
  const guard = spawn(TELLTALE, ["guard", "--json", "-c", config], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  guard.stdout.setEncoding("utf8").on("data", (piece: string) => {
    text += piece;
  });
  const events = () => parse(text.slice(0, text.lastIndexOf("\n") + 1));
  try {
    await waitFor("the guard", () => events().some(({ type }) => type === "guard.started") || null);
    const more = await work(events);
    process.stdout.write(`${JSON.stringify({ ...facts(events()), ...more })}\n`);
  } finally {
    guard.kill("SIGTERM");
    await new Promise((resolve) => guard.once("exit", resolve));
  }
}

makeFileSystem();
if (scene === "writer") {
  configure('min_free = "30%"');
  generations("auth.log", 3, 2);
  generations("app.log", 30, 2);
  await guarded(async () => {
    const bytes = String(2 * SIZES[kind]! * MB);
    const writer = spawn(process.execPath, ["-e", WRITER, join(logs, "app.log"), bytes], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    writer.stdout.setEncoding("utf8").on("data", (piece: string) => {
      said += piece;
    });
    await new Promise((resolve) => writer.once("close", resolve));
    return JSON.parse(said) as Record<string, unknown>;
  });
} else if (scene === "full") {
  configure('min_free = "20%"');
  generations("auth.log", 3, 2);
  generations("app.log", 40, 2);
  fill();
  const before = free();
  const { stdout, stderr, status } = spawnSync(TELLTALE, ["disk", "--relieve", "--json", "-c", config], {
    encoding: "utf8",
  });
  const report = spawnSync(TELLTALE, ["report", "--since", "1h", "-c", config], { encoding: "utf8" }).stdout;
  process.stdout.write(`${JSON.stringify({ ...facts(parse(stdout)), before, status, stderr, report })}\n`);
} else if (scene === "budget") {
  configure('max_log_bytes = "40M"\nmin_generations = 2');
  generations("auth.log", 3, 2);
  generations("app.log", 30, 2);
  appendFileSync(join(logs, "app.log.1"), "a line\n".repeat(500_000));
  const plan = spawnSync(TELLTALE, ["disk", "--plan", "--json", "-c", config], { encoding: "utf8" }).stdout;
  const { stdout, status } = spawnSync(TELLTALE, ["disk", "--relieve", "--json", "-c", config], {
    encoding: "utf8",
  });
  process.stdout.write(`${JSON.stringify({ ...facts(parse(stdout)), status, plans: parse(plan) })}\n`);
} else if (scene === "protected") {
  configure('min_free = "50%"\nmin_generations = 5');
  generations("auth.log", 50, 2);
  generations("app.log", 5, 2);
  const { stdout, status } = spawnSync(TELLTALE, ["disk", "--relieve", "--json", "-c", config], {
    encoding: "utf8",
  });
  process.stdout.write(`${JSON.stringify({ ...facts(parse(stdout)), status })}\n`);
} else if (scene === "stubborn") {
  configure('min_free = "50%"');
  generations("app.log", 60, 2);
  must("chattr", "+i", join(logs, "app.log.60.gz"));
  const { stdout, status } = spawnSync(TELLTALE, ["disk", "--relieve", "--json", "-c", config], {
    encoding: "utf8",
  });
  process.stdout.write(`${JSON.stringify({ ...facts(parse(stdout)), status })}\n`);
} else if (scene === "reserve") {
  configure('min_free = "20%"');
  generations("auth.log", 1, 1);
  generations("app.log", 30, 2);
  await guarded(async () => {
    const path = join(logs, ".telltale-reserve");
    appendFileSync(join(logs, "app.log"), Buffer.alloc(Math.max(0, free() - 70 * MB)));
    await waitFor("the reserve", () => existsSync(path) || null);
    const made = readFileSync(path).length;
    fill();
    await waitFor("room", () => free() > 0.2 * SIZES[kind]! * MB || null);
    return { made };
  });
}
