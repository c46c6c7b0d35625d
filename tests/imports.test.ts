// The arrow drawn in DESIGN.md is true only while this test holds it. A starting point for tests/imports.test.ts.

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import test from "node:test";

const RANK: Record<string, number> = {
  core: 0,
  sys: 1,
  pattern: 1,
  config: 1,
  store: 2,
  warden: 2,
  sources: 3,
  rotate: 3,
  check: 3,
  sentry: 3,
  respond: 3,
  report: 3,
  fleet: 3,
  console: 3,
  faces: 4,
  app: 4,
};
const PURE = new Set([
  "parse.ts",
  "match.ts",
  "classify.ts",
  "detect.ts",
  "decide.ts",
  "plan.ts",
  "render.ts",
]);
const SHAPES = new Set(["types.ts"]);
const IMPORT =
  /^\s*(?:import|export)\s[^"';]*?from\s*["']([^"']+)["']|^\s*import\s*["']([^"']+)["']|import\(\s*["']([^"']+)["']/gm;
const AMBIENT = /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bprocess\.|\bperformance\./;

function breaches(file: string, text: string): string[] {
  const out: string[] = [];
  const room = file.split("/")[1]!;
  const pure = PURE.has(basename(file));
  if (!(room in RANK)) out.push(`${file}: room "${room}" has no rank; add it to RANK`);
  if (pure && AMBIENT.test(text))
    out.push(`${file}: pure, yet reads the clock, chance or the process; take it as an argument`);
  for (const hit of text.matchAll(IMPORT)) {
    const target = (hit[1] ?? hit[2] ?? hit[3])!;
    if ((target === "koffi" || target === "node:ffi") && room !== "sys")
      out.push(`${file}: ${target} belongs to sys/`);
    if (!target.startsWith(".")) {
      if (pure) out.push(`${file}: pure, yet imports ${target}`);
      continue;
    }
    const path = normalize(join(dirname(file), target));
    const to = path.split("/")[1]!;
    if (to !== room && !(RANK[to]! < RANK[room]!)) out.push(`${file}: ${room}/ may not import ${to}/`);
    const purePath =
      to === "core" || to === "pattern" || PURE.has(basename(path)) || SHAPES.has(basename(path));
    if (pure && !purePath) out.push(`${file}: pure, yet imports ${to}/${basename(path)}`);
  }
  return out;
}

test("imports point inward only, and pure files touch nothing outside", () => {
  const files = globSync("src/**/*.ts").filter((f) => !/\.(test|bench)\.ts$/.test(f));
  assert.ok(files.length > 0, "no sources found: run from the repository root");
  assert.deepEqual(
    files.flatMap((f) => breaches(f, readFileSync(f, "utf8"))),
    [],
  );
});

test("the check itself sees each kind of breach", () => {
  const cases: [string, string, RegExp][] = [
    ["src/rotate/plan.ts", 'import { readFileSync } from "node:fs";', /imports node:fs/],
    ["src/rotate/plan.ts", 'import { run } from "./execute.ts";', /imports rotate\/execute\.ts/],
    ["src/sentry/detect.ts", 'import { ring } from "../sys/packet-ring.ts";', /imports sys\/packet-ring/],
    ["src/rotate/plan.ts", "const t = Date.now();", /take it as an argument/],
    ["src/rotate/execute.ts", 'import { x } from "../respond/plan.ts";', /may not import respond/],
    ["src/sentry/ring.ts", 'import koffi from "koffi";', /belongs to sys/],
    ["src/core/events.ts", 'await import("../app/main.ts");', /may not import app/],
    ["src/oddity/x.ts", "", /has no rank/],
    ["src/rotate/plan.ts", 'import {\n  a,\n} from "../app/main.ts";', /may not import app/],
  ];
  for (const [file, text, want] of cases) assert.match(breaches(file, text).join("\n"), want, file);
  assert.deepEqual(
    breaches(
      "src/rotate/plan.ts",
      'import type { LogStanza } from "./types.ts";\nimport { ConfigError } from "../core/errors.ts";',
    ),
    [],
  );
});
