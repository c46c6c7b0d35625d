// Runs a command once and says what it cost, or all contenders of a case in turns. Wall time is taken around the whole
// command, start-up included; CPU time and peak memory come from the kernel's own accounts, through time(1), for the
// command and everything that it waited for.
import { spawn, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { Case, CaseResult, Contender, ContenderResult, Duration, Sample } from "./types.ts";

export type CommandOptions = {
  readonly env?: Readonly<Record<string, string>>;
  /** Where standard output goes; the default is /dev/null. */
  readonly stdoutFile?: string;
  /** Exit statuses that are no failure; the default is only 0. */
  readonly statuses?: readonly number[];
};

/** A command that failed cannot be compared: its text says what it said. */
export class CommandFailed extends Error {
  constructor(argv: readonly string[], status: number | null, stderr: string) {
    super(`${argv.join(" ")}\n    ended with ${status ?? "a signal"}: ${stderr.trim().slice(-2_000)}`);
    this.name = "CommandFailed";
  }
}

const TIME = "/usr/bin/time";

// Ten times what the longest command takes on two cores; whoever is still at it then hangs.
const LIMIT_MINUTES = 10;
// timeout(1) ends the whole process group, and this is the status that it then reports.
const WAS_ENDED = 124;
// A sample in JSON is some hundred bytes; of a complaint the end is enough.
const MOST_SAID = 65_536;

/** Why nothing can be measured here, or null. */
export function measuringObstacle(): string | null {
  if (spawnSync(TIME, ["-f", "%M", "true"]).status === 0) return null;
  return "needs GNU time for peak memory: apt install time";
}

/** How a command ended, and the end of what it said. */
export type Ended = {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly wallMs: number;
};

/**
 * Runs `argv` to its end. Should the bench end before it, it is ended too, with everything that it started: it is in a process
 * group of its own, which Ctrl-C at a terminal does not reach.
 * @param stdout a descriptor, or "pipe" to be told what it prints
 */
export function runToEnd(
  argv: readonly string[],
  { env = {}, stdout }: { env?: Readonly<Record<string, string>>; stdout: number | "pipe" },
): Promise<Ended> {
  const [program, ...args] = argv;
  const began = performance.now();
  const child = spawn(program!, args, {
    stdio: ["ignore", stdout, "pipe"],
    env: { ...process.env, ...env },
    detached: true,
  });
  const said = { stdout: "", stderr: "" };
  for (const which of ["stdout", "stderr"] as const)
    child[which]?.setEncoding("utf8").on("data", (chunk: string) => {
      said[which] = (said[which] + chunk).slice(-MOST_SAID);
    });
  const end = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has just ended by itself.
    }
  };
  process.on("exit", end);
  return new Promise((resolve, reject) => {
    let wallMs = Number.NaN;
    child.on("exit", () => {
      wallMs = performance.now() - began;
    });
    child.on("error", (error) => {
      process.off("exit", end);
      reject(error);
    });
    child.on("close", (status) => {
      process.off("exit", end);
      resolve({ status, ...said, wallMs });
    });
  });
}

/**
 * Runs `argv` to its end.
 * @returns wallMs (elapsed), cpuMs (user and system time), rssMb (peak resident size of its largest process)
 * @throws CommandFailed when it ends with another status than `statuses`
 */
export async function runMeasured(
  argv: readonly string[],
  { env = {}, stdoutFile = "/dev/null", statuses = [0] }: CommandOptions = {},
): Promise<Sample> {
  const dir = mkdtempSync(join(tmpdir(), "telltale-bench-time-"));
  const account = join(dir, "account");
  const out = openSync(stdoutFile, "w");
  const remove = (): void => rmSync(dir, { recursive: true, force: true });
  process.on("exit", remove);
  try {
    const limit = ["timeout", "--kill-after=5", `${LIMIT_MINUTES}m`];
    const watched = [...limit, TIME, "-q", "-f", "%U %S %M", "-o", account, ...argv];
    const { status, stderr, wallMs } = await runToEnd(watched, { env, stdout: out });
    if (status === WAS_ENDED || status === null)
      throw new CommandFailed(argv, status, `ended by force after ${LIMIT_MINUTES} minutes`);
    if (!statuses.includes(status)) throw new CommandFailed(argv, status, stderr);
    const [user = Number.NaN, system = Number.NaN, rssKib = Number.NaN] = readFileSync(account, "latin1")
      .trim()
      .split(" ")
      .map(Number);
    return { wallMs, cpuMs: (user + system) * 1_000, rssMb: (rssKib * 1_024) / 1e6 };
  } finally {
    closeSync(out);
    process.off("exit", remove);
    remove();
  }
}

