// A thread with a deadline. This file is the test, and, started with a word under setpriv, the process without privilege
// that is given one.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import test, { type TestContext } from "node:test";
import { SystemCallError } from "../core/errors.ts";
import { type Budget, giveDeadline, giveUpDeadline, hasDeadline } from "./deadline.ts";

const BUDGET: Budget = { runtimeMs: 5, periodMs: 40 };
const WITHOUT_PRIVILEGE = ["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"];

if (process.argv[2] === "obey") play(() => giveUpDeadline());
else if (process.argv[2] === "ignore") play(() => {});
else defineTests();

// Says what it is, works for a second at each line that it reads, and says how much of a processor it got.
function play(onOverrun: () => void): void {
  process.on("SIGXCPU", onOverrun);
  console.log("ready");
  createInterface({ input: process.stdin }).on("line", () => {
    const began = { atMs: performance.now(), cpu: process.cpuUsage() };
    let tookMs = 0;
    do tookMs = performance.now() - began.atMs;
    while (tookMs < 1_000);
    const { user, system } = process.cpuUsage(began.cpu);
    // What was sent meanwhile is heard first.
    setImmediate(() => setImmediate(() => console.log((user + system) / 1_000 / tookMs)));
  });
}

function startPlayer(t: TestContext, word: string): { child: ChildProcess; next: () => Promise<string> } {
  const child = spawn("setpriv", [...WITHOUT_PRIVILEGE, process.execPath, import.meta.filename, word], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, NODE_COMPILE_CACHE: "" },
  });
  t.after(() => child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  return { child, next: async () => (await lines.next()).value as string };
}

function obstacle(): string | null {
  if (process.getuid?.() !== 0) return "needs CAP_SYS_NICE: run as root";
  if (spawnSync("setpriv", ["--version"]).status !== 0) return "needs setpriv: apt install util-linux";
  return null;
}

/** False, with the test skipped, where this kernel or this container grants none, or others hold them all. */
function granted(t: TestContext, { pid }: ChildProcess): boolean {
  try {
    giveDeadline(pid!, BUDGET);
    return true;
  } catch (error) {
    t.skip(`needs a kernel that grants deadlines here: ${(error as Error).message}`);
    return false;
  }
}

function defineTests(): void {
  test("who obeys is ordinary again after using up the budget, without any privilege", async (t) => {
    const why = obstacle();
    if (why !== null) return t.skip(why);
    const { child, next } = startPlayer(t, "obey");
    assert.equal(await next(), "ready");
    assert.equal(hasDeadline(child.pid!), false);
    if (!granted(t, child)) return;
    assert.equal(hasDeadline(child.pid!), true);
    child.stdin!.write("\n");
    await next();
    assert.equal(hasDeadline(child.pid!), false);
  });

  test("who ignores the signal gets a share of the processor and no more", async (t) => {
    const why = obstacle();
    if (why !== null) return t.skip(why);
    const { child, next } = startPlayer(t, "ignore");
    assert.equal(await next(), "ready");
    if (!granted(t, child)) return;
    child.stdin!.write("\n");
    const share = Number(await next());
    assert.ok(share < 0.25, `${share} of a processor, granted were 0.125`);
    assert.equal(hasDeadline(child.pid!), true);
  });

  test("a process that is no more is refused by name", (t) => {
    const why = obstacle();
    if (why !== null) return t.skip(why);
    const { pid } = spawnSync("true");
    assert.throws(
      () => giveDeadline(pid, BUDGET),
      (error) => error instanceof SystemCallError && error.code === "ESRCH",
    );
  });
}
