// Every way to lose the rest of a log under logtail2's bookkeeping, with nothing lost.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { zstdCompressSync } from "node:zlib";
import { collectUnseen } from "../check/collect.ts";
import { Gatherer } from "../check/gather.ts";
import { loadRuleBook } from "../check/rules.ts";
import { readLostLines } from "./lost-lines.ts";

// A log in which every step has a time of its own; in the future, because a file cannot be made to be born earlier.
class Log {
  readonly dir = mkdtempSync(join(tmpdir(), "telltale-lost-"));
  readonly path = join(this.dir, "log");
  #seconds = Math.floor(Date.now() / 1000) + 1_000;
  readonly #open: number[] = [];
  readonly complaints: string[] = [];

  constructor(t: test.TestContext) {
    t.after(() => {
      this.#open.forEach((fd) => void closeSync(fd));
      rmSync(this.dir, { recursive: true, force: true });
    });
    this.write("begin");
  }

  get offset(): string {
    return join(this.dir, `offset${this.path.replaceAll("/", ".")}`);
  }

  write(text: string): void {
    appendFileSync(this.path, `${text}\n`);
    this.#tick(this.path);
  }

  rename(): void {
    this.#shift();
    renameSync(this.path, `${this.path}.1`);
  }

  copyAndTruncate(): void {
    this.#shift();
    copyFileSync(this.path, `${this.path}.1`);
    this.#tick(`${this.path}.1`);
    truncateSync(this.path);
    this.#tick(this.path);
  }

  compress(number: number, ...command: string[]): void {
    // Somebody keeps the file open, so that its inode is not given to the next one.
    this.#open.push(openSync(`${this.path}.${number}`, "r"));
    execFileSync(command[0]!, [...command.slice(1), `${this.path}.${number}`]);
  }

  // As zstd(1) does, without needing it.
  compressWithZstd(number: number): void {
    const plain = `${this.path}.${number}`;
    const { mtime } = statSync(plain);
    writeFileSync(`${plain}.zst`, zstdCompressSync(readFileSync(plain)));
    utimesSync(`${plain}.zst`, mtime, mtime);
    renameSync(plain, join(this.dir, "compressed"));
  }

  damage(path: string): void {
    truncateSync(path, readFileSync(path).length - 9);
    this.#tick(path);
  }

  async read(): Promise<string> {
    const book = loadRuleBook(this.dir, { level: "server", eitherTimestamp: false });
    using gatherer = new Gatherer(book, { sortUniq: false, spillDir: () => this.dir });
    const collected = await collectUnseen([this.path], gatherer, {
      stateDir: this.dir,
      env: {},
      lostLines: readLostLines,
    });
    this.complaints.push(...collected.unreadable.map(({ entry, why }) => `${entry}: ${why}`));
    collected.commit();
    if (existsSync(this.offset)) this.#tick(this.offset);
    const lines: string[] = [];
    for (const section of gatherer.sections()) {
      gatherer.visit(section, (bytes, start, end) =>
        lines.push(Buffer.from(bytes.subarray(start, end)).toString()),
      );
    }
    return lines.join(" ");
  }

  #tick(path: string): void {
    this.#seconds += 10;
    utimesSync(path, this.#seconds, this.#seconds);
  }

  #shift(): void {
    for (let number = 8; number > 0; number--) {
      for (const ending of ["", ".gz", ".xz", ".bz2"]) {
        const from = `${this.path}.${number}${ending}`;
        if (existsSync(from)) renameSync(from, `${this.path}.${number + 1}${ending}`);
      }
    }
  }
}

test("finds the rest of a log that was rotated and compressed with zstd", async (t) => {
  const log = new Log(t);
  await log.read();
  log.write("rest");
  log.rename();
  log.compressWithZstd(1);
  log.write("now");
  assert.equal(await log.read(), "now rest");
});

const PROGRAMS: [string, ...string[]][] = [["gzip"], ["bzip2"], ["xz"]];

for (const program of PROGRAMS) {
  test(`finds the rest of a log that was rotated and compressed by ${program[0]}`, async (t) => {
    const log = new Log(t);
    try {
      execFileSync(program[0], ["--version"], { stdio: "ignore" });
    } catch {
      return t.skip(`needs ${program[0]}: apt install ${program[0] === "xz" ? "xz-utils" : program[0]}`);
    }
    assert.equal(await log.read(), "begin");
    log.write("rest-1");
    log.rename();
    log.write("whole-2");
    log.rename();
    log.compress(2, ...program);
    log.compress(1, ...program);
    log.write("now-3");
    // Lines without dates sort by their text, which is their order here.
    assert.equal(await log.read(), "now-3 rest-1 whole-2");
    assert.equal(await log.read(), "");
    assert.deepEqual(log.complaints, []);
  });
}

test("a log that was read to its end before it was compressed is not read again", async (t) => {
  const log = new Log(t);
  await log.read();
  log.rename();
  log.compress(1, "gzip");
  log.write("a longer line than the one before it");
  log.rename();
  log.compress(1, "gzip");
  log.write("now");
  assert.equal(await log.read(), "a longer line than the one before it now");
});

test("old generations that were written before the last look are left alone", async (t) => {
  const log = new Log(t);
  log.rename();
  log.compress(1, "gzip");
  log.write("second");
  assert.equal(await log.read(), "second");
  renameSync(log.path, join(log.dir, "elsewhere"));
  log.write("third");
  assert.equal(await log.read(), "third");
});

test("a new log that got the inode of the old one is a new log", async (t) => {
  const log = new Log(t);
  await log.read();
  utimesSync(log.offset, 1_000_000, 1_000_000);
  writeFileSync(log.path, "new\n");
  assert.equal(await log.read(), "new");
});

test("finds what copytruncate took away, and still warns that the log shrank", async (t) => {
  const log = new Log(t);
  assert.equal(await log.read(), "begin");
  log.write("rest");
  log.copyAndTruncate();
  log.write("new");
  const text = await log.read();
  assert.match(text, /\*\*\* WARNING \*\*\*/);
  assert.match(text, / new rest$/);
  log.copyAndTruncate();
  assert.doesNotMatch(await log.read(), /new|rest/);
});

test("a damaged generation is named, and the log itself is read", async (t) => {
  const log = new Log(t);
  await log.read();
  log.write("rest");
  log.rename();
  log.compress(1, "gzip");
  log.damage(`${log.path}.1.gz`);
  log.write("now");
  assert.match(await log.read(), /now/);
  assert.match(log.complaints.join(), /an earlier generation/);
});
