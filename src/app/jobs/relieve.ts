// Makes room until the limits hold again: looks, plans, does, and looks again as fast as the disk fills. Stays for a while after
// it is calm, because starting anew takes longer than a fast writer leaves.
import { setTimeout as wait } from "node:timers/promises";
import { systemClock } from "../../core/clock.ts";
import type { Emit, Event } from "../../core/events.ts";
import { type Fastest, Paces } from "../../disk/relief/paces.ts";
import { planRelief, type ReliefPlan } from "../../disk/relief/plan.ts";
import { announce, type Carried, carryOut } from "../../disk/relief.ts";
import { releaseReserve, reserveDirectories } from "../../disk/reserve.ts";
import type { Rotation } from "../../rotate/types.ts";
import { Bus } from "../bus.ts";
import { gatherRelief, loadForRelief, type Pressed, RotationHands, seekWriter } from "../relief.ts";
import type { Settings } from "../settings.ts";
import { formatBytes } from "../terminal.ts";

export type RelieveOrder = {
  readonly settings: Settings;
  /** Bytes expected to be written soon, by mount point. */
  readonly ahead: Readonly<Record<string, number>>;
  /** Until the limits hold or nothing helps; otherwise until it has been calm for a while. */
  readonly once?: boolean;
};

export type RelieveResult = { readonly bytesFreed: number; readonly alarms: number };

// Between two looks while it presses, and while it may press again.
const PRESSED_MS = 50;
const CALM_MS = 250;
// After so long of calm, or of nothing that would help, there is nothing to wait for.
const LEAVE_MS = 15_000;
// What a writer as fast as since the look before would write in this time is made room for.
const AHEAD_MS = 5_000;
// A plan reckons; what it really freed shows at the next look. A writer may be as fast as we are for so many looks.
const MOST_LOOKS = 20;
// What was said of a file system is said again after this long.
const ALARM_MS = 600_000;
// When all the room that can be made will be used up within this time, it is said while somebody can still do something.
const USED_UP_MS = 60_000;
// A plan that could do nothing is not made again at once: the looks themselves would be the load.
const STUCK_MS = 5_000;

export async function run(
  { settings, ahead, once = false }: RelieveOrder,
  say: (event: Event) => void,
  signal: AbortSignal,
): Promise<RelieveResult> {
  const bus = new Bus(settings.host, systemClock);
  const emit: Emit = (body) => {
    const event = bus.stamp(body);
    say(event);
    return event;
  };
  const relieved = new Relieved(settings, emit, signal);
  let calmSince = systemClock.monotonicMs();
  let looks = 0;
  let expected = new Map(Object.entries(ahead));
  try {
    while (!signal.aborted) {
      const { pressing, stuck } = await relieved.look(expected);
      expected = new Map();
      const now = systemClock.monotonicMs();
      if (relieved.isWorking || (pressing && !stuck)) calmSince = now;
      if (once && !relieved.isWorking && (!pressing || stuck || ++looks >= MOST_LOOKS)) break;
      if (!once && now - calmSince > LEAVE_MS) break;
      await wait(stuck ? STUCK_MS : pressing ? PRESSED_MS : CALM_MS, undefined, { signal }).catch(() => {}); // ended early
    }
  } finally {
    await relieved.workDone();
  }
  return relieved.finish();
}

class Relieved {
  readonly #settings: Settings;
  readonly #emit: Emit;
  readonly #signal: AbortSignal;
  readonly #announcedAt = new Map<string, number>();
  readonly #alarmedAt = new Map<string, number>();
  readonly #helped = new Map<string, { freed: number; freeBytes: number; why: string }>();
  readonly #lastFree = new Map<string, { freeBytes: number; atMs: number }>();
  readonly #failedAt = new Map<string, number>();
  readonly #paces = new Map<string, Paces>();
  #working: Promise<void> | null = null;
  #bytesFreed = 0;
  #alarms = 0;

  constructor(settings: Settings, emit: Emit, signal: AbortSignal) {
    this.#settings = settings;
    this.#emit = emit;
    this.#signal = signal;
  }

  /** Something is being compressed or rotated. */
  get isWorking(): boolean {
    return this.#working !== null;
  }

  async workDone(): Promise<void> {
    await this.#working;
  }

