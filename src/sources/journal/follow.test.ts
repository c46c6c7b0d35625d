// Against real journal files: systemd-journal-remote writes them, journalctl says what is right.
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import fc from "fast-check";
import { MissingPartError } from "../../core/errors.ts";
import type { Event, EventBody } from "../../core/events.ts";
import type { Follower } from "../types.ts";
import { type FollowJournalOptions, followJournal } from "./follow.ts";

const REMOTE = "/lib/systemd/systemd-journal-remote";
const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 12);

/** The name of what is missing on this machine, for a skip. */
function missing(): string | null {
  if (spawnSync("journalctl", ["--version"]).error !== undefined)
    return "needs journalctl: apt install systemd";
  return existsSync(REMOTE) ? null : "needs systemd-journal-remote: apt install systemd-journal-remote";
}

type Fields = Record<string, string | Uint8Array>;

/** A folder of journal files that grows; every `add` makes one more file, as a rotation of the journal would. */
class Journal {
  readonly directory: string;
  #time = 1_763_841_062_000_000;
  #files = 0;

  constructor(directory: string) {
    this.directory = directory;
  }

  add(entries: readonly Fields[]): void {
    const parts: Buffer[] = [];
    for (const fields of entries) {
      this.#time += 1_234_567;
      const stamp = `__REALTIME_TIMESTAMP=${this.#time}\n__MONOTONIC_TIMESTAMP=${this.#time - 1_763_000_000_000_000}\n`;
      parts.push(Buffer.from(`${stamp}_BOOT_ID=0123456789abcdef0123456789abcdef\n`));
      for (const [name, value] of Object.entries(fields)) {
        const bytes = Buffer.from(value);
        const size = Buffer.alloc(8);
        size.writeBigUInt64LE(BigInt(bytes.length));
        parts.push(Buffer.from(`${name}\n`), size, bytes, Buffer.from("\n"));
      }
      parts.push(Buffer.from("\n"));
    }
    const source = join(this.directory, "source.export");
    writeFileSync(source, Buffer.concat(parts));
    execFileSync(REMOTE, ["-o", join(this.directory, `part${this.#files++}.journal`), source], {
      stdio: "pipe",
    });
    rmSync(source);
  }

  say(...messages: string[]): void {
    this.add(
      messages.map((MESSAGE) => ({ _HOSTNAME: "host", SYSLOG_IDENTIFIER: "app", _PID: "7", MESSAGE })),
    );
  }

  short(): string[] {
    const args = [`--directory=${this.directory}`, "-q", "--no-pager", "-o", "short"];
    const out = execFileSync("journalctl", args, {
      encoding: "latin1",
      env: { ...process.env, LC_ALL: "C.UTF-8" },
    });
    return out === "" ? [] : out.replace(/\n$/, "").split("\n");
  }
}

type Rig = {
  readonly journal: Journal;
  readonly got: string[];
  readonly notices: EventBody[];
  readonly events: EventBody[];
  cursor: unknown;
  refuse: () => void;
  follower(options?: Partial<FollowJournalOptions>): Follower;
};

function rig(t: TestContext): Rig {
  const directory = mkdtempSync(join(tmpdir(), "telltale-journal-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const made: Rig = {
    journal: new Journal(directory),
    got: [],
    notices: [],
    events: [],
    cursor: null,
    refuse: () => {},
    follower: (options = {}) =>
      followJournal({
        directory,
        from: "start",
        cursors: { get: () => made.cursor },
        commit: (batch) => {
          made.refuse();
          made.cursor = JSON.parse(JSON.stringify(batch.cursor));
          for (const line of batch.lines) made.got.push(Buffer.from(line).toString("latin1"));
          made.notices.push(...batch.notices);
        },
        emit: (body) => {
          made.events.push(body);
          return { ...body, v: 1, id: "", host: "", at: "" } as Event;
        },
        ...options,
      }),
  };
  return made;
}

async function until(done: () => boolean, what: string, timeoutMs = 15_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!done()) {
    if (performance.now() > end) assert.fail(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function messagesOf(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/^.*?\]: /, ""));
}

