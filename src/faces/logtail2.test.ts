// What our logtail2 prints, answers and remembers, held against the real one through the life of a log.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import { type LogtailName, runLogtail } from "./logtail2.ts";

const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 15);
const NAMES: readonly LogtailName[] = ["logtail2", "logtail"];
const isInstalled = (name: LogtailName) => existsSync(`/usr/sbin/${name}`);

function scratch(t: test.TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "telltale-logtail-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

type Outcome = { status: number; out: string; err: string };

function ours(args: readonly string[], name: LogtailName = "logtail2"): Outcome {
  const out: Buffer[] = [];
  let err = "";
  const status = runLogtail(name, args, {
    out: (bytes) => out.push(Buffer.from(bytes)),
    err: (text) => {
      err += text;
    },
  });
  return { status, out: Buffer.concat(out).toString("latin1"), err };
}

function real(args: readonly string[], name: LogtailName): Outcome {
  const ended = spawnSync(`/usr/sbin/${name}`, args, { encoding: "latin1" });
  return { status: ended.status ?? -1, out: ended.stdout, err: ended.stderr };
}

function text(path: string): string | null {
  return existsSync(path) ? readFileSync(path, "latin1") : null;
}

const event = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.stringMatching(/^[a-z \n\xff]{0,20}$/).map((words) => ({ do: "append", words }) as const),
  },
  { weight: 2, arbitrary: fc.constant({ do: "rotate" } as const) },
  fc.constant({ do: "truncate" } as const),
  fc.constant({ do: "shrink" } as const),
  fc.constant({ do: "test" } as const),
  fc.constantFrom("", "junk\njunk\n", "12\n", "0\n7\n").map((words) => ({ do: "scribble", words }) as const),
);
const life = fc.record({
  scheme: fc.constantFrom("logrotate", "dateext", "savelog"),
  events: fc.array(event, { maxLength: 8 }),
});

for (const name of NAMES) {
  test(`prints, answers and remembers what ${name} does, event after event`, (t) => {
    if (!isInstalled(name)) return t.skip(`needs ${name}: apt install logtail`);
    const parent = scratch(t);
    let count = 0;
    fc.assert(
      fc.property(life, ({ scheme, events }) => {
        const dir = join(parent, String(count++));
        mkdirSync(dir);
        const log = join(dir, "log");
        writeFileSync(log, "begin\n");
        let day = 1;
        for (const step of [...events, { do: "append", words: "end" } as const]) {
          if (step.do === "append") appendFileSync(log, step.words, "latin1");
          else if (step.do === "rotate") {
            if (scheme === "savelog") {
              writeFileSync(`${log}.1.gz`, "");
              utimesSync(`${log}.1.gz`, 1, 1);
            }
            const suffix = {
              logrotate: ".1",
              savelog: ".0",
              dateext: `-202611${String(day++).padStart(2, "0")}`,
            };
            renameSync(log, log + suffix[scheme]);
            writeFileSync(log, "new\n");
          } else if (step.do === "truncate") truncateSync(log, 0);
          else if (step.do === "shrink") truncateSync(log, Math.floor(readFileSync(log).length / 2));
          else if (step.do === "scribble") {
            for (const side of ["real", "ours"]) writeFileSync(join(dir, side), step.words);
          }
          const args = (side: string) => [
            ...(step.do === "test" ? ["-t"] : []),
            "-f",
            log,
            "-o",
            join(dir, side),
          ];
          const want = real(args("real"), name);
          const got = ours(args("ours"), name);
          assert.deepEqual({ status: got.status, out: got.out }, { status: want.status, out: want.out });
          assert.equal(text(join(dir, "ours")), text(join(dir, "real")));
        }
      }),
      { numRuns: RUNS },
    );
  });

  test(`takes its arguments as ${name} does`, (t) => {
    if (!isInstalled(name)) return t.skip(`needs ${name}: apt install logtail`);
    const dir = scratch(t);
    const log = join(dir, "log");
    writeFileSync(log, "a line\n");
    const offset = join(dir, "offset");
    const cases: string[][] = [
      [],
      ["-t"],
      ["-f", log],
      [log],
      [log, offset],
      ["-o", offset, log],
      [`-f${log}`, "-t"],
      ["-tf", log, "-o", offset],
      ["-t", "--", log],
      ["-z", "-f", log],
      ["-tzf", log],
      ["-f", join(dir, "none")],
      ["-f", dir],
      ["-f", log, "-o", join(dir, "none", "offset")],
    ];
    for (const args of cases) {
      const clear = () => {
        rmSync(offset, { force: true });
        rmSync(`${log}.offset`, { force: true });
      };
      clear();
      const want = { ...real(args, name), offset: text(offset), beside: text(`${log}.offset`) };
      clear();
      const got = { ...ours(args, name), offset: text(offset), beside: text(`${log}.offset`) };
      assert.deepEqual({ ...got, err: "" }, { ...want, err: "" }, args.join(" "));
      assert.equal(got.err === "", want.err === "", `${args.join(" ")}: ${got.err}`);
      assert.equal(/^Unknown option: .$/m.exec(got.err)?.[0], /^Unknown option: .$/m.exec(want.err)?.[0]);
    }
  });
}

test("several rotations between two runs lose nothing", (t) => {
  const dir = scratch(t);
  const log = join(dir, "log");
  const offset = join(dir, "offset");
  writeFileSync(log, "one\n");
  assert.equal(ours(["-f", log, "-o", offset]).out, "one\n");
  appendFileSync(log, "two\n");
  renameSync(log, `${log}.2`);
  utimesSync(`${log}.2`, 100, 100);
  writeFileSync(`${log}.1`, "three\n");
  utimesSync(`${log}.1`, 200, 200);
  writeFileSync(`${log}.3`, "long ago\n");
  utimesSync(`${log}.3`, 50, 50);
  writeFileSync(`${log}.bak`, "not a generation\n");
  writeFileSync(log, "four\n");
  assert.equal(ours(["-f", log, "-o", offset]).out, "two\nthree\nfour\n");
  assert.equal(ours(["-f", log, "-o", offset]).out, "");
});
