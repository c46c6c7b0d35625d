// Carries a finding through to the firewall and back: decides, blocks, confirms, remembers, lifts in time. The rules
// are in decide.ts and guardrails.ts, the firewall in backends/; here is only the order of things.
import { formatPrefix, type Prefix, type PrefixSet, parsePrefix } from "../core/address.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import { formatDuration } from "../core/duration.ts";
import { describeError } from "../core/errors.ts";
import type { Emit, Event, EvidenceGrade, LiftCause, Mode, Verdict } from "../core/events.ts";
import type { Backend, ChangeResult } from "./backend.ts";
import { BreakerWindow } from "./breaker.ts";
import { decide } from "./decide.ts";
import { allGuards, guardrailFor, prefixesOverlap } from "./guardrails.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { planChanges } from "./plan.ts";
import { type StandingBlock, StandingBlocks } from "./standing.ts";
import type { BlockHistory, BlockLimits, BlockRow, FirewallChange, HostFacts } from "./types.ts";

export type ResponderOptions = Partial<BlockLimits> & {
  readonly mode: Mode;
  readonly allow: PrefixSet;
  readonly backend: Backend;
  readonly history: BlockHistory;
  /** Who is protected, asked at every verdict: `reader.current()` of a `HostFactsReader`. */
  readonly facts: () => HostFacts;
  readonly emit: Emit;
  readonly clock?: Clock;
  /** Chance in [0, 1) for the jitter. */
  readonly chance?: () => number;
};

// The guard lifts a block on time and reads its counter; the kernel would do it this much later, should the guard
// be gone by then.
const GRACE_MS = 5_000;
const TICK_MS = 1_000;
const LIFTS_PER_TICK = 5_000;

type Waiting = { readonly change: FirewallChange; readonly done: (result: ChangeResult) => void };

export class Responder {
  readonly #backend: Backend;
  readonly #history: BlockHistory;
  readonly #facts: () => HostFacts;
  readonly #emit: Emit;
  readonly #clock: Clock;
  readonly #chance: () => number;
  readonly #limits: BlockLimits;
  readonly #window: BreakerWindow;
  readonly #standing = new StandingBlocks();
  readonly #timer: NodeJS.Timeout;
  #mode: Mode;
  #allow: PrefixSet;
  #waiting: Waiting[] = [];
  #flushing: Promise<void> | undefined;
  #ticking: Promise<void> | undefined;
  #tripped: { sinceMs: number; refused: number } | undefined;
  // What the allow set in the firewall was last made from; null: not yet, or to be made again.
  #guardKey: string | null = null;
  #closed = false;

  constructor(options: ResponderOptions) {
    this.#mode = options.mode;
    this.#allow = options.allow;
    this.#backend = options.backend;
    this.#history = options.history;
    this.#facts = options.facts;
    this.#emit = options.emit;
    this.#clock = options.clock ?? systemClock;
    this.#chance = options.chance ?? Math.random;
    this.#limits = limitsOf(options);
    this.#window = new BreakerWindow(this.#limits.maxPerMinute);
    this.#timer = setInterval(() => void this.tick(), TICK_MS);
    this.#timer.unref();
  }

  /** How many blocks are believed in force. */
  get inForce(): number {
    return this.#standing.size;
  }

  /** For the status block. */
  describe(): string {
    const blocks = `${this.#standing.size} ${this.#standing.size === 1 ? "block" : "blocks"} in force`;
    return this.#mode === "block"
      ? `${this.#backend.name}, ${this.#backend.describe()}: ${blocks}`
      : `observing, nothing new is blocked: ${blocks}`;
  }

  setMode(mode: Mode): void {
    this.#mode = mode;
  }

  /** Takes a new allow list; blocks that it forbids are lifted by the next tick. */
  setAllow(allow: PrefixSet): void {
    this.#allow = allow;
    this.#guardKey = null;
  }