test("shows entries as journalctl does: names, pids, times, several lines, tabs, colours, blobs", async (t) => {
  const skip = missing();
  if (skip !== null) return t.skip(skip);
  const r = rig(t);
  r.journal.add([
    { _HOSTNAME: "h", SYSLOG_IDENTIFIER: "sshd", _PID: "1", SYSLOG_PID: "2", MESSAGE: "both pids" },
    { _HOSTNAME: "h", _COMM: "comm", SYSLOG_PID: "2", MESSAGE: "command name" },
    { _HOSTNAME: "h", MESSAGE: "no name" },
    { SYSLOG_IDENTIFIER: "nohost", MESSAGE: "no host" },
    { _HOSTNAME: "h", SYSLOG_IDENTIFIER: "nomessage" },
    { _HOSTNAME: "h", SYSLOG_IDENTIFIER: "empty", MESSAGE: "" },
    { _HOSTNAME: "h", SYSLOG_IDENTIFIER: "lines", _PID: "77", MESSAGE: "one\n\n  three\n" },
    { _HOSTNAME: "h", SYSLOG_IDENTIFIER: "tab", MESSAGE: "a\tb  " },
    { _HOSTNAME: "h", SYSLOG_IDENTIFIER: "colour", MESSAGE: "\x1b[1;31mred\x1b[0m" },
    { _HOSTNAME: "h", SYSLOG_IDENTIFIER: "blob", MESSAGE: Uint8Array.of(1, 2, 255, 0) },
    { _HOSTNAME: "h", SYSLOG_IDENTIFIER: "bigblob", MESSAGE: new Uint8Array(1_587).fill(1) },
    {
      _HOSTNAME: "h\x01",
      SYSLOG_IDENTIFIER: "bad\x7fname",
      _PID: "7\x1b",
      MESSAGE: "names that are not printable",
    },
    { _HOSTNAME: "h", SYSLOG_IDENTIFIER: "i".repeat(299), _PID: "9", MESSAGE: "long name" },
    { _HOSTNAME: "h", SYSLOG_IDENTIFIER: "i".repeat(300), _COMM: "comm", MESSAGE: "too long a name" },
    { _HOSTNAME: "h", SYSLOG_IDENTIFIER: "utf8", MESSAGE: "grüße — ☃" },
    { _HOSTNAME: "h", SYSLOG_IDENTIFIER: "long", MESSAGE: "x".repeat(5_000) },
    {
      _HOSTNAME: "h",
      SYSLOG_IDENTIFIER: "source",
      _SOURCE_REALTIME_TIMESTAMP: "1763800000000001",
      MESSAGE: "its own time",
    },
    {
      _HOSTNAME: "h",
      SYSLOG_IDENTIFIER: "source",
      _SOURCE_REALTIME_TIMESTAMP: "nonsense",
      MESSAGE: "no time",
    },
  ]);
  await r.follower({ blobs: "hidden" }).poll();
  assert.deepEqual(r.got, r.journal.short());
});

test("any message reads as journalctl shows it", async (t) => {
  const skip = missing();
  if (skip !== null) return t.skip(skip);
  const unit = fc.constantFrom(
    "a",
    " ",
    "\n",
    "\t",
    "\x1b",
    "[",
    "3",
    "m",
    ";",
    "é",
    "\x85",
    "\x7f",
    "\x01",
    "]",
  );
  const message = fc.oneof(fc.string({ unit, maxLength: 20 }), fc.uint8Array({ maxLength: 12 }));
  const name = fc.string({ unit: fc.constantFrom("a", "b", "é", "\x02", " "), minLength: 1, maxLength: 5 });
  const entry = fc.record(
    { _HOSTNAME: name, SYSLOG_IDENTIFIER: name, MESSAGE: message },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { minLength: 5, maxLength: 40 }), async (entries) => {
      const r = rig(t);
      r.journal.add(entries.map((fields) => ({ PRIORITY: "6", ...fields }) as Fields));
      await r.follower({ blobs: "hidden" }).poll();
      assert.deepEqual(r.got, r.journal.short());
    }),
    { numRuns: RUNS },
  );
});