/** How much of a case is run. */
export type Extent = {
  /** Rounds for each contender, those of `earlier` included. */
  readonly rounds: number;
  /** Once a case has taken this long, only those who have no figure yet are run. */
  readonly budgetMs: number;
  /** What an earlier run of the same case found: its samples count, and who failed then is not tried again. */
  readonly earlier?: readonly ContenderResult[];
};

/**
 * Runs the contenders of a case in turns: first each once without counting it, then rounds in which another one begins
 * each time, so that a machine that slows down or warms up favours nobody. A contender that hangs is ended and counts
 * as failed.
 * @param say one line of progress
 */
export async function runCase(
  theCase: Case,
  dir: string,
  { rounds, budgetMs, earlier = [] }: Extent,
  say: (text: string) => void,
): Promise<Pick<CaseResult, "contenders" | "agreement" | "took">> {
  const beganMs = performance.now();
  const endMs = beganMs + budgetMs;
  using opened = await theCase.open(dir);
  const able = opened.contenders.filter(({ obstacle }) => (obstacle ?? null) === null);
  const before = (contender: Contender) => earlier.find(({ name }) => name === contender.name);
  const samples = new Map<Contender, Sample[]>(
    able.map((each) => [each, [...(before(each)?.samples ?? [])]]),
  );
  const failed = new Map<Contender, string>();
  for (const contender of able) {
    const why = before(contender)?.obstacle ?? null;
    if (why !== null) failed.set(contender, why);
  }
  const mostRounds = (contender: Contender) => Math.min(contender.roundsMax ?? rounds, rounds);
  const spentMs = new Map<Contender, number[]>(able.map((each) => [each, []]));
  const once = async (contender: Contender): Promise<Sample | null> => {
    if (failed.has(contender)) return null;
    await setImmediate(); // some runs are synchronous: without a turn of the loop, Ctrl-C would never be heard
    const startMs = performance.now();
    try {
      contender.before?.();
      return await inTime(contender);
    } catch (error) {
      failed.set(contender, error instanceof Error ? error.message : String(error));
      say(`${contender.name} failed: ${failed.get(contender)}`);
      return null;
    } finally {
      spentMs.get(contender)!.push(performance.now() - startMs);
    }
  };
  for (const contender of able) {
    const isWarmed = contender.roundsMax === undefined && contender.isAlwaysCold !== true;
    const isDone = samples.get(contender)!.length >= mostRounds(contender);
    if (isWarmed && !isDone && performance.now() < endMs) await once(contender);
  }
  const setUpS = (performance.now() - beganMs) / 1_000;
  for (const spent of spentMs.values()) spent.length = 0;
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < able.length; turn++) {
      const contender = able[(round + turn) % able.length]!;
      const taken = samples.get(contender)!;
      if (taken.length > round || taken.length >= mostRounds(contender)) continue;
      if (taken.length > 0 && performance.now() > endMs) continue;
      say(`round ${round + 1} of ${rounds}: ${contender.name}`);
      const sample = await once(contender);
      if (sample !== null) taken.push(sample);
    }
  }
  const contenders = opened.contenders.map(
    (contender): ContenderResult => ({
      name: contender.name,
      role: contender.role,
      command: contender.command,
      obstacle: contender.obstacle ?? failed.get(contender) ?? null,
      samples: failed.has(contender) ? [] : (samples.get(contender) ?? []),
    }),
  );
  const took = { setUpS, ...roundsTook(spentMs, failed) };
  return { contenders, agreement: opened.agreement?.() ?? null, took };
}

// Who failed is not tried again either.
function roundsTook(
  spentMs: ReadonlyMap<Contender, readonly number[]>,
  failed: ReadonlyMap<Contender, string>,
): Pick<Duration, "roundS" | "laterRoundS"> {
  let roundS = 0;
  let laterRoundS = 0;
  for (const [contender, spent] of spentMs) {
    const mean = spent.length === 0 ? 0 : spent.reduce((sum, ms) => sum + ms, 0) / spent.length / 1_000;
    roundS += mean;
    if (contender.roundsMax !== 1 && !failed.has(contender)) laterRoundS += mean;
  }
  return { roundS, laterRoundS };
}

async function inTime(contender: Contender): Promise<Sample> {
  const minutes = contender.limitMinutes ?? LIMIT_MINUTES;
  const limit = new AbortController();
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new Error(`not done after ${minutes} minutes`));
    limit.abort();
  }, minutes * 60_000);
  try {
    const run = Promise.resolve(contender.run(limit.signal));
    run.catch(() => undefined); // when it was too late, what it says in the end interests nobody
    return await Promise.race([run, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
