// However many threads judge, and whatever becomes of them: the lines come out as one thread would give them.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { randomFrom } from "../../pattern/testing/sample.ts";
import { IGNORED } from "../classify.ts";
import { Gatherer } from "../gather.ts";
import { LineSplitter } from "../lines.ts";
import { loadRuleBook, type RuleBook } from "../rules.ts";
import { BLOCK_BYTES, SLOTS } from "./board.ts";
import { type HelperRules, Team } from "./team.ts";

const DEADLINE_MS = 30_000;

function rulesIn(t: test.TestContext): RuleBook {
  const dir = mkdtempSync(join(tmpdir(), "telltale-team-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const rules = { "cracking.d": "attack", "violations.d": "bad", "ignore.d.server": "quiet\n^$" };
  for (const [layer, text] of Object.entries(rules)) {
    mkdirSync(join(dir, layer));
    writeFileSync(join(dir, layer, "x"), `${text}\n`);
  }
  return loadRuleBook(dir, { level: "server", eitherTimestamp: false });
}

function helperRules(book: RuleBook, name = book.name()): HelperRules {
  return { dir: book.dir, options: book.options, name, compiled: null };
}

/** Lines of every kind, now and then a very long one, and the last without its newline. */
function log(seed: number, sizeBytes: number): Buffer {
  const random = randomFrom(seed);
  const parts: string[] = [];
  for (let size = 0; size < sizeBytes; ) {
    const word = ["attack", "bad", "quiet", "odd", ""][Math.floor(random() * 5)]!;
    const long = random() < 0.0001 ? "long".repeat(BLOCK_BYTES / 3) : "";
    const line = `Nov 22 19:51:02 host ${word} ${Math.floor(random() * 1e6)}${long}`;
    parts.push(word === "" ? "" : line);
    size += line.length + 1;
  }
  return Buffer.from(parts.join("\n"));
}

type Judged = { readonly lines: number; readonly bytes: number; readonly mixed: number };

/** Something that changes when any reported line, its place or its verdict does. */
class Tally {
  lines = 0;
  #bytes = 0;
  #mixed = 0;

  readonly take = (bytes: Uint8Array, start: number, end: number, verdict: number): void => {
    this.#bytes += end - start;
    let mixed = Math.imul(this.#mixed ^ verdict, 0x01000193) + 1;
    for (let at = start; at < end; at += 7) mixed = Math.imul(mixed ^ bytes[at]!, 0x01000193);
    this.#mixed = mixed | 0;
  };

  readonly count = (lines: number): void => {
    this.lines += lines;
  };

  get judged(): Judged {
    return { lines: this.lines, bytes: this.#bytes, mixed: this.#mixed };
  }

  /** A splitter that judges by itself. */
  splitter(book: RuleBook): LineSplitter {
    return new LineSplitter((bytes, start, end) => {
      this.count(1);
      const verdict = book.verdict(bytes, start, end);
      if (verdict !== IGNORED) this.take(bytes, start, end, verdict);
    });
  }
}

function alone(book: RuleBook, logs: readonly Buffer[]): Judged {
  const tally = new Tally();
  const splitter = tally.splitter(book);
  for (const text of logs) {
    splitter.write(text);
    splitter.end();
  }
  return tally.judged;
}

class Rig implements Disposable {
  readonly tally = new Tally();
  readonly team: Team;

  constructor(book: RuleBook, helpers: number, rules = helperRules(book), entry?: URL) {
    this.team = new Team(book.verdicts, this.tally, this.tally.splitter(book));
    this.team.addHelpers(rules, helpers, entry);
  }

  /** Writes the log in pieces of odd sizes, and ends it. */
  write(text: Buffer, pieceBytes: number): void {
    for (let at = 0; at < text.length; at += pieceBytes) this.team.write(text.subarray(at, at + pieceBytes));
    this.team.flush();
  }

  /** Writes the log again and again until a helper has judged a block; how often. */
  writeUntilHelped(text: Buffer): number {
    const endMs = performance.now() + DEADLINE_MS;
    let times = 0;
    for (; this.team.helped === 0; times++) {
      assert.ok(performance.now() < endMs, `no helper within ${DEADLINE_MS} ms`);
      this.write(text, 1 << 20);
    }
    return times;
  }

  [Symbol.dispose](): void {
    this.team[Symbol.dispose]();
  }
}

test("lines and verdicts are those of one thread, in their order, however the bytes are cut", (t) => {
  const book = rulesIn(t);
  for (const [seed, pieceBytes] of [
    [1, 1 << 20],
    [2, 65_537],
    [3, BLOCK_BYTES],
    [4, 3 * BLOCK_BYTES + 1],
  ] as const) {
    using rig = new Rig(book, 1);
    const logs = [
      log(seed, 3 << 20),
      Buffer.from("one line, no newline"),
      log(seed + 10, 100),
      Buffer.alloc(0),
    ];
    for (const text of logs) rig.write(text, pieceBytes);
    assert.deepEqual(rig.tally.judged, alone(book, logs));
  }
});

test("lines that only just fit a block, or only just do not", (t) => {
  const book = rulesIn(t);
  for (const length of [BLOCK_BYTES - 2, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES]) {
    using rig = new Rig(book, 0);
    const text = Buffer.from(`first\n${"x".repeat(length)}\nlast\n\n${"y".repeat(length)}`);
    rig.write(text, 100_000);
    assert.deepEqual(rig.tally.judged, alone(book, [text]), String(length));
  }
});

test("helpers take their part, and their verdicts are ours", (t) => {
  const book = rulesIn(t);
  using rig = new Rig(book, 2);
  const text = log(5, 6 << 20);
  const times = rig.writeUntilHelped(text);
  const logs: Buffer[] = new Array(times).fill(text);
  assert.deepEqual(rig.tally.judged, alone(book, logs));
});

test("a helper that dies with a block in its hands costs time, and no line", (t) => {
  const book = rulesIn(t);
  // Takes the first block it finds, says so where helpers count, and is gone.
  const dying = `import { workerData } from "node:worker_threads";
    const states = new Int32Array(workerData.memory.states);
    for (;;) {
      for (let slot = 0; slot < ${SLOTS}; slot++) {
        const state = Atomics.load(states, slot);
        if ((state & 7) !== 1 || Atomics.compareExchange(states, slot, state, state + 1) !== state) continue;
        Atomics.add(states, ${SLOTS + 2}, 1);
        process.exit(1);
      }
      Atomics.wait(states, ${SLOTS}, Atomics.load(states, ${SLOTS}), 100);
    }`;
  const entry = new URL(`data:text/javascript,${encodeURIComponent(dying)}`);
  using rig = new Rig(book, 2, helperRules(book), entry);
  const text = log(6, 6 << 20);
  const times = rig.writeUntilHelped(text);
  rig.write(text, 1 << 20);
  assert.deepEqual(rig.tally.judged, alone(book, new Array(times + 1).fill(text)));
});

test("helpers that cannot start, or that find other rules, leave the work to us", (t) => {
  const book = rulesIn(t);
  const text = log(7, 2 << 20);
  const want = alone(book, [text]);
  for (const [rules, entry] of [
    [helperRules(book, "rules of yesterday"), undefined],
    [helperRules(book), new URL("file:///nowhere/thread.ts")],
  ] as const) {
    using rig = new Rig(book, 1, rules, entry);
    rig.write(text, 1 << 20);
    assert.deepEqual(rig.tally.judged, want);
    assert.equal(rig.team.helped, 0);
  }
});

test("a block of more reported lines than a helper can name is judged here", (t) => {
  const book = rulesIn(t);
  using rig = new Rig(book, 1);
  const text = Buffer.from("x\n".repeat(1 << 20));
  const times = rig.writeUntilHelped(text);
  assert.deepEqual(rig.tally.judged, alone(book, new Array(times).fill(text)));
});

test("a gatherer with helpers reports what one without reports", (t) => {
  const book = rulesIn(t);
  const dir = mkdtempSync(join(tmpdir(), "telltale-team-spill-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const text = log(8, 4 << 20);
  const reports = [0, 1].map((count) => {
    let prepared = 0;
    using gatherer = new Gatherer(book, {
      sortUniq: false,
      spillDir: () => dir,
      helpers: { count, compiled: null, prepare: () => prepared++ },
    });
    gatherer.write(Buffer.from("a small log\n"));
    gatherer.endOfLog();
    assert.equal(prepared, 0);
    gatherer.expect(1 << 30);
    gatherer.expect(1);
    assert.equal(prepared, count, "once, before the helpers start");
    for (let at = 0; at < text.length; at += 1 << 20) gatherer.write(text.subarray(at, at + (1 << 20)));
    gatherer.endOfLog();
    const lines: string[] = [];
    for (const section of gatherer.sections()) {
      lines.push(`${section.layer} ${section.name}`);
      gatherer.visit(section, (bytes, start, end) =>
        lines.push(Buffer.from(bytes.subarray(start, end)).toString("latin1")),
      );
    }
    return { lines, lineCount: gatherer.lineCount };
  });
  assert.ok(reports[0]!.lines.length > 10_000);
  assert.deepEqual(reports[1], reports[0]);
});
