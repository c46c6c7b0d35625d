// A sentry as a process of its own inside a lab, for the tests against real scanners: this file is the program, which
// prints events as JSON lines, and the handle by which a test holds it.
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { PrefixSet, parsePrefix } from "../../src/core/address.ts";
import type { DistributedScan, EventBody, Scan } from "../../src/core/events.ts";
import type { Thresholds } from "../../src/sentry/detect.ts";
import { startSentry } from "../../src/sentry/sentry.ts";
import { openCapture } from "../../src/sources/packets/capture.ts";
import { type Lab, labObstacle, makeLab } from "./lab.ts";

type Line = { event?: EventBody; final?: { counters: Counters; dropped: number } };
type Counters = ReturnType<typeof startSentry>["counters"];

if (process.argv[1] === import.meta.filename) watch(JSON.parse(process.argv[2] ?? "{}"));

export type WatchOptions = {
  interfaces?: string[];
  tripwirePorts?: number[];
  ignore?: string[];
  loopback?: boolean;
  thresholds?: Partial<Thresholds>;
};

function watch(options: WatchOptions): void {
  const sentry = startSentry(
    {
      openCapture,
      ...options,
      ignore: new PrefixSet((options.ignore ?? []).map((text) => parsePrefix(text)!)),
    },
    (event) => {
      console.log(JSON.stringify({ event }));
      return { ...event, v: 1, id: "", host: "", at: "" };
    },
  );
  console.log(JSON.stringify({ ready: sentry.describe() }));
  process.on("SIGUSR2", () => console.log(JSON.stringify({ packets: sentry.counters.packets })));
  process.on("SIGTERM", () => {
    const { dropped } = sentry.stats();
    sentry.close();
    console.log(JSON.stringify({ final: { counters: sentry.counters, dropped } }));
  });
}

/** A sentry in the lab's host, as seen from outside. */
class Watcher {
  readonly events: EventBody[] = [];
  final: Line["final"];
  #asked: ((packets: number) => void) | null = null;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  ready: Promise<string>;

  constructor(made: Lab, options: WatchOptions) {
    this.#child = made.start("host", [process.execPath, import.meta.filename, JSON.stringify(options)]);
    let complaint = "";
    this.#child.stderr!.on("data", (data) => (complaint += data));
    const lines = createInterface({ input: this.#child.stdout! });
    this.#ended = new Promise((resolve) => lines.on("close", resolve));
    this.ready = new Promise((resolve, reject) => {
      lines.on("line", (text) => {
        const line = JSON.parse(text) as Line & { ready?: string; packets?: number };
        if (line.packets !== undefined) this.#asked?.(line.packets);
        if (line.ready !== undefined) resolve(line.ready);
        if (line.event !== undefined) this.events.push(line.event);
        if (line.final !== undefined) this.final = line.final;
      });
      lines.on("close", () => reject(new Error(`the sentry ended: ${complaint}`)));
    });
  }

  get scans(): Scan[] {
    return this.events.flatMap((event) => (event.type === "scan.detected" ? [event.scan] : []));
  }

  get distributed(): DistributedScan[] {
    return this.events.flatMap((event) => (event.type === "scan.distributed" ? [event.scan] : []));
  }

  /** Packets that have come through the filter so far. */
  packets(): Promise<number> {
    this.#child.kill("SIGUSR2");
    return new Promise((resolve) => (this.#asked = resolve));
  }

  /** Ends the sentry; everything it heard has been printed then. */
  async end(): Promise<Counters> {
    this.#child.kill("SIGTERM");
    await this.#ended;
    return this.final!.counters;
  }
}

/** Polls until it is so; throws after the time. */
export async function until(
  what: string,
  done: () => boolean | Promise<boolean>,
  timeoutMs = 20_000,
): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!(await done())) {
    if (performance.now() > endMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Plays in a lab with a sentry that watches it; `clients` are the names of those outside. */
export async function scene(
  t: TestContext,
  options: WatchOptions,
  tools: readonly string[],
  play: (made: Lab, watcher: Watcher) => Promise<void> | void,
  clients: readonly string[] = ["stranger"],
): Promise<void> {
  const missing = labObstacle(...tools);
  if (missing !== null) return t.skip(missing);
  using made = makeLab(clients);
  const watcher = new Watcher(made, options);
  await watcher.ready;
  await play(made, watcher);
}

/** Runs nmap against the host from the first client. */
export function scan(made: Lab, ...args: string[]): void {
  const target = args.includes("-6") ? made.clients[0]!.host6 : made.clients[0]!.host4;
  const done = made.run("stranger", ["nmap", "-n", "-Pn", "-T4", ...args, target], { timeoutMs: 60_000 });
  assert.equal(done.status, 0, done.stderr);
}
