// Any order of writing, rotating, looking and restarting: every line once. One test plays rotation itself, one lets
// logrotate do it, one kills the reader at any moment.
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import test from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { openStore } from "../../store/store.ts";
import type { Follower } from "./follow.ts";
import { type Rig, rig, rigIn, until } from "./rig.ts";

const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 25);

type Step =
  /** A negative number writes to the file that was renamed last. */
  | { do: "write"; lines: number }
  | { do: "look" }
  | { do: "restart" }
  | { do: "refuse"; after: number }
  | { do: "rename"; compress: "" | "gz" | "zst" }
  | { do: "copytruncate"; compress: "" | "gz" | "zst" };

const compressions = fc.constantFrom("" as const, "gz" as const, "zst" as const);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("write" as const), lines: fc.integer({ min: 1, max: 60 }) }),
  },
  { weight: 2, arbitrary: fc.constant({ do: "look" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "restart" as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("refuse" as const), after: fc.integer({ min: 0, max: 3 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("rename" as const), compress: compressions }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("copytruncate" as const), compress: compressions }) },
);

/** One generation further for all, the newest compressed or not. */
function rotate(log: string, kind: "rename" | "copytruncate", compress: "" | "gz" | "zst"): void {
  if (!existsSync(log)) return;
  const numbers = readdirSync(dirname(log)).flatMap((name) => {
    const told = name.startsWith(basename(log)) ? /\.(\d+)(\.gz|\.zst)?$/.exec(name) : null;
    return told === null ? [] : [{ n: Number(told[1]), ending: told[2] ?? "" }];
  });
  for (const { n, ending } of numbers.sort((a, b) => b.n - a.n)) {
    renameSync(`${log}.${n}${ending}`, `${log}.${n + 1}${ending}`);
  }
  if (kind === "rename") renameSync(log, `${log}.1`);
  else {
    copyFileSync(log, `${log}.1`);
    truncateSync(log, 0);
  }
  if (compress === "") return;
  const bytes = readFileSync(`${log}.1`);
  writeFileSync(`${log}.1.${compress}`, compress === "gz" ? gzipSync(bytes) : zstdCompressSync(bytes));
  // As compressors do; the times that Node sets have fewer digits.
  execFileSync("touch", ["-r", `${log}.1`, `${log}.1.${compress}`]);
  unlinkSync(`${log}.1`);
}

async function play(r: Rig, steps: readonly Step[]): Promise<void> {
  let follower: Follower | undefined;
  const look = async () => {
    follower ??= r.follower();
    await follower.poll().catch((error: Error) => assert.equal(error.message, "refused"));
  };
  // Generations from before the first look are not read: nobody asked for the history.
  await look();
  for (const one of steps) {
    switch (one.do) {
      case "write":
        if (one.lines >= 0) r.write(one.lines);
        else if (existsSync(`${r.log}.1`)) r.write(-one.lines, `${r.log}.1`);
        break;
      case "look":
        await look();
        break;
      case "restart":
        await follower?.stop();
        follower = undefined;
        break;
      case "refuse": {
        let left = one.after;
        r.refuse = () => {
          if (left-- <= 0) throw new Error("refused");
        };
        await look();
        r.refuse = () => {};
        break;
      }
      default:
        rotate(r.log, one.do, one.compress);
    }
  }
  await look();
  await follower?.stop();
}

test("any order of writing, looking, restarting, refusing and rotating hands out every line once, in order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
      const r = rigIn(mkdtempSync(join(tmpdir(), "telltale-rotation-")));
      try {
        await play(r, steps);
        r.complete(JSON.stringify(steps));
        assert.deepEqual(r.notices, []);
        assert.deepEqual(r.events, []);
      } finally {
        rmSync(r.dir, { recursive: true, force: true });
      }
    }),
    { numRuns: RUNS },
  );
});

test("lines that a writer adds to the renamed file until it reopens are handed out once, too", async () => {
  type Late = Exclude<Step, { do: "copytruncate" }> | { do: "late"; lines: number };
  const late = fc.record({ do: fc.constant("late" as const), lines: fc.integer({ min: 1, max: 5 }) });
  const plain = fc.record({ do: fc.constant("rename" as const), compress: fc.constant("" as const) });
  const steps = fc.array(
    fc.oneof(
      step.filter((one) => one.do !== "copytruncate" && one.do !== "rename"),
      late,
      plain,
    ),
    {
      minLength: 4,
      maxLength: 25,
    },
  );
  await fc.assert(
    fc.asyncProperty(steps as fc.Arbitrary<Late[]>, async (some) => {
      const r = rigIn(mkdtempSync(join(tmpdir(), "telltale-late-")));
      try {
        // Late lines go to the file renamed last: its writer has it open still.
        await play(
          r,
          some.flatMap((one): Step[] => (one.do === "late" ? [{ do: "write", lines: -one.lines }] : [one])),
        );
        r.got.sort((a, b) => Number(a.split(" ").at(-1)) - Number(b.split(" ").at(-1)));
        r.complete(JSON.stringify(some));
        assert.deepEqual([...r.notices, ...r.events], []);
      } finally {
        rmSync(r.dir, { recursive: true, force: true });
      }
    }),
    { numRuns: RUNS },
  );
});

