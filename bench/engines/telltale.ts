// The pattern engine alone, on one core: RULES LOG LOCALE. Prints what hyperscan.c prints, for the same work.
import { readFileSync } from "node:fs";
import { compilePatternSet } from "../../src/pattern/set.ts";

const [rulesFile, logFile, locale] = process.argv.slice(2);
const rules = readFileSync(rulesFile!, "latin1")
  .split("\n")
  .filter((rule) => rule !== "")
  .map((rule) => Buffer.from(rule, "latin1"));

const began = performance.now();
const { set } = compilePatternSet(rules, { locale: locale === "C" ? "C" : "C.UTF-8" });
const buildMs = performance.now() - began;

const log = readFileSync(logFile!);
const scanBegan = performance.now();
let lines = 0;
let matched = 0;
for (let start = 0; start < log.length; lines++) {
  const newline = log.indexOf(10, start);
  const end = newline < 0 ? log.length : newline;
  if (set.matches(log, start, end)) matched++;
  start = end + 1;
}
const scanMs = performance.now() - scanBegan;
const rssMb = (process.resourceUsage().maxRSS * 1_024) / 1e6;
process.stdout.write(`${JSON.stringify({ buildMs, scanMs, lines, matched, rssMb, ...set.stats() })}\n`);
