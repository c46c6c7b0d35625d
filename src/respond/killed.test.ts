// The guard is killed between any two of its steps: a block that is in the firewall and not yet in the history, blocks that are being
// put back or taken over. Check that after the next start nobody is blocked of whom the history does not know, and that nothing is
// lost of what either of the two held. With the kernel and the real store.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { openStore } from "../store/store.ts";
import { cannotLab, type Lab, makeLab } from "./testing/netns.ts";

const CHILD = fileURLToPath(new URL("./testing/dying-child.ts", import.meta.url));
const numRuns = Number(process.env["TELLTALE_RUNS"] ?? 2);

type Life = {
  readonly dieAt: "apply" | "put" | "never";
  readonly nth: number;
  readonly scanners: number;
  /** Before it begins the host was started anew, or somebody flushed the firewall: the table is gone. */
  readonly tableGone?: boolean;
  /** Before it begins the history was lost with its disk. */
  readonly historyGone?: boolean;
};

/** One life of the guard; whether it came to its end. */
function live(lab: Lab, file: string, life: Life, first: number): boolean {
  const { dieAt, nth, scanners, tableGone, historyGone } = life;
  if (historyGone === true) for (const end of ["", "-wal", "-shm"]) rmSync(`${file}${end}`, { force: true });
  if (tableGone === true) lab.attempt(lab.host, "nft", "delete", "table", "inet", "telltale");
  const ran = lab.attempt(
    lab.host,
    process.execPath,
    "--disable-warning=ExperimentalWarning",
    CHILD,
    file,
    dieAt,
    String(nth),
    String(scanners),
    String(first),
  );
  const isDone = ran.stdout.includes("done");
  assert.ok(isDone || ran.status === 137 || ran.signal === "SIGKILL", `${ran.status} ${ran.stderr}`);
  return isDone;
}

function inFirewall(lab: Lab): string[] {
  const listed = lab.attempt(lab.host, "nft", "list", "table", "inet", "telltale").stdout;
  return [...new Set(listed.match(/\b11\.7\.\d+\.\d+\b/g))].sort();
}

function inHistory(file: string): string[] {
  using store = openStore(file);
  return store.blocks
    .inForce(new Date())
    .map(({ target }) => target)
    .sort();
}

/** Lives one after the other, and the next start: who is blocked then is whom firewall or history held. */
function check(lab: Lab, file: string, lives: readonly Life[]): number {
  let first = 0;
  let killed = 0;
  let known: readonly string[] = [];
  let held: readonly string[] = [];
  for (const life of lives) {
    if (!live(lab, file, life, first)) killed++;
    first += life.scanners;
    const history = new Set(inHistory(file));
    const written = life.historyGone === true ? [] : known;
    for (const target of written) assert.ok(history.has(target), `${target} is lost to the history`);
    const before = life.tableGone === true ? [] : held;
    known = [...history];
    held = inFirewall(lab);
    const either = new Set([...known, ...held]);
    for (const target of before) assert.ok(either.has(target), `${target} is lost to the firewall`);
  }
  const expected = new Set([...held, ...known]);
  live(lab, file, { dieAt: "never", nth: 0, scanners: 0 }, first);
  assert.deepEqual(inFirewall(lab), [...expected].sort(), "in the firewall");
  assert.deepEqual(inHistory(file), [...expected].sort(), "in the history");
  return killed;
}

test("a guard that is killed between firewall and history loses nothing and leaves nobody unknown", {
  timeout: 300_000,
}, (t) => {
  const why = cannotLab();
  if (why !== null) return t.skip(why);
  const lab = makeLab(t);
  const dir = mkdtempSync(join(tmpdir(), "telltale-killed-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  let round = 0;
  const checked = (lives: readonly Life[]): number => {
    lab.attempt(lab.host, "nft", "delete", "table", "inet", "telltale");
    return check(lab, join(dir, `${++round}.db`), lives);
  };
  const life = (dieAt: Life["dieAt"], nth: number, scanners: number, before: Partial<Life> = {}): Life => ({
    dieAt,
    nth,
    scanners,
    ...before,
  });
  // A single block; rows of a flood; taking over what only the firewall knows; putting back what only the history does.
  assert.equal(checked([life("apply", 1, 1)]), 1);
  assert.equal(checked([life("put", 30, 300)]), 1);
  const lost = { historyGone: true };
  assert.equal(checked([life("never", 0, 300), life("put", 1, 0, lost), life("put", 150, 0, lost)]), 2);
  assert.equal(checked([life("never", 0, 2_500), life("apply", 2, 0, { tableGone: true })]), 1);
  const lives = fc.array(
    fc.record({
      dieAt: fc.constantFrom("apply" as const, "put" as const),
      nth: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 400 })),
      scanners: fc.constantFrom(0, 1, 7, 400),
      tableGone: fc.boolean(),
      historyGone: fc.constantFrom(false, false, true),
    }),
    { minLength: 1, maxLength: 3 },
  );
  let killed = 0;
  fc.assert(
    fc.property(lives, (each) => {
      killed += checked(each);
    }),
    { numRuns },
  );
  t.diagnostic(`killed ${killed} times in ${numRuns} rounds of chance`);
});
