// Kills a rotation before each of its changes to the disk, lets the next run finish, and counts the lines: none is lost, no
// half file is left, and the tree is the one that an undisturbed run leaves.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";

// Runs a rotation in its own process and kills it with SIGKILL right before its Nth call that changes something.
const CHILD = `
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
let left = Number(process.env.KILL_AT);
for (const name of ["renameSync", "unlinkSync", "ftruncateSync", "writeSync", "openSync", "fsyncSync", "fchmodSync", "writeFileSync"]) {
  const real = fs[name];
  fs[name] = (...args) => {
    const reads = name === "openSync" && (args[1] & fs.constants.O_CREAT) === 0;
    if (!reads && --left === 0) process.kill(process.pid, "SIGKILL");
    return real(...args);
  };
}
syncBuiltinESMExports();
const { loadRotation, runRotations } = await import(process.env.RUN);
const options = { configs: [process.env.ROOT + "/conf"], statePath: process.env.ROOT + "/state", now: new Date("2024-05-06T10:00:00Z") };
const rotation = await loadRotation(options);
const summary = await runRotations(rotation, options, (event) => {
  if (event.type === "rotation.failed") console.log(JSON.stringify(event));
  return event;
});
console.log(JSON.stringify(summary), left);
`;

type Scenario = { name: string; config: string; dated?: boolean; mayRepeat?: boolean };

const SCENARIOS: Scenario[] = [
  {
    name: "rename, create, compress and a shared postrotate",
    config:
      "ROOT/d/*.log {\n daily\n rotate 3\n compress\n create\n sharedscripts\n postrotate\n  echo post >> ROOT/calls\n endscript\n}\n",
  },
  {
    name: "delayed compression with numbers",
    config:
      "ROOT/d/*.log {\n daily\n rotate 3\n compress\n delaycompress\n create\n postrotate\n  echo post >> ROOT/calls\n endscript\n}\n",
  },
  {
    name: "copytruncate with dates",
    config: "ROOT/d/*.log {\n daily\n rotate 3\n compress\n dateext\n copytruncate\n}\n",
    mayRepeat: true,
  },
  {
    name: "a generation that is replaced, and no scripts",
    config: "ROOT/d/*.log {\n daily\n rotate 1\n create\n}\n",
  },
  {
    name: "renamecopy into another directory",
    config: "ROOT/d/*.log {\n daily\n rotate 3\n olddir old\n renamecopy\n create\n}\n",
  },
];

function build(root: string, { config }: Scenario): void {
  mkdirSync(join(root, "d/old"), { recursive: true });
  for (const log of ["a", "b"]) {
    const lines = (from: string): string =>
      Array.from({ length: 50 }, (_, i) => `${log} ${from} ${i}\n`).join("");
    writeFileSync(join(root, `d/${log}.log`), lines("now"));
    writeFileSync(join(root, `d/${log}.log.1`), lines("one"));
    writeFileSync(join(root, `d/${log}.log.2.gz`), gzipSync(lines("two")));
    writeFileSync(join(root, `d/${log}.log-20240501.gz`), gzipSync(lines("dated")));
  }
  const stamps = ["a", "b"].map((log) => `"${root}/d/${log}.log" 2024-5-1-3:0:0\n`).join("");
  writeFileSync(join(root, "state"), `logrotate state -- version 2\n${stamps}`);
  writeFileSync(join(root, "conf"), config.replaceAll("ROOT", root), { mode: 0o644 });
}

function run(
  root: string,
  killAt: number,
): { status: number | null; signal: string | null; left: number; said: string } {
  const child = spawnSync(process.execPath, ["--input-type=module", "-e", CHILD], {
    encoding: "utf8",
    timeout: 30_000,
    env: {
      ...process.env,
      ROOT: root,
      KILL_AT: String(killAt),
      RUN: join(import.meta.dirname, "run.ts"),
      TZ: "UTC",
    },
  });
  const left = Number(/ (-?\d+)$/m.exec(child.stdout)?.[1] ?? 0);
  return { status: child.status, signal: child.signal, left, said: child.stdout + child.stderr };
}

function tree(root: string): Record<string, string> {
  const out: Record<string, string> = {};
  for (const name of readdirSync(join(root, "d"), { recursive: true, withFileTypes: true })) {
    if (!name.isFile()) continue;
    const bytes = readFileSync(join(name.parentPath, name.name));
    const text = (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString();
    out[join(name.parentPath, name.name).slice(root.length)] = text;
  }
  return out;
}

const fresh = (): string => mkdtempSync(join(tmpdir(), "tt-crash-"));

for (const scenario of SCENARIOS) {
  test(`a rotation killed at any step is finished by the next run: ${scenario.name}`, {
    timeout: 300_000,
  }, () => {
    const undisturbed = fresh();
    const every = Number(process.env["TELLTALE_RUNS"] ?? 0) > 0 ? 1 : 13;
    try {
      build(undisturbed, scenario);
      const whole = run(undisturbed, 1_000_000);
      assert.equal(whole.status, 0, whole.said);
      const steps = 1_000_000 - whole.left;
      const wanted = tree(undisturbed);
      assert.ok(steps > 10, `${steps} steps`);
      for (let at = 1 + (every >> 1); at <= steps; at += every) {
        const root = fresh();
        try {
          build(root, scenario);
          const before = Object.values(tree(root)).join("").split("\n").sort();
          const killed = run(root, at);
          assert.equal(killed.signal, "SIGKILL", `step ${at}: ${killed.said}`);
          const next = run(root, 1_000_000);
          assert.equal(next.status, 0, `step ${at}: ${next.said}`);
          assert.ok(next.said.includes('"failed":0'), `step ${at}: ${next.said}`);
          const after = tree(root);
          const lines = Object.values(after).join("").split("\n").sort();
          if (scenario.mayRepeat)
            assert.deepEqual([...new Set(lines)], [...new Set(before)], `step ${at} of ${steps}: lines`);
          else assert.deepEqual(after, wanted, `step ${at} of ${steps}: ${next.said}`);
          assert.deepEqual(
            readdirSync(root).filter((name) => !["d", "state", "conf", "calls"].includes(name)),
            [],
            `step ${at}`,
          );
          assert.deepEqual(
            Object.keys(after).filter((name) => name.endsWith(".telltale")),
            [],
            `step ${at}`,
          );
          assert.equal(
            existsSync(join(root, "calls")),
            scenario.config.includes("postrotate"),
            `step ${at}: postrotate`,
          );
        } finally {
          rmSync(root, { recursive: true, force: true });
        }
      }
    } finally {
      rmSync(undisturbed, { recursive: true, force: true });
    }
  });
}
