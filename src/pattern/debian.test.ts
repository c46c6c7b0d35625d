// Debian's logcheck rules, each alone and all as one set, on log lines and on lines made from the rules themselves:
// what grep prints is what we match.
import assert from "node:assert/strict";
import test from "node:test";
import { decodeSymbols } from "./locale/symbols.ts";
import { compilePatternSet } from "./set.ts";
import { parsePattern } from "./syntax/parse.ts";
import { SetTable } from "./syntax/set-table.ts";
import { debianMissing, debianRules, serverLines } from "./testing/debian.ts";
import { grepMissing, judge } from "./testing/grep.ts";
import { mutate, randomFrom, sampleLine } from "./testing/sample.ts";

// Every rule alone costs a process each: by default every 40th, with TELLTALE_RUNS=4000 every one.
const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 100);

function linesFor(rule: Buffer, locale: "C" | "C.UTF-8", random: () => number, count: number): Buffer[] {
  const sets = new SetTable(locale, false);
  const parsed = parsePattern(decodeSymbols(rule, 0, rule.length, locale), sets, "matcher");
  if ("fault" in parsed) return [];
  const lines: Buffer[] = [];
  for (let i = 0; i < count; i++) {
    const line = sampleLine(parsed.node, sets, random);
    lines.push(line, mutate(line, random));
  }
  return lines;
}

for (const locale of ["C", "C.UTF-8"] as const) {
  test(`each Debian rule alone matches what grep prints in ${locale}`, (t) => {
    if (grepMissing !== null || debianMissing !== null) return t.skip((grepMissing ?? debianMissing)!);
    const rules = debianRules();
    const every = Math.max(1, Math.floor((rules.length * 2) / RUNS));
    const random = randomFrom(7);
    const logs = serverLines(100, 11);
    let matched = 0;
    for (let index = Math.floor(random() * every); index < rules.length; index += every) {
      const rule = rules[index]!;
      const lines = [...linesFor(rule, locale, random, 15), ...logs];
      const { set, faults } = compilePatternSet([rule], { locale });
      const said = judge([rule], lines, { locale });
      assert.ok("matching" in said === (faults.length === 0), `${rule}: ${JSON.stringify(said)}`);
      if (!("matching" in said)) continue;
      matched += said.matching.size;
      lines.forEach((line, at) => {
        assert.equal(set.matches(line), said.matching.has(at), `${rule}\n${line}\n${line.toString("hex")}`);
      });
    }
    assert.ok(matched > 0);
  });

  test(`Debian rules as one set match what grep -f prints in ${locale}`, (t) => {
    if (grepMissing !== null || debianMissing !== null) return t.skip((grepMissing ?? debianMissing)!);
    // grep alone needs half a minute for all rules in C.UTF-8: by default every eighth there.
    const every = locale === "C" || RUNS >= 1000 ? 1 : 8;
    const rules = debianRules().filter((_, index) => index % every === 0);
    const random = randomFrom(3);
    const made = Array.from({ length: RUNS }, () =>
      linesFor(rules[Math.floor(random() * rules.length)]!, locale, random, 1),
    ).flat();
    const lines = [...serverLines(RUNS, 5), ...made];
    const { set, faults } = compilePatternSet(rules, { locale });
    assert.deepEqual(faults, []);
    const said = judge(rules, lines, { locale });
    if ("undecided" in said) return t.skip("grep did not answer within two minutes");
    assert.ok("matching" in said, JSON.stringify(said));
    lines.forEach((line, at) => {
      assert.equal(set.matches(line), said.matching.has(at), `${line}\n${line.toString("hex")}`);
    });
    assert.ok(said.matching.size > 0 && said.matching.size < lines.length);
  });

  test(`first and all name the rules that match alone in ${locale}`, (t) => {
    if (debianMissing !== null) return t.skip(debianMissing);
    const rules = debianRules();
    const { set } = compilePatternSet(rules, { locale });
    const alone = rules.map((rule) => compilePatternSet([rule], { locale }).set);
    const random = randomFrom(9);
    const lines = [...serverLines(30, 6)];
    for (let i = 0; i < 30; i++) {
      lines.push(...linesFor(rules[Math.floor(random() * rules.length)]!, locale, random, 1));
    }
    for (const line of lines) {
      const want = alone.flatMap((one, index) => (one.matches(line) ? [index] : []));
      assert.deepEqual(set.all(line), want, `${line}`);
      assert.equal(set.first(line), want[0] ?? -1, `${line}`);
    }
  });
}
