// A helper of the team: reads the rules as the main thread did, and judges blocks until told to end. It does nothing but
// judge: what becomes of a line is decided where the lines are gathered.
import { workerData } from "node:worker_threads";
import { CompiledRules } from "../compiled.ts";
import { loadRuleBook } from "../rules.ts";
import { Board, type BoardMemory, DONE, judgeBlock, TAKEN, WRITING } from "./board.ts";
import type { HelperRules } from "./team.ts";

const { memory, rules } = workerData as { memory: BoardMemory; rules: HelperRules };

const board = new Board(memory);
const compiled = rules.compiled === null ? null : new CompiledRules(rules.compiled.path, rules.compiled.uid);
const book = loadRuleBook(rules.dir, { ...rules.options, ...(compiled && { compiled }) });
// Rules that were changed since the main thread read them would make two reports of one.
if (book.name() === rules.name) work();

function work(): void {
  const verdicts = new Uint8Array(board.block(0).length);
  while (!board.isOver) {
    const { calls } = board;
    const slot = board.takeFrom(0);
    if (slot < 0) {
      board.waitForCall(calls);
      continue;
    }
    const count = judgeBlock(board.block(slot), board.size(slot), book.verdict, verdicts);
    // Taken back in the meantime: the main thread gave up on us.
    if (!board.move(slot, TAKEN, WRITING)) return;
    board.verdicts(slot).set(verdicts.subarray(0, count));
    board.countHelp();
    board.move(slot, WRITING, DONE);
  }
}