const LOGROTATE: [string, string][] = [
  ["rename and create", "create"],
  ["compressed at once", "create\n compress"],
  ["compressed one rotation later", "create\n compress\n delaycompress"],
  ["copytruncate", "copytruncate"],
  ["copytruncate, compressed", "copytruncate\n compress"],
  ["names with a date and time", "create\n dateext\n dateformat -%Y%m%d-%s"],
  ["names that keep the extension", "create\n extension .log\n compress"],
  ["compressed with xz", "create\n compress\n compresscmd /usr/bin/xz\n compressext .xz"],
  ["counted from zero", "create\n start 0"],
];

for (const [name, directives] of LOGROTATE) {
  test(`logrotate, ${name}: several rotations between looks, every line once`, async (t) => {
    if (spawnSync("logrotate", ["--version"]).error !== undefined)
      return t.skip("needs logrotate: apt install logrotate");
    const r = rig(t);
    const conf = join(r.dir, "rotate.conf");
    writeFileSync(conf, `${r.log} {\n rotate 50\n su root root\n ${directives}\n}\n`, { mode: 0o644 });
    await r.poll();
    const dated = directives.includes("dateext");
    let second = 0;
    const now = () => Math.floor(Date.now() / 1_000);
    for (let round = 0; round < 8; round++) {
      r.write(round * 7 + 3);
      if (round % 3 === 0) await r.poll();
      r.write(2);
      // These names count seconds: within one second logrotate itself refuses a second rotation.
      if (dated && round % 3 !== 1) continue;
      if (dated) await until(() => now() > second, "another second");
      second = now();
      execFileSync("logrotate", ["-f", "-s", join(r.dir, "state"), conf], { stdio: "pipe" });
    }
    await r.poll();
    r.write(3);
    await r.poll();
    r.complete(name);
    assert.deepEqual([...r.notices, ...r.events], []);
  });
}

test("a reader killed at any moment while the log is written and rotated loses and doubles nothing", async (t) => {
  const r = rig(t);
  const db = join(r.dir, "history.db");
  const program = `
    import { followFiles } from ${JSON.stringify(new URL("./follow.ts", import.meta.url).href)};
    import { openStore } from ${JSON.stringify(new URL("../../store/store.ts", import.meta.url).href)};
    import { newId } from ${JSON.stringify(new URL("../../core/id.ts", import.meta.url).href)};
    import { writeSync } from "node:fs";
    const [, db, log] = process.argv;
    const store = openStore(db, { maxEvents: 1e9 });
    const stamp = (body) => ({ ...body, v: 1, id: newId(new Date()), host: "h", at: new Date().toISOString() });
    const follower = followFiles({
      paths: [log], cursors: store.cursors, pollEveryMs: 200, emit: stamp,
      commit: ({ source, lines, cursor, notices }) => {
        store.transaction(() => {
          for (const line of lines) store.append(stamp({ type: "line.found", layer: "system", source, line: Buffer.from(line).toString() }));
          for (const notice of notices) store.append(stamp(notice));
          store.cursors.set(source, cursor);
        });
        if (lines.length > 0) writeSync(1, lines.length + "\\n");
      },
    });
    await follower.start();
    writeSync(1, "ready\\n");`;
  const lines = () => {
    using store = openStore(db);
    return store.eventsSince(0, { limit: 1_000_000 }).map(({ event }) => event);
  };
  /** What a look by this process finds, with the same store. */
  const readAll = async () => {
    using store = openStore(db);
    const follower = r.follower({
      cursors: store.cursors,
      commit: ({ source, lines: found, cursor }) =>
        store.transaction(() => {
          for (const line of found) r.got.push(Buffer.from(line).toString());
          store.cursors.set(source, cursor);
        }),
    });
    await follower.poll();
    await follower.stop();
  };
  await readAll();
  for (let run = 0; run < Math.min(20, Math.max(4, RUNS / 5)); run++) {
    const child = spawn(process.execPath, ["--input-type=module", "-e", program, db, r.log], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let reports = 0;
    child.stdout.on("data", (bytes: Buffer) => {
      reports += bytes.toString().split("\n").length - 1;
      if (reports > run * 2) child.kill("SIGKILL");
    });
    const closed = once(child, "close");
    // The writer goes on, with a rotation now and then, until the reader is dead.
    for (let turn = 0; child.exitCode === null && child.signalCode === null && turn < 4_000; turn++) {
      r.write(20);
      if (turn % 40 === 39 && turn < 400) rotate(r.log, "rename", turn % 80 === 79 ? "gz" : "");
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await closed;
    rotate(r.log, run % 2 === 0 ? "rename" : "copytruncate", "");
  }
  await readAll();
  const events = lines();
  assert.deepEqual(
    events.filter((event) => event.type !== "line.found"),
    [],
  );
  for (const event of events) r.got.push(event.type === "line.found" ? event.line : "");
  // A writer does not wait for a rename: the moment it is renamed, lines of both files may arrive in either order.
  r.got.sort((a, b) => Number(a.split(" ").at(-1)) - Number(b.split(" ").at(-1)));
  r.complete("every line once");
});
