// copytruncate under a writer that never stops: every line it wrote is numbered, and the numbers are looked for afterwards.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Event, EventBody } from "../core/events.ts";
import { loadRotation, runRotations } from "./run.ts";

function scratch(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), "tt-copy-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, "d"));
  return root;
}

async function rotate(root: string, text: string): Promise<EventBody[]> {
  writeFileSync(join(root, "conf"), text, { mode: 0o644 });
  const events: EventBody[] = [];
  const options = { configs: [join(root, "conf")], statePath: join(root, "state"), force: true };
  const rotation = await loadRotation(options);
  assert.deepEqual(rotation.faults, []);
  await runRotations(rotation, options, (body) => {
    events.push(body);
    return body as Event;
  });
  return events;
}

// Appends numbered lines as fast as it can, until told to stop.
const WRITER = `
const fs = require("node:fs");
const fd = fs.openSync(process.argv[1], "a");
let n = 0;
const go = () => {
  for (let i = 0; i < 200; i++) fs.writeSync(fd, "line " + n++ + "\\n");
  setImmediate(go);
};
process.on("SIGTERM", () => { console.log(n); process.exit(0); });
console.log("ready");
go();
`;

test("copytruncate under a fast writer keeps all but what comes between two system calls", {
  timeout: 60_000,
}, async (t) => {
  const root = scratch(t);
  const log = join(root, "d/app.log");
  const writer = spawn(process.execPath, ["-e", WRITER, log], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => writer.kill("SIGKILL"));
  let said = "";
  const ready = new Promise<void>((resolve) => {
    writer.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes("ready")) resolve();
    });
  });
  const ended = new Promise<void>((resolve) => writer.on("close", () => resolve()));
  await ready;
  for (let i = 0; i < 5; i++) {
    const grown = Date.now() + 20_000;
    while (statSync(log).size < 100_000) {
      assert.ok(Date.now() < grown, "the writer writes within 20 s");
      await new Promise((resolve) => setImmediate(resolve));
    }
    const events = await rotate(root, `${log} {\n rotate 9\n copytruncate\n}\n`);
    assert.deepEqual(
      events.map((event) => event.type),
      ["log.rotated"],
    );
  }
  writer.kill("SIGTERM");
  await ended;
  const written = Number(said.trim().split("\n").at(-1));
  const files = readdirSync(join(root, "d")).sort(
    (a, b) => Number(b.split(".")[2] ?? 0) - Number(a.split(".")[2] ?? 0),
  );
  // A copy may end within a line that is just being written: what has no end is no line, and counts as lost.
  const numbers = files.flatMap((name) =>
    [...readFileSync(join(root, "d", name), "utf8").matchAll(/^line (\d+)\n/gm)].map((hit) => Number(hit[1])),
  );
  assert.equal(new Set(numbers).size, numbers.length, "no line twice");
  assert.deepEqual(
    [...numbers].sort((a, b) => a - b),
    numbers,
    "in order",
  );
  const lost = written - numbers.length;
  t.diagnostic(`${lost} of ${written} lines lost in 5 rotations`);
  // The machine may take the processor away between the two calls; what is lost then is a time slice's worth, no more.
  assert.ok(lost < written / 20, `${lost} of ${written} lines lost`);
});

test("a writer that does not append is named with the hole it will leave", async (t) => {
  const root = scratch(t);
  const log = join(root, "d/app.log");
  const fd = openSync(log, "w");
  try {
    writeSync(fd, "x".repeat(100));
    const [rotated] = await rotate(root, `${log} {\n rotate 1\n copytruncate\n}\n`);
    assert.ok(rotated?.type === "log.rotated");
    assert.match(rotated.warning ?? "", new RegExp(`\\(pid ${process.pid}\\) writes without O_APPEND`));
  } finally {
    closeSync(fd);
  }
});

test("the compressed copy has the log's own mode and times", async (t) => {
  const root = scratch(t);
  const log = join(root, "d/app.log");
  writeFileSync(log, "x\n", { mode: 0o600 });
  const before = statSync(log);
  await rotate(root, `${log} {\n rotate 1\n copytruncate\n compress\n}\n`);
  const after = statSync(`${log}.1.gz`);
  assert.equal(after.mode & 0o777, 0o600);
  assert.equal(Math.floor(after.mtimeMs / 1000), Math.floor(before.mtimeMs / 1000));
  assert.equal(statSync(log).size, 0);
});