test("a message with control characters is shown to the rules, not hidden from them", async (t) => {
  const skip = missing();
  if (skip !== null) return t.skip(skip);
  const r = rig(t);
  r.journal.add([{ _HOSTNAME: "h", SYSLOG_IDENTIFIER: "sshd", MESSAGE: "Failed password for \x01root" }]);
  await r.follower().poll();
  assert.match(r.got[0]!, / sshd: Failed password for \x01root$/);
});

test("every entry comes once, across looks, new journal files and refused batches", async (t) => {
  const skip = missing();
  if (skip !== null) return t.skip(skip);
  const r = rig(t);
  r.journal.say("1", "2", "3");
  await r.follower().poll();
  await r.follower().poll();
  r.journal.say("4");
  r.refuse = () => {
    throw new Error("disk full");
  };
  await assert.rejects(r.follower().poll(), /^Error: disk full$/);
  r.refuse = () => {};
  r.journal.say("5", "6");
  await r.follower().poll();
  await r.follower().poll();
  assert.deepEqual(messagesOf(r.got), ["1", "2", "3", "4", "5", "6"]);
  assert.deepEqual([...r.notices, ...r.events], []);
});

test("asked to begin at the end, takes only what comes later", async (t) => {
  const skip = missing();
  if (skip !== null) return t.skip(skip);
  const r = rig(t);
  r.journal.say("old");
  await r.follower({ from: "end" }).poll();
  assert.deepEqual(r.got, []);
  r.journal.say("new");
  await r.follower({ from: "end" }).poll();
  assert.deepEqual(messagesOf(r.got), ["new"]);
});

test("asked to begin at a time, takes what is younger", async (t) => {
  const skip = missing();
  if (skip !== null) return t.skip(skip);
  const r = rig(t);
  r.journal.say("1", "2", "3");
  // Entries are 1.234567 s apart.
  await r.follower({ from: new Date(1_763_841_062_000 + 2_000) }).poll();
  assert.deepEqual(messagesOf(r.got), ["2", "3"]);
});

