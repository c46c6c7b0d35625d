// The pattern engine with one helper thread, as large logs are judged: RULES LOG LOCALE. Prints what telltale.ts prints;
// compiling ends when the helper has judged its first block, so that scanning is what two threads do together.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { LineSplitter } from "../../src/check/lines.ts";
import { loadRuleBook } from "../../src/check/rules.ts";
import { Team, type TeamOutput } from "../../src/check/team/team.ts";

const GIVE_UP_MS = 30_000;

const [rulesFile, logFile, locale] = process.argv.slice(2);
const dir = mkdtempSync(join(tmpdir(), "telltale-bench-rules-"));
try {
  mkdirSync(join(dir, "ignore.d.server"));
  symlinkSync(resolve(rulesFile!), join(dir, "ignore.d.server", "all"));
  measure();
} finally {
  rmSync(dir, { recursive: true, force: true });
}

function measure(): void {
  const began = performance.now();
  const book = loadRuleBook(dir, {
    level: "server",
    locale: locale === "C" ? "C" : "C.UTF-8",
    eitherTimestamp: false,
  });
  let lines = 0;
  let reported = 0;
  const output: TeamOutput = {
    take: () => {
      reported++;
    },
    count: (more) => {
      lines += more;
    },
  };
  const rules = { dir, options: book.options, name: book.name(), compiled: null };
  const longLines = new LineSplitter(() => {
    throw new Error("a line longer than a block: not a log for this bench");
  });
  using team = new Team(book.verdicts, output, longLines);
  team.addHelpers(rules, 1);
  const log = readFileSync(logFile!);
  while (team.helped === 0) {
    if (performance.now() - began > GIVE_UP_MS) throw new Error("the helper never began");
    team.write(log.subarray(0, 4 << 20));
    team.flush();
  }
  const buildMs = performance.now() - began;
  lines = 0;
  reported = 0;
  const scanBegan = performance.now();
  team.write(log);
  team.flush();
  const scanMs = performance.now() - scanBegan;
  const rssMb = (process.resourceUsage().maxRSS * 1_024) / 1e6;
  process.stdout.write(
    `${JSON.stringify({ buildMs, scanMs, lines, matched: lines - reported, rssMb, blocksByHelper: team.helped })}\n`,
  );
}
