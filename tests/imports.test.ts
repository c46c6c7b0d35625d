// The arrow drawn in ARCHITECTURE.md is true only while this test holds it: an import points to a smaller rank,
// and what a pure file reaches is pure as well.

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
  disk: 3,
  fleet: 3,
  console: 3,
  faces: 4,
  app: 5,
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
const IMPORT =
  /^\s*(?:import|export)\s[^"';]*?from\s*["']([^"']+)["']|^\s*import\s*["']([^"']+)["']|import\(\s*["']([^"']+)["']/gm;
const TYPE_IMPORT = /^\s*import\s+type\s[^"';]*?from\s*["']([^"']+)["']/gm;
const AMBIENT = /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bprocess\.|\bperformance\./;

type Sources = ReadonlyMap<string, string>;

const roomOf = (file: string): string => file.split("/")[1]!;
const targetsOf = (text: string): string[] =>
  [...text.matchAll(IMPORT)].map((hit) => (hit[1] ?? hit[2] ?? hit[3])!);
// Comments may speak of the clock; only code may not read it.
const codeOf = (text: string): string => text.replace(/^\s*(\/\/|\*|\/\*).*$/gm, "");

function breaches(file: string, sources: Sources): string[] {
  const out: string[] = [];
  const text = sources.get(file)!;
  const room = roomOf(file);
  if (!(room in RANK)) out.push(`${file}: room "${room}" has no rank; add it to RANK`);
  for (const target of targetsOf(text)) {
    if ((target === "koffi" || target === "node:ffi") && room !== "sys")
      out.push(`${file}: ${target} belongs to sys/`);
    if (!target.startsWith(".")) continue;
    const to = roomOf(normalize(join(dirname(file), target)));
    if (to !== room && !(RANK[to]! < RANK[room]!)) out.push(`${file}: ${room}/ may not import ${to}/`);
  }
  if (PURE.has(basename(file))) out.push(...impurities(file, sources, new Set()));
  return out;
}

// Everything in its own room that a pure file loads must be pure too, whatever its name; core and pattern are by rank.
function impurities(file: string, sources: Sources, seen: Set<string>): string[] {
  if (seen.has(file)) return [];
  seen.add(file);
  const out: string[] = [];
  const text = sources.get(file);
  if (text === undefined) return out;
  if (AMBIENT.test(codeOf(text)))
    out.push(`${file}: pure, yet reads the clock, chance or the process; take it as an argument`);
  const types = new Set([...text.matchAll(TYPE_IMPORT)].map((hit) => hit[1]!));
  for (const target of targetsOf(text)) {
    if (types.has(target)) continue; // types are erased before anything runs
    if (!target.startsWith(".")) {
      out.push(`${file}: pure, yet imports ${target}`);
      continue;
    }
    const path = normalize(join(dirname(file), target));
    const to = roomOf(path);
    if (to === "core" || to === "pattern") continue;
    if (to !== roomOf(file)) out.push(`${file}: pure, yet imports ${to}/${basename(path)}`);
    else out.push(...impurities(path, sources, seen));
  }
  return out;
}

test("imports point inward only, and pure files touch nothing outside", () => {
  const files = globSync("src/**/*.ts").filter((f) => !/\.(test|bench|contract)\.ts$/.test(f));
  assert.ok(files.length > 0, "no sources found: run from the repository root");
  const sources = new Map(files.map((file) => [file, readFileSync(file, "utf8")]));
  assert.deepEqual(
    files.flatMap((file) => breaches(file, sources)),
    [],
  );
});

test("the check itself sees each kind of breach", () => {
  const disk = 'import { readFileSync } from "node:fs";';
  const cases: [string, string, RegExp][] = [
    ["src/rotate/plan.ts", disk, /imports node:fs/],
    ["src/rotate/plan.ts", 'import { run } from "./execute.ts";', /rotate\/execute\.ts: .*imports node:fs/],
    ["src/sentry/detect.ts", 'import { ring } from "../sys/packet-ring.ts";', /imports sys\/packet-ring/],
    ["src/rotate/plan.ts", "const t = Date.now();", /take it as an argument/],
    ["src/rotate/execute.ts", 'import { x } from "../respond/plan.ts";', /may not import respond/],
    ["src/sentry/ring.ts", 'import koffi from "koffi";', /belongs to sys/],
    ["src/core/events.ts", 'await import("../app/main.ts");', /may not import app/],
    ["src/oddity/x.ts", "", /has no rank/],
    ["src/rotate/plan.ts", 'import {\n  a,\n} from "../app/main.ts";', /may not import app/],
  ];
  for (const [file, text, want] of cases) {
    const sources = new Map([
      ["src/rotate/execute.ts", disk],
      [file, text],
    ]);
    assert.match(breaches(file, sources).join("\n"), want, file);
  }
  const clean =
    'import type { LogStanza } from "./types.ts";\nimport { ConfigError } from "../core/errors.ts";\n// Date.now() is an argument\n';
  assert.deepEqual(breaches("src/rotate/plan.ts", new Map([["src/rotate/plan.ts", clean]])), []);
});