  /**
   * Reaches a verdict on a `scan.detected` (other events are passed over), and in mode `block` carries it out. Resolves
   * when the firewall has confirmed or refused. Emits verdict.reached, then block.applied or block.failed.
   */
  async onFinding(event: Event): Promise<void> {
    if (event.type !== "scan.detected" || this.#closed) return;
    const { scan } = event;
    const facts = this.#facts();
    const nowMs = this.#clock.monotonicMs();
    const verdict = decide({
      scan,
      findingId: event.id,
      mode: this.#mode,
      limits: this.#limits,
      now: this.#clock.now(),
      chance: this.#chance(),
      guardrails: (target) => this.#guardrail(target, facts),
      history: {
        inForce: (target) => {
          const block = this.#standing.covering(target);
          return block === null ? null : { until: new Date(block.row.until), grade: block.row.grade };
        },
        times: (target) => this.#timesBefore(target),
      },
      load: { newInLastMinute: this.#window.inLastMinute(scan.grade, nowMs), inForce: this.#standing.size },
    });
    if (verdict.action === "watch") {
      this.#refuse(verdict, nowMs);
      return;
    }
    if (verdict.action === "block") this.#window.note(scan.grade, nowMs);
    // The firewall first: a small change is made within this very call, before the verdict is written anywhere.
    const blocked =
      verdict.action === "block" && this.#mode === "block"
        ? this.#block(verdictRow(verdict, scan.grade, this.#clock.now()))
        : null;
    this.#emit({ type: "verdict.reached", verdict });
    if (blocked !== null) await blocked;
  }

  /**
   * Blocks by hand, guardrails respected.
   * @param forMs how long, in milliseconds
   * @returns why it was not done, or null
   */
  async block(target: Prefix, forMs: number, because: string): Promise<string | null> {
    const guardrail = this.#guardrail(target, this.#facts());
    if (guardrail !== null) return `never blocked: ${guardrail}`;
    const now = this.#clock.now();
    return this.#block({
      target: formatPrefix(target),
      since: now.toISOString(),
      until: new Date(now.getTime() + forMs).toISOString(),
      because,
      grade: "proven",
      findingId: "",
      packetsStopped: 0,
    });
  }

