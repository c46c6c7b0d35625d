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

// As logs are judged: so many lines are asked about at once.
const LINES_AT_ONCE = 256;

function scan(log: Buffer): { lines: number; matched: number } {
  const starts = new Int32Array(LINES_AT_ONCE);
  const ends = new Int32Array(LINES_AT_ONCE);
  const firsts = new Int32Array(LINES_AT_ONCE);
  let lines = 0;
  let matched = 0;
  for (let start = 0; start < log.length; ) {
    let count = 0;
    for (; count < LINES_AT_ONCE && start < log.length; count++) {
      const newline = log.indexOf(10, start);
      starts[count] = start;
      ends[count] = newline < 0 ? log.length : newline;
      start = ends[count]! + 1;
    }
    set.firstOfEach(log, { starts, ends, count }, firsts);
    for (let i = 0; i < count; i++) if (firsts[i]! >= 0) matched++;
    lines += count;
  }
  return { lines, matched };
}

const log = readFileSync(logFile!);
const scanBegan = performance.now();
const { lines, matched } = scan(log);
const scanMs = performance.now() - scanBegan;
const rssMb = (process.resourceUsage().maxRSS * 1_024) / 1e6;
process.stdout.write(`${JSON.stringify({ buildMs, scanMs, lines, matched, rssMb, ...set.stats() })}\n`);
