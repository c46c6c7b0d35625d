import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { textOf } from "./names/bytes.ts";
import { formatState, parseState, pruneState, saveState } from "./state.ts";

test("what is written is read again, whatever the log is called", () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.string({ minLength: 1, unit: "grapheme" }),
        fc.integer({ min: 900_000_000, max: 4_000_000_000 }),
      ),
      (entries) => {
        const stamps = new Map(Object.entries(entries).map(([path, seconds]) => [path, seconds * 1000]));
        const { stamps: read, faults } = parseState(textOf(formatState(stamps)), "state");
        assert.deepEqual(faults, []);
        assert.deepEqual(new Map([...read].sort()), new Map([...stamps].sort()));
      },
    ),
    { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 200) },
  );
});

test("a newline, a quote or a backslash in a name forges no second line", () => {
  const text = formatState(new Map([['/l/a"\n"/etc/passwd" 2099-1-1-0:0:0\n\\', 0]]));
  assert.equal(text.toString().split("\n").length, 3);
});

test("one bad line costs that line", () => {
  const { stamps, faults } = parseState(
    'logrotate state -- version 2\n"/a" 2024-1-2-3:4:5\n"/b" 2024-13-1\nrubbish\n"/c 2024-1-1\n"/d" 1850-1-1\n"/e" 2024-1-1\n',
    "/state",
  );
  assert.deepEqual([...stamps.keys()], ["/a", "/e"]);
  assert.deepEqual(
    faults.map((fault) => fault.line),
    [3, 4, 5, 6],
  );
});

test("version 1 and dates without a time are read; another file is refused whole", () => {
  assert.equal(
    parseState("logrotate state -- version 1\n/a 2024-1-2\n", "s").stamps.get("/a"),
    new Date(2024, 0, 2).getTime(),
  );
  const other = parseState("#!/bin/sh\n", "s");
  assert.equal(other.stamps.size, 0);
  assert.match(other.faults[0]?.message ?? "", /version 2/);
});

test("the file keeps its mode, a new one is private to its group, a device is left alone", () => {
  const root = mkdtempSync(join(tmpdir(), "tt-state-"));
  try {
    const path = join(root, "status");
    saveState(path, new Map([["/a", 0]]));
    assert.equal(statSync(path).mode & 0o777, 0o640);
    chmodSync(path, 0o600);
    saveState(path, new Map([["/b", 0]]));
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.match(readFileSync(path, "utf8"), /"\/b"/);
    saveState("/dev/null", new Map());
    // A link that somebody left where the new file is written must not be followed.
    const victim = join(root, "victim");
    writeFileSync(victim, "precious");
    symlinkSync(victim, `${path}.tmp`);
    assert.throws(() => saveState(path, new Map()), /EEXIST/);
    assert.equal(readFileSync(victim, "utf8"), "precious");
    assert.deepEqual(readdirSync(root).sort(), ["status", "status.tmp", "victim"]);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});

test("a state that is a link elsewhere stays one, and what it leads to is replaced", () => {
  const root = mkdtempSync(join(tmpdir(), "tt-state-"));
  try {
    mkdirSync(join(root, "disk"));
    const path = join(root, "status");
    symlinkSync("disk/kept", path);
    writeFileSync(join(root, "disk/kept"), "", { mode: 0o600 });
    const stamps = new Map([["/l/a", new Date(2026, 1, 2).getTime()]]);
    saveState(path, stamps);
    assert.equal(readlinkSync(path), "disk/kept");
    assert.deepEqual(parseState(readFileSync(path, "utf8"), path).stamps, stamps);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    rmSync(path);
    symlinkSync("/dev/null", path);
    saveState(path, stamps);
    assert.equal(readlinkSync(path), "/dev/null");
    assert.ok(statSync("/dev/null").isCharacterDevice());
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});

test("a log that is gone is remembered for a year", () => {
  const now = new Date("2024-06-01T00:00:00Z");
  const stamps = new Map([
    ["/old", now.getTime() - 366 * 86_400_000],
    ["/used", 0],
    ["/new", now.getTime() - 300 * 86_400_000],
  ]);
  pruneState(stamps, new Set(["/used"]), now);
  assert.deepEqual([...stamps.keys()], ["/used", "/new"]);
});
