// The scene of a scan: a host with twenty services, one stranger, a guard at its post, and a capture at the stranger's
// end. Everything is in network namespaces, and gone when the work is done.
import type { ChildProcess } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type Client, type Lab, labObstacle, makeLab } from "../../tests/system/lab.ts";
import { waitFor } from "../../tests/system/wait.ts";
import { missing } from "../machine.ts";
import type { Case, Contender, Goal, Metric, Sample } from "../types.ts";
import type { Guard, Standing } from "./guards/types.ts";
import { blockingGuards, unguarded } from "./guards.ts";
import { OPEN_PORTS } from "./ports.ts";

/** A scene with its guard standing. */
export type Scene = Standing & { readonly lab: Lab; readonly stranger: Client };

type SceneCase = {
  readonly name: string;
  readonly what: string;
  readonly metrics: readonly Metric[];
  readonly goals: readonly Goal[];
  /** The program that plays the stranger: a Debian package of the same name. */
  readonly tool: string | null;
  /** Who stands there; the default is everybody who blocks. */
  readonly guards?: readonly Guard[];
  /** Whether a host without any guard says something. */
  readonly withNone?: boolean;
  /** What no guard can pass, learned from the same work where nobody guards. */
  readonly limit?: { readonly name: string; readonly command: string; work(scene: Scene): Promise<Sample> };
  work(scene: Scene): Promise<Sample>;
};

/** The same scene before each guard in turn; each run begins with a new one. */
export function sceneCase(wanted: SceneCase): Case {
  const { name, what, metrics, goals, tool, withNone = false } = wanted;
  const obstacle = labObstacle("tcpdump") ?? (tool === null ? null : missing(tool));
  const contender = (guard: Guard, work: SceneCase["work"]): Contender => ({
    name: guard.name,
    role: guard.role,
    command: guard.command,
    obstacle: obstacle ?? guard.obstacle,
    isAlwaysCold: true,
    run: (signal) =>
      inScene(guard, signal, async (scene) => {
        await pause(guard.settlesMs ?? 0, undefined, { signal });
        return work(scene);
      }),
  });
  const { limit } = wanted;
  return {
    name,
    what,
    metrics,
    goals,
    open: () => ({
      contenders: [
        ...(wanted.guards ?? blockingGuards(""))
          .filter((guard) => withNone || guard.name !== unguarded.name)
          .map((guard) => contender(guard, wanted.work)),
        ...(limit === undefined
          ? []
          : [
              contender(
                { ...unguarded, name: limit.name, role: "limit", command: limit.command },
                limit.work,
              ),
            ]),
      ],
      [Symbol.dispose]: () => {},
    }),
  };
}

/** Sets the scene, puts the guard at its post, and lets `work` happen; at the latest when `signal` says so, all is over. */
export async function inScene<T>(
  guard: Guard,
  signal: AbortSignal,
  work: (scene: Scene) => Promise<T>,
  clients: readonly string[] = ["stranger"],
): Promise<T> {
  using lab = makeLab(clients);
  const end = (): void => lab[Symbol.dispose]();
  signal.addEventListener("abort", end, { once: true });
  try {
    const services = lab.start("host", [
      process.execPath,
      "--disable-warning=ExperimentalWarning",
      join(import.meta.dirname, "open-ports.ts"),
      ...OPEN_PORTS.map(String),
    ]);
    await says(services, services.stdout!, "ready");
    const standing = await guard.start(lab);
    return await work({ ...standing, lab, stranger: lab.clients[0]! });
  } finally {
    signal.removeEventListener("abort", end);
  }
}

function says(child: ChildProcess, stream: NodeJS.ReadableStream, word: string): Promise<true> {
  let text = "";
  stream.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  return waitFor(`${child.spawnargs.slice(4).join(" ")} to say "${word}"`, () => text.includes(word));
}

/**
 * Runs a command to its end and returns what it printed. Unlike `lab.run` it lets the bench go on meanwhile: a guard whose
 * words nobody reads waits for its reader, and alarms would be heard late.
 */
export async function play(
  lab: Lab,
  where: string,
  argv: readonly string[],
  limitMs: number,
): Promise<string> {
  const child = lab.start(where, argv);
  let said = "";
  child.stdout!.setEncoding("utf8").on("data", (chunk: string) => {
    said += chunk;
  });
  child.stderr!.resume();
  let isOver = false;
  child.on("close", () => {
    isOver = true;
  });
  await waitFor(argv.slice(0, 6).join(" "), () => isOver, limitMs);
  return said;
}

/** A capture in progress, and the file that it is written to. */
export type Capture = { readonly path: string; readonly capture: ChildProcess };

/** Begins to capture what the stranger sends and hears; returns when nothing can be missed any more. */
export async function startCapture(
  lab: Lab,
  stranger: Client,
  filter: readonly string[] = ["tcp", "and", "host", stranger.host4],
): Promise<Capture> {
  const path = join(lab.dir, "scan.pcap");
  const capture = lab.start("stranger", [
    "tcpdump",
    ...["-i", "eth0", "-n", "-p", "-U", "-s", "96", "-B", "65536", "-w", path],
    ...filter,
  ]);
  await says(capture, capture.stderr!, "listening on");
  return { path, capture };
}

// tcpdump gets its packets from the kernel in blocks, at the latest after a second.
const SETTLED_MS = 1_500;

/** Ends a capture once it has stopped growing; its file is whole then. */
export async function endCapture({ path, capture }: Capture): Promise<void> {
  let size = -1;
  let since = 0;
  await waitFor("the capture to stop growing", () => {
    const now = statSync(path).size;
    if (now !== size) since = performance.now();
    size = now;
    return performance.now() - since > SETTLED_MS;
  });
  capture.kill("SIGINT");
  await waitFor("tcpdump to end", () => capture.exitCode !== null);
}

/** Runs a command of the scene's preparation. @throws Error with what it said when it fails */
export function must(lab: Lab, where: string, ...argv: string[]): void {
  const ran = lab.run(where, argv);
  if (ran.status !== 0) throw new Error(`${argv.join(" ")}: ${ran.stderr.trim()}`);
}