  /**
   * Brings the firewall to what the history says, with the time left: after a restart, a reboot, or when somebody
   * has emptied the firewall. In mode `observe` it reads the history only.
   * @throws MissingPartError when this machine has no such firewall
   */
  async restore(): Promise<void> {
    const now = this.#clock.now();
    const nowMs = this.#clock.monotonicMs();
    const facts = this.#facts();
    for (const row of this.#history.inForce(now)) {
      const target = parsePrefix(row.target);
      if (target === null) continue;
      if (this.#guardrail(target, facts) !== null) this.#forget(row.target, "guardrail", row.packetsStopped);
      else this.#standing.set(row, nowMs + (Date.parse(row.until) - now.getTime()));
    }
    if (this.#mode !== "block") return;
    await this.#backend.open();
    await this.#pushAllow(facts);
    await this.#reconcile();
  }

  /**
   * Lifts the block of this address or prefix, or the block that covers it (an IPv6 address is blocked with its /64).
   * @returns false when nothing of the kind was in force
   */
  async lift(target: string): Promise<boolean> {
    const wanted = parsePrefix(target);
    if (wanted === null) return false;
    const block = this.#standing.covering(wanted);
    if (block !== null) {
      await this.#lift([block], "administrator");
      return true;
    }
    // Not ours to know of: an earlier run may have left it in the firewall or in the history.
    const now = this.#clock.now();
    const covers = (other: Prefix) => other.bits <= wanted.bits && prefixesOverlap(other, wanted);
    const rows = this.#history.inForce(now).filter((row) => covers(parsePrefix(row.target) ?? wanted));
    const held = (await this.#heldOrNothing()).filter((each) => covers(each.target));
    const targets = new Set([
      ...rows.map((row) => row.target),
      ...held.map((each) => formatPrefix(each.target)),
    ]);
    for (const each of targets) {
      const result = await this.#change({ do: "lift", target: parsePrefix(each)! });
      this.#forget(each, "administrator", result.packetsStopped);
    }
    return targets.size > 0;
  }

  /** Somebody else has lifted this block, in the firewall and in the history: it is no longer believed in force. */
  believeLifted(target: string): void {
    this.#standing.delete(target);
  }

  /** Lifts every block and removes all that the backend has put on the host. */
  async liftAll(): Promise<void> {
    await this.#flushing;
    const held = new Map(
      (await this.#heldOrNothing()).map((each) => [formatPrefix(each.target), each.packetsStopped]),
    );
    await this.#backend.clear();
    for (const row of this.#history.inForce(this.#clock.now()))
      held.set(row.target, held.get(row.target) ?? row.packetsStopped);
    this.#standing.clear();
    this.#guardKey = null;
    let done = 0;
    for (const [target, packets] of held) {
      this.#forget(target, "administrator", packets);
      if (++done % 1_000 === 0) await new Promise(setImmediate);
    }
  }

  /** Packets that the blocks in force have stopped so far, by target. */
  async packetsStopped(): Promise<ReadonlyMap<string, number>> {
    return new Map(
      (await this.#heldOrNothing()).map((each) => [formatPrefix(each.target), each.packetsStopped]),
    );
  }

  /** Once a second, by its own timer: lifts what is over, frees whoever has become protected, lets the breaker rest. */
  async tick(): Promise<void> {
    this.#ticking ??= this.#tickOnce().finally(() => {
      this.#ticking = undefined;
    });
    await this.#ticking;
  }

  /** Stops; blocks stay in force, and the kernel ends each in its time. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#ticking;
    await this.#flushing;
    await this.#backend.close();
  }

  async #tickOnce(): Promise<void> {
    if (this.#closed) return;
    const nowMs = this.#clock.monotonicMs();
    const due = this.#standing.due(nowMs, LIFTS_PER_TICK);
    if (due.length > 0) await this.#lift(due, "expired");
    const facts = this.#facts();
    const key = guardKeyOf(facts);
    if (key !== this.#guardKey) {
      const guarded = [...this.#standing].filter((block) => this.#guardrail(block.target, facts) !== null);
      if (guarded.length > 0) await this.#lift(guarded, "guardrail");
      if (this.#mode === "block") {
        try {
          await this.#pushAllow(facts);
        } catch (error) {
          this.#fail(
            `the allow list did not reach the firewall: ${describeError(error)}`,
            "see `telltale doctor`",
          );
        }
      }
    }
    this.#rest(nowMs);
  }

  #guardrail(target: Prefix, facts: HostFacts): string | null {
    const allowed = this.#allow.prefixes.find((prefix) => prefixesOverlap(prefix, target));
    if (allowed !== undefined) return `allow list (${formatPrefix(allowed)})`;
    return guardrailFor(target, facts);
  }

  #timesBefore(target: Prefix): number {
    try {
      return this.#history.times(formatPrefix(target), this.#clock.now().getTime() - this.#limits.forgetMs);
    } catch (error) {
      this.#fail(`the history cannot be read: ${describeError(error)}`, "see the store's own message");
      return 0;
    }
  }

  async #block(row: BlockRow): Promise<string | null> {
    const target = parsePrefix(row.target)!;
    const forMs = Date.parse(row.until) - Date.parse(row.since);
    const before = this.#standing.get(target);
    // Believed in force from now on, so that a second finding of the same source does not ask again.
    this.#standing.set(row, this.#clock.monotonicMs() + forMs);
    const result = await this.#change({ do: "block", target, forMs: forMs + GRACE_MS });
    if (result.why !== null) {
      if (before === null) this.#standing.delete(formatPrefix(target));
      else this.#standing.set(before.row, before.endMs);
      this.#emit({
        type: "block.failed",
        target: row.target,
        why: result.why,
        mend: result.mend,
        findingId: row.findingId,
      });
      return result.why;
    }
    this.#remember(row);
    this.#emit({
      type: "block.applied",
      target: row.target,
      until: row.until,
      because: row.because,
      findingId: row.findingId,
    });
    return null;
  }

  async #lift(blocks: readonly StandingBlock[], cause: LiftCause): Promise<void> {
    const results = await this.#changes(blocks.map(({ target }) => ({ do: "lift", target })));
    for (const { change, why, mend, packetsStopped } of results) {
      const target = formatPrefix(change.target);
      if (why === null || cause === "expired") this.#forget(target, cause, packetsStopped);
      else this.#fail(`${target} could not be lifted: ${why}`, mend);
    }
  }

  // Writes down that a block is over, and says so.
  #forget(target: string, cause: LiftCause, packetsStopped: number): void {
    this.#standing.delete(target);
    try {
      this.#history.lift(target, this.#clock.now(), cause, packetsStopped);
    } catch (error) {
      this.#fail(
        `the lift of ${target} could not be written down: ${describeError(error)}`,
        "see the store's own message",
      );
    }
    this.#emit({ type: "block.lifted", target, cause, packetsStopped });
  }

  #remember(row: BlockRow): void {
    try {
      this.#history.put(row);
    } catch (error) {
      this.#fail(
        `the block of ${row.target} is in force but could not be written down: ${describeError(error)}`,
        "it will not be restored after a reboot; see the store's own message",
      );
    }
  }

  // What the firewall should hold is what we believe in force, with the time left on the monotonic clock.
  async #reconcile(): Promise<void> {
    const now = this.#clock.now();
    const nowMs = this.#clock.monotonicMs();
    const rows = [...this.#standing].map(({ row, endMs }) => ({
      ...row,
      until: new Date(now.getTime() + (endMs - nowMs)).toISOString(),
    }));
    const changes = planChanges(rows, await this.#backend.held(), now, GRACE_MS);
    for (const { change, why, mend } of await this.#changes(changes)) {
      if (why === null) continue;
      const target = formatPrefix(change.target);
      const row = this.#standing.get(change.target)?.row;
      this.#standing.delete(target);
      this.#emit({ type: "block.failed", target, why, mend, findingId: row?.findingId ?? "" });
    }
  }

  async #pushAllow(facts: HostFacts): Promise<void> {
    // Taken as done even when it fails: a backend keeps the list for when it works again, and one message is enough.
    this.#guardKey = guardKeyOf(facts);
    await this.#backend.setAllow([...this.#allow.prefixes, ...allGuards(facts).map((guard) => guard.prefix)]);
  }

  async #heldOrNothing(): Promise<Awaited<ReturnType<Backend["held"]>>> {
    try {
      return await this.#backend.held();
    } catch (error) {
      this.#fail(`the firewall cannot be read: ${describeError(error)}`, "see `telltale doctor`");
      return [];
    }
  }

  async #change(change: FirewallChange): Promise<ChangeResult> {
    return new Promise((done) => {
      this.#waiting.push({ change, done });
      this.#flush();
    });
  }

  #changes(changes: readonly FirewallChange[]): Promise<ChangeResult[]> {
    const results = changes.map(
      (change) => new Promise<ChangeResult>((done) => void this.#waiting.push({ change, done })),
    );
    this.#flush();
    return Promise.all(results);
  }

  // One batch at a time: what arrives while the firewall is busy goes together into the next.
  #flush(): void {
    if (this.#flushing !== undefined || this.#waiting.length === 0) return;
    const batch = this.#waiting;
    this.#waiting = [];
    this.#flushing = this.#backend.apply(batch.map(({ change }) => change)).then((results) => {
      this.#flushing = undefined;
      this.#flush();
      results.forEach((result, i) => {
        batch[i]!.done(result);
      });
    });
  }

  #refuse(verdict: Verdict, nowMs: number): void {
    if (this.#tripped === undefined) {
      this.#tripped = { sinceMs: nowMs, refused: 0 };
      this.#fail(
        verdict.because,
        "look at `telltale blocks`; forged sources cannot be told from real ones by their number alone",
      );
    }
    // Past the cap each further verdict says the same, and a flood of them would hurt more than help.
    if (++this.#tripped.refused <= this.#limits.maxPerMinute)
      this.#emit({ type: "verdict.reached", verdict });
  }

  #rest(nowMs: number): void {
    if (this.#tripped === undefined) return;
    const busy = Math.max(
      this.#window.inLastMinute("spoofable", nowMs),
      this.#window.inLastMinute("proven", nowMs),
    );
    if (busy > this.#limits.maxPerMinute / 2 || this.#standing.size >= this.#limits.maxInForce) return;
    const { sinceMs, refused } = this.#tripped;
    this.#tripped = undefined;
    const how = `the circuit breaker rests after ${formatDuration(nowMs - sinceMs)}; ${refused} scanners were watched only`;
    this.#emit({ type: "part.recovered", part: "respond", how });
  }

  #fail(why: string, mend: string): void {
    this.#emit({
      type: "part.failed",
      part: "respond",
      why,
      mend,
      stillRuns: "detection, reports and the blocks in force",
    });
  }
}

function limitsOf(options: ResponderOptions): BlockLimits {
  const given = Object.fromEntries(
    Object.keys(DEFAULT_LIMITS)
      .map((key) => [key, options[key as keyof BlockLimits]])
      .filter(([, value]) => value !== undefined),
  );
  return { ...DEFAULT_LIMITS, ...given };
}

function verdictRow(verdict: Verdict, grade: EvidenceGrade, now: Date): BlockRow {
  return {
    target: verdict.target,
    since: now.toISOString(),
    until: new Date(now.getTime() + verdict.forMs).toISOString(),
    because: verdict.because,
    grade,
    findingId: verdict.findingId,
    packetsStopped: 0,
  };
}

function guardKeyOf(facts: HostFacts): string {
  return facts.guards.map(({ prefix }) => formatPrefix(prefix)).join(" ");
}
