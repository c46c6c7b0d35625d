// A figure that somebody reads in README or the manual comes from a bench, and the paragraph says so: nobody has to believe it.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";

const ROOT = join(import.meta.dirname, "..");
// The pages of keys and man pages are made from tables, whose durations are settings and no claims.
const PAGES = ["README.md", "SECURITY.md", ...globSync("docs/manual/*.md", { cwd: ROOT })].filter(
  (page) => !page.endsWith("configuration.md"),
);
const CLAIM =
  /\d\s?(?:ms|µs|MB\/s|lines\/s|MB of memory)\b|\d (?:lines|packets|blocks) a second|\d\s?(?:×|times) (?:faster|slower|less|as fast)/;
const NAMED = /npm run bench|benchmarks\.md/;

const claimsIn = (text: string): string[] =>
  text
    .replaceAll(/^```.*?^```$/gms, "")
    .split(/\n\s*\n/)
    .filter((paragraph) => CLAIM.test(paragraph) && !NAMED.test(paragraph));

test("a figure of speed or memory in README and the manual names its bench", () => {
  for (const page of PAGES) assert.deepEqual(claimsIn(readFileSync(join(ROOT, page), "utf8")), [], page);
});

test("what is no claim passes, and a claim without its bench is seen", () => {
  assert.deepEqual(claimsIn("It takes 0.3 ms.\n\nIt reads 100,000 lines a second."), [
    "It takes 0.3 ms.",
    "It reads 100,000 lines a second.",
  ]);
  assert.deepEqual(claimsIn("It is 20 times faster (`npm run bench -- check --only typical`)."), []);
  assert.deepEqual(claimsIn("At the fourth port, for 10 minutes.\n\n```\n12 ms\n```"), []);
});
