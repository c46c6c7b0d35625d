// Real journal files through the real journalctl; a wrapper in front of PATH points it at them.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { JournalError, readJournal, readJournalMark, writeJournalMark } from "./journal.ts";

const REMOTE = "/lib/systemd/systemd-journal-remote";

class Journal {
  readonly dir = mkdtempSync(join(tmpdir(), "telltale-journal-"));
  readonly env: NodeJS.ProcessEnv;
  #entries = "";
  #count = 0;

  constructor(t: test.TestContext) {
    t.after(() => rmSync(this.dir, { recursive: true, force: true }));
    mkdirSync(join(this.dir, "bin"));
    const wrapper = join(this.dir, "bin", "journalctl");
    writeFileSync(wrapper, `#!/bin/sh\nexec /usr/bin/journalctl --file ${this.dir}/it.journal "$@"\n`);
    chmodSync(wrapper, 0o755);
    this.env = { PATH: `${this.dir}/bin:${process.env["PATH"]}`, TZ: "UTC", LC_ALL: "C" };
  }

  // Adds entries and writes the whole file anew: a journal that grew.
  add(epochSeconds: number, messages: readonly string[]): void {
    for (const message of messages) {
      const micros = String(this.#count++).padStart(6, "0");
      this.#entries +=
        `__REALTIME_TIMESTAMP=${epochSeconds}${micros}\n__MONOTONIC_TIMESTAMP=${epochSeconds}${micros}\n` +
        "_BOOT_ID=0123456789abcdef0123456789abcdef\n" +
        `_HOSTNAME=host\nSYSLOG_IDENTIFIER=prog\n_PID=7\nMESSAGE=${message}\n\n`;
    }
    const file = join(this.dir, "it.journal");
    rmSync(file, { force: true });
    writeFileSync(join(this.dir, "export"), this.#entries);
    const made = spawnSync(REMOTE, ["-o", file, join(this.dir, "export")], { encoding: "utf8" });
    assert.equal(made.status, 0, made.stderr);
  }

  async read(mark: Parameters<typeof readJournal>[0]): Promise<{ text: string; cursor: string }> {
    const chunks: Buffer[] = [];
    const cursor = await readJournal(mark, (chunk) => chunks.push(Buffer.from(chunk)), this.env);
    return { text: Buffer.concat(chunks).toString("utf8"), cursor };
  }
}

function needs(t: test.TestContext): boolean {
  if (existsSync(REMOTE) && existsSync("/usr/bin/journalctl")) return true;
  t.skip("needs systemd-journal-remote: apt install systemd-journal-remote");
  return false;
}

const NOW_SECONDS = Math.floor(Date.now() / 1000);

test("goes on after the last entry, not after the last second", async (t) => {
  if (!needs(t)) return;
  const journal = new Journal(t);
  const mark = join(journal.dir, "offset.journal");
  journal.add(NOW_SECONDS, ["one", "two"]);
  assert.deepEqual(readJournalMark(mark), { at: "beginning" });
  const first = await journal.read(readJournalMark(mark));
  assert.match(first.text, /^\w{3} [ \d]{2} [\d:]{8} host prog\[7\]: one\n.*: two\n$/);
  writeJournalMark(mark, first.cursor, new Date(1_000_000));
  assert.equal(statSync(mark).mtimeMs, 1_000_000);

  const none = await journal.read(readJournalMark(mark));
  assert.deepEqual(none, { text: "", cursor: first.cursor });
  journal.add(NOW_SECONDS, ["three"]);
  assert.match((await journal.read(readJournalMark(mark))).text, /^[^\n]*: three\n$/);
});

test("takes over from logcheck, whose mark is the time of an empty file", async (t) => {
  if (!needs(t)) return;
  const journal = new Journal(t);
  const mark = join(journal.dir, "offset.journal");
  journal.add(NOW_SECONDS - 100, ["before"]);
  journal.add(NOW_SECONDS - 10, ["after"]);
  writeFileSync(mark, "");
  utimesSync(mark, NOW_SECONDS - 50, NOW_SECONDS - 50);
  assert.deepEqual(readJournalMark(mark), { at: "second", epochSeconds: NOW_SECONDS - 50 });
  const { text, cursor } = await journal.read(readJournalMark(mark));
  assert.match(text, /^[^\n]*: after\n$/);
  writeJournalMark(mark, cursor, new Date());
  assert.match(readFileSync(mark, "utf8"), /^s=[0-9a-f]{32};/);
});

test("the first look goes back a few hours, no further", async (t) => {
  if (!needs(t)) return;
  const journal = new Journal(t);
  journal.add(NOW_SECONDS - 6 * 3_600, ["old"]);
  journal.add(NOW_SECONDS - 3_600, ["recent"]);
  assert.match((await journal.read({ at: "beginning" })).text, /^[^\n]*: recent\n$/);
});

test("a journal with nothing to read is no failure", async (t) => {
  if (!needs(t)) return;
  const journal = new Journal(t);
  journal.add(NOW_SECONDS - 6 * 3_600, ["old"]);
  assert.deepEqual(await journal.read({ at: "beginning" }), { text: "", cursor: "" });
  const mark = { at: "second" as const, epochSeconds: NOW_SECONDS };
  assert.deepEqual(await journal.read(mark), { text: "", cursor: "" });
  journal.env["PATH"] = `${journal.dir}/empty:${process.env["PATH"]}`;
  mkdirSync(join(journal.dir, "empty"));
  mkdirSync(join(journal.dir, "none"));
  const wrapper = join(journal.dir, "empty", "journalctl");
  writeFileSync(wrapper, `#!/bin/sh\nexec /usr/bin/journalctl -D ${journal.dir}/none "$@"\n`);
  chmodSync(wrapper, 0o755);
  assert.deepEqual(await journal.read({ at: "beginning" }), { text: "", cursor: "" });
});

test("a large journal comes through whole, its cursor line kept out", async (t) => {
  if (!needs(t)) return;
  const journal = new Journal(t);
  const messages = Array.from({ length: 5_000 }, (_, i) => `message ${i} -- cursor: not one`);
  journal.add(NOW_SECONDS - 60, messages);
  const { text, cursor } = await journal.read({ at: "beginning" });
  assert.equal(text.split("\n").length, 5_001);
  assert.match(text, /message 4999 -- cursor: not one\n$/);
  assert.match(cursor, /^s=/);
});

test("a journalctl that fails or is missing is an error with its words", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale-journal-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const read = () => readJournal({ at: "beginning" }, () => {}, { PATH: dir });
  await assert.rejects(
    read,
    (error: Error) => error instanceof JournalError && /cannot be run/.test(error.message),
  );
  writeFileSync(join(dir, "journalctl"), "#!/bin/sh\necho 'no such thing' >&2\nexit 3\n");
  chmodSync(join(dir, "journalctl"), 0o755);
  await assert.rejects(read, /status 3: no such thing/);
});