  /** One look at every file system, and what each asks for. */
  async look(ahead: ReadonlyMap<string, number>): Promise<{ pressing: boolean; stuck: boolean }> {
    // Read afresh: a log that was rotated has another newest generation.
    const rotation = await loadForRelief(this.#settings);
    const all = (await gatherRelief(this.#settings, rotation, ahead)).map((each) =>
      this.#withoutFailed(this.#withPace(each)),
    );
    let pressing = false;
    let idle = !this.isWorking;
    await using hands = new RotationHands(this.#settings, rotation, this.#emit, this.#signal);
    for (const each of all) {
      const plan = planRelief(each.facts, each.limits, this.isWorking);
      const { mount, freeBytes } = each.facts;
      const helped = this.#helped.get(mount);
      if (helped !== undefined) this.#helped.set(mount, { ...helped, freeBytes });
      if (plan.verdict === "calm") continue;
      pressing ||= plan.verdict !== "ahead";
      // The reserve first: it is there at once, and needs nothing.
      if (plan.verdict === "urgent") this.#bytesFreed += this.#release(each);
      if (plan.steps.length > 0) {
        idle = false;
        this.#announce(plan, each);
      }
      const [removals, work] = [stepsOf(plan, true), stepsOf(plan, false)];
      this.#count(plan, await carryOut(removals, hands, this.#emit));
      // What takes long goes on beside the looks: a fast writer does not wait for a compressor.
      if (work.steps.length > 0) this.#work(work, rotation);
      await this.#alarmAbout(each, plan);
    }
    return { pressing, stuck: pressing && idle };
  }

  // With what could not be done anything, nothing is tried again for a while: a file that refuses is told once.
  #withoutFailed(each: Pressed): Pressed {
    const now = systemClock.monotonicMs();
    for (const [path, atMs] of this.#failedAt) if (now - atMs > ALARM_MS) this.#failedAt.delete(path);
    if (this.#failedAt.size === 0) return each;
    const logs = each.facts.logs.map((log) => ({
      ...log,
      ...(this.#failedAt.has(log.path) && { diskBytes: 0 }),
      generations: log.generations.map((file) => ({
        ...file,
        busy: file.busy || this.#failedAt.has(file.path),
      })),
    }));
    return { ...each, facts: { ...each.facts, logs } };
  }

  // What is coming, by the pace since the look before.
  #withPace(each: Pressed): Pressed {
    const { mount, freeBytes, aheadBytes } = each.facts;
    const now = systemClock.monotonicMs();
    const last = this.#lastFree.get(mount);
    this.#lastFree.set(mount, { freeBytes, atMs: now });
    if (last === undefined || now <= last.atMs) return each;
    const pace = (last.freeBytes - freeBytes) / (now - last.atMs);
    return { ...each, facts: { ...each.facts, aheadBytes: Math.max(aheadBytes, pace * AHEAD_MS) } };
  }

  #work(plan: ReliefPlan, rotation: Rotation): void {
    const carried = async (): Promise<void> => {
      await using hands = new RotationHands(this.#settings, rotation, this.#emit, this.#signal);
      this.#count(plan, await carryOut(plan, hands, this.#emit));
      this.#working = null;
    };
    this.#working = carried();
  }

  #count({ mount, why }: ReliefPlan, { freed, failed }: Carried): void {
    for (const path of failed) this.#failedAt.set(path, systemClock.monotonicMs());
    const before = this.#helped.get(mount);
    this.#bytesFreed += freed;
    this.#helped.set(mount, { freed: (before?.freed ?? 0) + freed, freeBytes: before?.freeBytes ?? 0, why });
  }

  /** Says what was done, once it is over. */
  finish(): RelieveResult {
    for (const [mount, { freed, freeBytes, why }] of this.#helped) {
      if (freed > 0) this.#emit({ type: "disk.relieved", mount, freeBytes, bytesFreed: freed, why });
    }
    return { bytesFreed: this.#bytesFreed, alarms: this.#alarms };
  }

  // Once when what can be freed runs out, and once when nothing of it is left.
  async #alarmAbout(each: Pressed, plan: ReliefPlan): Promise<void> {
    const { mount, freeBytes, aheadBytes, logs } = each.facts;
    const paces = this.#paces.get(mount) ?? new Paces();
    this.#paces.set(mount, paces);
    const fastest = paces.look(logs, systemClock.monotonicMs());
    if (plan.alarm && plan.steps.length === 0) {
      this.#alarms++;
      await this.#alarm(each, `${plan.why}, and there is nothing left that may be removed`, fastest);
    } else if (fastest !== null && plan.verdict !== "ahead") {
      const room = freeBytes + Math.max(plan.spareBytes, plan.expectedBytes);
      if ((room / Math.max(1, aheadBytes)) * AHEAD_MS < USED_UP_MS)
        await this.#alarm(
          each,
          `${plan.why}, and at this pace all that can be freed lasts less than a minute`,
          fastest,
        );
    }
  }

  async #alarm({ facts }: Pressed, why: string, fastest: Fastest | null): Promise<void> {
    const { mount, freeBytes, sizeBytes } = facts;
    const now = systemClock.monotonicMs();
    const key = `${mount} ${why}`;
    const last = this.#alarmedAt.get(key);
    if (last !== undefined && now - last < ALARM_MS) return;
    this.#alarmedAt.set(key, now);
    const mend = "see what fills it with telltale disk; what is left is protected, in use, or no log";
    this.#emit({
      type: "disk.filling",
      mount,
      freeBytes,
      sizeBytes,
      why: `${why}${await grows(fastest)}`,
      mend,
    });
  }

  // A fast writer presses every second: it is said once, and what is done each time.
  #announce(plan: ReliefPlan, { facts }: Pressed): void {
    const key = `${plan.verdict} ${plan.mount}`;
    const now = systemClock.monotonicMs();
    if (now - (this.#announcedAt.get(key) ?? Number.NEGATIVE_INFINITY) < ALARM_MS) return;
    this.#announcedAt.set(key, now);
    announce(plan, facts.sizeBytes, facts.freeBytes, this.#emit);
  }

  #release({ facts }: Pressed): number {
    return reserveDirectories(this.#settings.config.rotate.roots, facts.mount).reduce(
      (sum, each) => sum + releaseReserve(each),
      0,
    );
  }
}

// Removing is done at once, everything else takes its time.
function stepsOf(plan: ReliefPlan, removals: boolean): ReliefPlan {
  return { ...plan, steps: plan.steps.filter((step) => (step.do === "remove") === removals) };
}

async function grows(fastest: Fastest | null): Promise<string> {
  if (fastest === null) return "";
  const { path, bytesPerSecond } = fastest;
  const writer = fastest.writer ?? (await seekWriter(path));
  const by = writer === null ? "" : `, written by ${writer}`;
  return `; ${path} grows fastest, ${formatBytes(bytesPerSecond)} a second${by}`;
}