test("when its parent is killed, journalctl does not stay behind", async (t) => {
  const skip = missing();
  if (skip !== null) return t.skip(skip);
  const r = rig(t);
  r.journal.say("1");
  const program = `
    import { followJournal } from ${JSON.stringify(new URL("./follow.ts", import.meta.url).href)};
    const follower = followJournal({ directory: process.argv[1], cursors: { get: () => null }, commit: () => {}, emit: (body) => body });
    await follower.start();
    console.log("ready");`;
  const parent = spawn(process.execPath, ["--input-type=module", "-e", program, r.journal.directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(parent.stdout, "data");
  await until(() => childrenNamed("journalctl", r.journal.directory, parent.pid).length === 1, "it runs");
  const [pid] = childrenNamed("journalctl", r.journal.directory, parent.pid);
  parent.kill("SIGKILL");
  await until(() => !existsSync(`/proc/${pid}`), "it is gone");
});

test("when the entry read last was vacuumed away, nothing that is left is skipped, and the gap is told", async (t) => {
  const skip = missing();
  if (skip !== null) return t.skip(skip);
  const r = rig(t);
  r.journal.say("1", "2");
  await r.follower().poll();
  r.journal.say("3", "4");
  rmSync(join(r.journal.directory, "part0.journal"));
  await r.follower().poll();
  assert.deepEqual(messagesOf(r.got), ["1", "2", "3", "4"]);
  assert.equal(r.notices[0]?.type, "lines.skipped");
});

test("a cursor that this journal does not understand is replaced by the time in it", async (t) => {
  const skip = missing();
  if (skip !== null) return t.skip(skip);
  const r = rig(t);
  r.journal.say("1", "2", "3");
  await r.follower().poll();
  const { cursor } = r.cursor as { cursor: string };
  r.journal.say("4");
  r.cursor = { v: 1, cursor: `nonsense;${/t=\w+/.exec(cursor)![0]}` };
  r.got.length = 0;
  await r.follower().poll();
  assert.deepEqual(messagesOf(r.got), ["4"]);
});

test("live: entries arrive by themselves; a killed journalctl is started again and nothing is lost", async (t) => {
  const skip = missing();
  if (skip !== null) return t.skip(skip);
  const r = rig(t);
  r.journal.say("1");
  const follower = r.follower();
  t.after(() => follower.stop());
  await follower.start();
  assert.deepEqual(messagesOf(r.got), ["1"]);
  r.journal.say("2");
  await until(() => r.got.length === 2, "an entry in a new file");
  for (const pid of childrenNamed("journalctl", r.journal.directory)) process.kill(pid, "SIGKILL");
  r.journal.say("3");
  await until(() => r.got.length === 3, "started again");
  assert.deepEqual(messagesOf(r.got), ["1", "2", "3"]);
  await until(() => r.events.length === 2, "told");
  assert.deepEqual(
    r.events.map(({ type }) => type),
    ["part.failed", "part.recovered"],
  );
  await follower.stop();
  assert.deepEqual(childrenNamed("journalctl", r.journal.directory), [], "nothing left running");
});

test("live: refused entries come again", async (t) => {
  const skip = missing();
  if (skip !== null) return t.skip(skip);
  const r = rig(t);
  r.journal.say("1");
  const follower = r.follower();
  t.after(() => follower.stop());
  await follower.start();
  let refused = 0;
  r.refuse = () => {
    refused++;
    throw new Error("disk full");
  };
  r.journal.say("2", "3");
  await until(() => refused > 0, "refused");
  r.refuse = () => {};
  await until(() => r.got.length === 3, "taken");
  assert.deepEqual(messagesOf(r.got), ["1", "2", "3"]);
});

test("without a journal, or without journalctl, it says which part is missing", async (t) => {
  const skip = missing();
  if (skip !== null) return t.skip(skip);
  const r = rig(t);
  const nowhere = r.follower({ directory: join(r.journal.directory, "none") });
  await assert.rejects(
    nowhere.start(),
    (error) => error instanceof MissingPartError && /no journal/.test(error.message),
  );
  const path = process.env["PATH"];
  process.env["PATH"] = "/nonexistent";
  try {
    await assert.rejects(r.follower().start(), (error) => {
      assert.ok(error instanceof MissingPartError);
      assert.match(error.message, /journalctl is not installed/);
      return true;
    });
  } finally {
    process.env["PATH"] = path;
  }
});

test("a journal that may not be read is named, with the group that may", async (t) => {
  const skip = missing();
  if (skip !== null) return t.skip(skip);
  if (process.getuid?.() !== 0) return t.skip("needs root: run as root");
  const r = rig(t);
  r.journal.say("secret");
  chmodSync(r.journal.directory, 0o755);
  for (const name of readdirSync(r.journal.directory)) chmodSync(join(r.journal.directory, name), 0o600);
  process.seteuid?.(65534);
  try {
    await assert.rejects(r.follower().start(), (error) => {
      assert.ok(error instanceof MissingPartError && /may not read/.test(error.message), String(error));
      assert.match(error.mend, /usermod -aG systemd-journal nobody/);
      return true;
    });
  } finally {
    process.seteuid?.(0);
  }
});

test("a journal without entries is followed until its first one, even when asked to begin at the end", async (t) => {
  const skip = missing();
  if (skip !== null) return t.skip(skip);
  const r = rig(t);
  r.journal.add([{ _HOSTNAME: "h" }]);
  const follower = r.follower({ from: "end", file: undefined });
  t.after(() => follower.stop());
  await follower.start();
  r.journal.say("first");
  await until(() => r.got.length === 1, "the first");
  assert.deepEqual(messagesOf(r.got), ["first"]);
});

/** Our own children with that name, about that folder. */
function childrenNamed(name: string, about: string, of = process.pid): number[] {
  const found: number[] = [];
  for (const pid of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      const parent = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
      if (parent === String(of) && command.startsWith(name) && command.includes(about))
        found.push(Number(pid));
    } catch {
      // Gone between the listing and the look.
    }
  }
  return found;
}
