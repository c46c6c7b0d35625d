// A helper of the team: reads the rules as the main thread did, and judges blocks until told to end. It does nothing but
// judge: what becomes of a line is decided where the lines are gathered.
import { workerData } from "node:worker_threads";
import { CompiledRules } from "../compiled.ts";
import { loadRuleBook } from "../rules.ts";
import { BlockJudge } from "./block.ts";
import { BlockReport, Board, type BoardMemory, DONE, WRITING } from "./board.ts";
import type { HelperRules } from "./team.ts";

const { memory, rules } = workerData as { memory: BoardMemory; rules: HelperRules };

const board = new Board(memory);
const compiled = rules.compiled === null ? null : new CompiledRules(rules.compiled.path, rules.compiled.uid);
const book = loadRuleBook(rules.dir, { ...rules.options, ...(compiled && { compiled }) });
// Rules that were changed since the main thread read them would make two reports of one.
if (book.name() === rules.name) work();

function work(): void {
  const report = new BlockReport();
  const judge = new BlockJudge(book.verdicts);
  while (!board.isOver) {
    const { calls } = board;
    const taken = board.takeFrom(0);
    if (taken === null) {
      board.waitForCall(calls);
      continue;
    }
    const { slot } = taken;
    report.clear();
    report.lines = judge.judge(board.block(slot), board.size(slot), report.add);
    const writing = board.move(slot, taken.state, WRITING);
    // Taken back in the meantime: we were too slow, and what we read may have changed below us.
    if (writing === null) continue;
    board.write(slot, report);
    board.countHelp();
    board.move(slot, writing, DONE);
  }
}
