// Makes room until the limits hold again: looks, plans, does, and looks again as fast as the disk fills. Stays for a while after
// it is calm, because starting anew takes longer than a fast writer leaves.
import { setTimeout as wait } from "node:timers/promises";
import { systemClock } from "../../core/clock.ts";
import type { Emit, Event } from "../../core/events.ts";
import { planRelief } from "../../disk/relief/plan.ts";
import { announce, carryOut } from "../../disk/relief.ts";
import { keepReserve, releaseReserve } from "../../disk/reserve.ts";
import { lookQuietly } from "../../disk/walk.ts";
import { Bus } from "../bus.ts";
import { gatherRelief, loadForRelief, type Pressed, RotationHands } from "../relief.ts";
import type { Settings } from "../settings.ts";

export type RelieveOrder = {
  readonly settings: Settings;
  /** Bytes expected to be written soon, by mount point. */
  readonly ahead: Readonly<Record<string, number>>;
  /** One look, and what it asks for; otherwise until it has been calm for a while. */
  readonly once?: boolean;
};

export type RelieveResult = { readonly bytesFreed: number; readonly alarms: number };

// Between two looks while it presses, and while it may press again.
const PRESSED_MS = 50;
const CALM_MS = 250;
// After so long of calm, or of nothing that would help, there is nothing to wait for.
const LEAVE_MS = 15_000;
// What did not help is told again after this long.
const ALARM_MS = 600_000;
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
  let expected = new Map(Object.entries(ahead));
  do {
    const { pressing, stuck } = await relieved.look(expected);
    expected = new Map();
    const now = systemClock.monotonicMs();
    if (pressing && !stuck) calmSince = now;
    if (once || now - calmSince > LEAVE_MS) break;
    await wait(stuck ? STUCK_MS : pressing ? PRESSED_MS : CALM_MS, undefined, { signal }).catch(() => {}); // ended early
  } while (!signal.aborted);
  return relieved.result;
}

class Relieved {
  readonly #settings: Settings;
  readonly #emit: Emit;
  readonly #signal: AbortSignal;
  readonly #announced = new Map<string, string>();
  readonly #alarmedAt = new Map<string, number>();
  readonly #pressedFree = new Map<string, { freed: number; why: string }>();
  #bytesFreed = 0;
  #alarms = 0;

  constructor(settings: Settings, emit: Emit, signal: AbortSignal) {
    this.#settings = settings;
    this.#emit = emit;
    this.#signal = signal;
  }

  get result(): RelieveResult {
    return { bytesFreed: this.#bytesFreed, alarms: this.#alarms };
  }

  /** One look at every file system, and what each asks for. */
  async look(ahead: ReadonlyMap<string, number>): Promise<{ pressing: boolean; stuck: boolean }> {
    // Read afresh: a log that was rotated has another newest generation.
    const rotation = await loadForRelief(this.#settings);
    const all = await gatherRelief(this.#settings, rotation, ahead);
    let pressing = false;
    let idle = true;
    await using hands = new RotationHands(this.#settings, rotation, this.#emit, this.#signal);
    for (const each of all) {
      const plan = planRelief(each.facts, each.limits);
      const { mount } = each.facts;
      if (plan.verdict === "calm") {
        this.#calm(each);
        continue;
      }
      pressing ||= plan.verdict !== "ahead";
      // The reserve first: it is there at once, and needs nothing.
      const spare = plan.verdict === "urgent" ? this.#release(each) : 0;
      if (this.#announced.get(mount) !== plan.verdict && plan.steps.length > 0) {
        this.#announced.set(mount, plan.verdict);
        announce(plan, each.facts.sizeBytes, each.facts.freeBytes, this.#emit);
      }
      const freed = await carryOut(plan, hands.on(each.probe), this.#emit);
      if (plan.steps.length > 0) idle = false;
      this.#bytesFreed += freed + spare;
      const before = this.#pressedFree.get(mount);
      this.#pressedFree.set(mount, { freed: (before?.freed ?? 0) + freed, why: plan.why });
      if (plan.alarm && plan.steps.length === 0) this.#alarm(each, plan.why);
    }
    return { pressing, stuck: pressing && idle };
  }

  #calm({ facts }: Pressed): void {
    const { mount, freeBytes } = facts;
    const done = this.#pressedFree.get(mount);
    this.#keepReserve(facts.mount, freeBytes);
    this.#announced.delete(mount);
    this.#pressedFree.delete(mount);
    if (done === undefined || done.freed === 0) return;
    this.#emit({
      type: "disk.relieved",
      mount,
      freeBytes,
      bytesFreed: done.freed,
      why: `the limits hold again (${done.why})`,
    });
  }

  #alarm({ facts }: Pressed, why: string): void {
    const { mount, freeBytes, sizeBytes } = facts;
    const now = systemClock.monotonicMs();
    const last = this.#alarmedAt.get(mount);
    if (last !== undefined && now - last < ALARM_MS) return;
    this.#alarmedAt.set(mount, now);
    this.#alarms++;
    const mend = "see what fills it with telltale disk; what is left is protected, in use, or no log";
    this.#emit({
      type: "disk.filling",
      mount,
      freeBytes,
      sizeBytes,
      why: `${why}, and there is nothing left that may be removed`,
      mend,
    });
  }

  #release({ facts }: Pressed): number {
    return this.#reserveDirectories(facts.mount).reduce((sum, each) => sum + releaseReserve(each), 0);
  }

  // Where a log directory lies on this file system; made again only when there is plenty.
  #keepReserve(mount: string, freeBytes: number): void {
    const { reserve } = this.#settings.config.disk;
    const [directory] = this.#reserveDirectories(mount);
    if (reserve > 0 && directory !== undefined && freeBytes > 8 * reserve) keepReserve(directory, reserve);
  }

  #reserveDirectories(mount: string): string[] {
    const dev = lookQuietly(mount)?.dev;
    return this.#settings.config.rotate.roots.filter((root) => lookQuietly(root)?.dev === dev);
  }
}
