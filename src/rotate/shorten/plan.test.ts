import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Event } from "../../core/events.ts";
import { loadRotation, planRotations, runRotations } from "../run.ts";
import type { LogPlan, RotateOptions, RotationStep } from "../types.ts";
import { shortened } from "./plan.ts";

function scratch(t: TestContext, directives: string, generations: readonly string[]): RotateOptions {
  const root = mkdtempSync(join(tmpdir(), "tt-shorten-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, "d"));
  for (const name of ["", ...generations]) writeFileSync(join(root, `d/a.log${name}`), `a.log${name}`);
  writeFileSync(join(root, "conf"), `${root}/d/a.log {\n ${directives.replaceAll("; ", "\n ")}\n}\n`, {
    mode: 0o644,
  });
  return { configs: [join(root, "conf")], statePath: join(root, "state"), force: true };
}

async function planOf(options: RotateOptions): Promise<LogPlan> {
  const [plan] = await planRotations(await loadRotation(options), options);
  return plan!;
}

const words = (steps: readonly RotationStep[]): string[] =>
  steps.map((step) => {
    const name = (path: string): string => path.slice(path.indexOf("a.log") + 5);
    if (step.do === "rename" || step.do === "compress")
      return `${step.do} ${name(step.from)} ${name(step.to)}`;
    return "path" in step ? `${step.do} ${name(step.path)}` : step.do;
  });

test("the last generation is replaced by the one below it, or by the log itself", async (t) => {
  for (const [directives, generations, wanted] of [
    ["rotate 2; create", [".1", ".2"], ["rename .1 .2", "rename  .1", "create "]],
    ["rotate 1; nocreate", [".1"], ["rename  .1"]],
    ["rotate 2; compress", [".1.gz", ".2.gz"], ["rename .1.gz .2.gz", "rename  .1", "compress .1 .1.gz"]],
    [
      "rotate 2; compress; delaycompress",
      [".1", ".2.gz"],
      ["compress .1 .1.gz", "rename .1.gz .2.gz", "rename  .1"],
    ],
  ] as const) {
    const { before, rotate, after } = shortened(await planOf(scratch(t, directives, generations)));
    assert.deepEqual(words([...before, ...rotate, ...after]), wanted, directives);
  }
});

test("where a script could fail, a mail be sent or a gap be left, each step stays", async (t) => {
  const script = (name: string): string => `${name}; true; endscript`;
  for (const [directives, generations] of [
    [`rotate 2; ${script("prerotate")}`, [".1", ".2"]],
    [`rotate 2; ${script("postrotate")}`, [".1", ".2"]],
    [`rotate 2; ${script("preremove")}`, [".1", ".2"]],
    [`rotate 2; sharedscripts; ${script("prerotate")}`, [".1", ".2"]],
    ["rotate 2; mail root", [".1", ".2"]],
    ["rotate 2; shred", [".1", ".2"]],
    ["rotate 2", [".2"]],
    ["rotate 1; copytruncate", [".1"]],
    ["rotate 1; compress", [".1.gz"]],
    ["rotate 3", [".1", ".2"]],
    ["rotate 2", [".1", ".2", ".3"]],
  ] as const) {
    const plan = await planOf(scratch(t, directives, generations));
    assert.equal(shortened(plan), plan, directives);
  }
});

test("the files are the same in the end, whether one was left beyond the range or not", async (t) => {
  for (const left of [[], [".4"], [".4", ".5"]]) {
    const options = scratch(t, "rotate 3; create", [".1", ".2", ".3", ...left]);
    const directory = join(options.configs[0]!, "../d");
    await runRotations(await loadRotation(options), options, (body) => body as Event);
    const { "a.log.5": beyond, ...tree } = Object.fromEntries(
      readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), "utf8")]),
    );
    assert.deepEqual(tree, {
      "a.log": "",
      "a.log.1": "a.log",
      "a.log.2": "a.log.1",
      "a.log.3": "a.log.2",
    });
    assert.equal(beyond, left.includes(".5") ? "a.log.5" : undefined);
  }
});
