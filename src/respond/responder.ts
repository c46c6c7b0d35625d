// Carries a finding through to the firewall and back: decides, blocks, confirms, remembers, lifts in time. The rules
// are in decide.ts and guardrails.ts, the firewall in backends/; here is only the order of things.
import { formatPrefix, type Prefix, type PrefixSet, parsePrefix } from "../core/address.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import { describeError, MissingPartError } from "../core/errors.ts";
import type { Emit, Event, EventBody, Mode, Verdict } from "../core/events.ts";
import { untilRound } from "../core/rounds.ts";
import type { Backend, BackendTraits, ChangeResult } from "./backend.ts";
import type { TripwireOptions } from "./backends/tripwire-rules.ts";
import type { DecideInput } from "./decide.ts";
import { prefixesOverlap, tooWide, WIDEST_BY_HAND, wholeAddress } from "./guardrails.ts";
import { Healing } from "./healing.ts";
import { type Finding, isAggregate, Judge, rowOf } from "./judge.ts";
import { BlockLedger } from "./ledger.ts";
import { Lifting } from "./lifting.ts";
import { limitsOf } from "./limits.ts";
import { NextTick } from "./next-tick.ts";
import { packetCounter } from "./packets.ts";
import { type HeldBlock, liftOf } from "./plan.ts";
import { Protection } from "./protection.ts";
import { ChangeQueue } from "./queue.ts";
import { observeHistory, type Restoring, restoreBelieved, restoreHistory } from "./restoring.ts";
import { KernelTripwire } from "./tripwire.ts";
import { nextTurn, Pace } from "./turns.ts";
import type { BlockHistory, BlockLimits, BlockRow, HostFacts } from "./types.ts";
import { Voice } from "./voice.ts";

export type ResponderOptions = Partial<BlockLimits> & {
  readonly mode: Mode;
  /** What a first scan on forgeable evidence leads to; a block when left out. */
  readonly firstOffence?: DecideInput["firstOffence"];
  readonly allow: PrefixSet;
  readonly backend: Backend;
  readonly history: BlockHistory;
  /** Who is protected, asked at every verdict: `reader.current()` of a `HostFactsReader`. */
  readonly facts: () => HostFacts;
  readonly emit: Emit;
  /** Let the kernel decide first, in mode `block`, where the backend can; false or left out: user space decides alone. */
  readonly tripwire?: TripwireOptions | false;
  readonly clock?: Clock;
  /** Chance in [0, 1) for the jitter. */
  readonly chance?: () => number;
};

// The guard lifts a block on time and reads its counter; the kernel would do it this much later, should the guard
// be gone by then.
const GRACE_MS = 5_000;
// What waits is looked after so often. When nothing waits, the next look is at the moment the first block is over; and so often in
// any case, in the company of whatever else wakes this process.
const TICK_MS = 1_000;
const REST_MS = 10_000;
// What was on its way to the firewall when somebody became protected has its answer by then, and may be a refusal.
const PROTECT_MS = 250;
const LIFTS_PER_TICK = 5_000;
// A verdict takes a twentieth of a millisecond, and packets of a flood are read by the thousand.
const VERDICTS_PER_TURN = 100;

export class Responder {
  readonly #backend: Backend;
  readonly #facts: () => HostFacts;
  readonly #emit: Emit;
  readonly #clock: Clock;
  readonly #limits: BlockLimits;
  readonly #voice: Voice;
  readonly #ledger: BlockLedger;
  readonly #judgement: Judge;
  readonly #protection: Protection;
  readonly #queue: ChangeQueue;
  readonly #lifting: Lifting;
  readonly #restoring: Restoring;
  readonly #healing: Healing;
  readonly #tripwire: KernelTripwire;
  readonly #nextTick = new NextTick(() => void this.tick());
  readonly #pace = new Pace(VERDICTS_PER_TURN);
  readonly #ear: Disposable;
  #traits: BackendTraits | undefined;
  #mode: Mode;
  #ticking: Promise<void> | undefined;
  // Has block mode been entered, with everything it needs?
  #entered = false;
  #restored = false;
  #lastFinding = "";
  // By other processes, since the last turn of the event loop.
  readonly #letIn: Prefix[] = [];
  #closed = false;

  constructor(options: ResponderOptions) {
    this.#mode = options.mode;
    this.#backend = options.backend;
    this.#facts = options.facts;
    this.#emit = options.emit;
    this.#clock = options.clock ?? systemClock;
    this.#limits = limitsOf(options);
    this.#voice = new Voice(this.#emit, this.#clock);
    this.#ledger = new BlockLedger(options.history, this.#backend.name, this.#clock, this.#voice, this.#emit);
    this.#judgement = new Judge({
      limits: this.#limits,
      firstOffence: options.firstOffence ?? "block",
      ledger: this.#ledger,
      clock: this.#clock,
      chance: options.chance ?? Math.random,
      voice: this.#voice,
      emit: this.#emit,
    });
    this.#queue = new ChangeQueue(this.#backend);
    this.#protection = new Protection(this.#backend, this.#facts, options.allow);
    this.#lifting = new Lifting(this.#queue, this.#ledger, this.#voice);
    this.#restoring = {
      backend: this.#backend,
      ledger: this.#ledger,
      queue: this.#queue,
      emit: this.#emit,
      clock: this.#clock,
      guarded: (target) => this.#protection.why(target) !== null,
      graceMs: GRACE_MS,
      blockMs: this.#limits.blockMs,
    };
    this.#healing = new Healing({
      backend: this.#backend,
      what: () => this.#traits?.what ?? this.#backend.name,
      clock: this.#clock,
      voice: this.#voice,
      restore: async () => {
        await this.#ledger.followOthers();
        await this.#openFirewall();
        await restoreBelieved(this.#restoring);
        return this.inForce;
      },
      settle: async () => {
        await this.#ledger.followOthers();
        await restoreBelieved(this.#restoring);
      },
      lifted: () => this.#liftedByOrder(),
    });
    this.#tripwire = new KernelTripwire({
      options: options.tripwire ?? false,
      backend: this.#backend,
      clock: this.#clock,
      voice: this.#voice,
      onScan: (scan) => void this.onFinding(this.#emit({ type: "scan.detected", scan })),
    });
    this.#ear = this.#backend.subscribe((event) => {
      if (event.on === "lifted-by-order") this.#queue.giveUp();
      this.#healing.hear(event);
      this.#tripwire.hear(event);
      this.#nextTick.within(TICK_MS);
    });
    this.#nextTick.within(TICK_MS);
  }

  /** How many blocks are believed in force. */
  get inForce(): number {
    return this.#ledger.standing.size;
  }

  /** For the status block. */
  describe(): string {
    const blocks = `${this.inForce} ${this.inForce === 1 ? "block" : "blocks"} in force`;
    return this.#mode === "block"
      ? `${this.#backend.name}, ${this.#traits?.what ?? "not open yet"}${this.#tripwire.describe()}: ${blocks}`
      : `observing, nothing new is blocked: ${blocks}`;
  }

  setMode(mode: Mode): void {
    this.#mode = mode;
    this.#nextTick.within(TICK_MS);
  }

  /** Takes a new allow list; blocks that it forbids are lifted by the next tick. */
  setAllow(allow: PrefixSet): void {
    this.#protection.setAllow(allow);
    this.#nextTick.within(TICK_MS);
  }

  /** Who is protected has changed: the firewall is told soon, and whoever it is let in again. Otherwise that is noticed by a tick. */
  protectSoon(): void {
    this.#nextTick.within(PROTECT_MS);
  }

  /**
   * Reaches a verdict on a `scan.detected` (other events are passed over), and in mode `block` carries it out. Resolves
   * when the firewall has confirmed or refused. Emits verdict.reached, then block.applied or block.failed.
   */
  async onFinding(event: Event): Promise<void> {
    if (event.type !== "scan.detected" || this.#closed || event.id === this.#lastFinding) return;
    // What the tripwire found comes twice where the listener to all events hands findings on.
    this.#lastFinding = event.id;
    const wait = this.#pace.pass();
    if (wait !== null) await wait;
    if (!this.#closed) await this.#judge(event);
    if (this.#judgement.isWaiting) this.#nextTick.within(TICK_MS);
  }

  async #judge(finding: Finding): Promise<void> {
    const { scan } = finding;
    const verdict = this.#judgement.verdictOn(finding, {
      mode: this.#mode,
      facts: this.#facts(),
      guardrail: (target, facts) => this.#protection.why(target, facts),
      // Observing, the best firewall is imagined; what the real one can is known once it is open.
      canThrottle: this.#traits?.throttles ?? true,
    });
    if (verdict.refusedBy === "breaker") return;
    if (verdict.guardrail !== undefined && this.#tripwire.armed) {
      // The kernel may have been quicker than the news of who is protected.
      await this.#queue.change({ do: "lift", target: wholeAddress(scan.source) });
    }
    const cuts = verdict.action === "block" || verdict.action === "throttle";
    // The firewall first: a single change is made within this very call, before the verdict is written anywhere.
    const acts = cuts && this.#mode === "block";
    const blocked = acts ? this.#block(rowOf(verdict, scan.grade, this.#clock.now()), verdict) : null;
    this.#emit({ type: "verdict.reached", verdict });
    if (blocked === null || (await blocked) !== null) return;
    await this.#lookAgain(parsePrefix(verdict.target)!);
    if (isAggregate(verdict)) await this.#lifting.within(parsePrefix(verdict.target)!);
  }

  // The facts of the verdict may have been a second old, and are being read anew since: somebody who logged in meanwhile
  // is let in again before a packet of theirs is sent twice.
  async #lookAgain(target: Prefix): Promise<void> {
    await nextTurn();
    const block = this.#ledger.standing.get(target);
    if (block !== null && this.#protection.why(target) !== null)
      await this.#lifting.lift([block], "guardrail");
  }

  /**
   * Blocks by hand, guardrails respected; also makes a provisional block a lasting one.
   * @param forMs how long, in milliseconds
   * @returns why it was not done, or null
   */
  async block(target: Prefix, forMs: number, because: string): Promise<string | null> {
    const guardrail = this.#protection.why(target);
    if (guardrail !== null) return `never blocked: ${guardrail}`;
    const width = tooWide(target, WIDEST_BY_HAND);
    if (width !== null) return width;
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
   * Brings the firewall to what the history says, with the time left: after a restart or a reboot. In mode `observe` it
   * reads the history only. From then on the firewall is watched, and put right when somebody takes it apart.
   * @throws MissingPartError when this machine has no such firewall
   */
  async restore(): Promise<void> {
    if (this.#mode === "block") await this.#enterBlockMode();
    else await observeHistory(this.#restoring);
    // Not before, or the next tick would enter as well.
    this.#restored = true;
    this.#nextTick.within(TICK_MS);
  }

  /**
   * Lifts the block of this address or prefix, or the block that covers it (an IPv6 address is blocked with its /64).
   * @returns what became of each block that covered it; empty when nothing of the kind was in force
   */
  async lift(target: string): Promise<readonly ChangeResult[]> {
    const wanted = parsePrefix(target);
    if (wanted === null) return [];
    const covers = (other: Prefix) => other.bits <= wanted.bits && prefixesOverlap(other, wanted);
    // The firewall may hold what an earlier run left there and the history has lost.
    const held = (await this.#heldOrNothing(wanted)).filter(({ target: other }) => covers(other));
    const targets = new Map(held.map((block) => [formatPrefix(block.target), block]));
    const believed = (await this.#ledger.covering(wanted, covers)).filter((each) => !targets.has(each));
    const results = await this.#queue.changes([
      ...[...targets.values()].map(liftOf),
      ...believed.map((each) => liftOf({ target: parsePrefix(each)! })),
    ]);
    await this.#lifting.end(results, "administrator");
    return results;
  }

  /** Somebody else has made or renewed this block, in the firewall and in the history: it is believed in force. */
  believeBlocked(applied: Extract<EventBody, { type: "block.applied" }>): void {
    this.#ledger.takeUp(applied);
    this.#nextTick.within(TICK_MS);
  }

  /** Somebody else has lifted this block, in the firewall and in the history: it is no longer believed in force. */
  believeLifted(target: string): void {
    this.#ledger.forget(target);
    const prefix = parsePrefix(target);
    if (prefix === null) return;
    // Somebody who lets everybody in is told of in thousands, and each call is a transaction of the kernel's.
    if (this.#letIn.length === 0) setImmediate(() => void this.#backend.pardon(this.#letIn.splice(0)));
    this.#letIn.push(prefix);
  }

  /** Lifts every block and removes all that the backend has put on the host. */
  async liftAll(): Promise<void> {
    await this.#queue.idle();
    const packets = await this.packetsStopped();
    await this.#backend.clear();
    this.#protection.forget();
    await this.#lifting.endAll(packets);
  }

  /** Packets that the blocks in force have stopped so far, by target. */
  async packetsStopped(): Promise<ReadonlyMap<string, number>> {
    return new Map(
      (await this.#heldOrNothing()).map((block) => [formatPrefix(block.target), block.packetsStopped]),
    );
  }

  /**
   * Lifts what is over, frees whoever has become protected, lets the breaker rest: by its own timer, when one of these may be due.
   * Who is protected is asked every ten seconds; whoever learns of a change says so.
   */
  async tick(): Promise<void> {
    this.#ticking ??= this.#tickOnce().finally(() => {
      this.#ticking = undefined;
      this.#nextTick.within(this.#restMs());
    });
    await this.#ticking;
  }

  #restMs(): number {
    const isEntering = this.#mode === "block" && !this.#entered && this.#restored;
    if (isEntering || this.#judgement.isWaiting || this.#healing.isWaiting) return TICK_MS;
    const dueMs = this.#ledger.standing.dueWithin(this.#clock.monotonicMs(), REST_MS);
    return dueMs === null ? untilRound(REST_MS) : Math.max(TICK_MS, dueMs);
  }

  /** Stops; blocks stay in force, and the kernel ends each in its time. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#nextTick.close();
    this.#ear[Symbol.dispose]();
    await this.#healing.close();
    await this.#ticking;
    await this.#queue.idle();
    this.#ledger.settle();
    if (this.#entered && this.#mode === "block") await this.#ledger.keepCounts(packetCounter(this.#backend));
    await this.#backend.close();
  }

  async #tickOnce(): Promise<void> {
    if (this.#closed) return;
    const due = this.#ledger.standing.due(this.#clock.monotonicMs(), LIFTS_PER_TICK);
    if (due.length > 0) await this.#lifting.lift(due, "expired");
    if (this.#mode === "block" && !this.#entered && this.#restored) await this.#enterLater();
    const facts = this.#facts();
    if (this.#protection.isNews(facts)) await this.#protect(facts);
    this.#judgement.tick();
    for (const finding of this.#judgement.takeRefused()) await this.#judge(finding);
    this.#healing.tick();
    await this.#tripwire.follow(this.#mode, this.#traits);
  }

  // The mode was changed while the guard ran.
  async #enterLater(): Promise<void> {
    try {
      await this.#enterBlockMode();
    } catch (error) {
      const mend = error instanceof MissingPartError ? error.mend : "see `telltale doctor`";
      this.#voice.fail("firewall", `nothing can be blocked: ${describeError(error)}`, mend);
    }
  }

  // The guards or the allow list have changed: free whoever is protected now, and tell the firewall.
  async #protect(facts: HostFacts): Promise<void> {
    const guarded = [...this.#ledger.standing].filter(
      ({ target }) => this.#protection.why(target, facts) !== null,
    );
    if (guarded.length > 0) await this.#lifting.lift(guarded, "guardrail");
    if (this.#mode !== "block") return;
    try {
      await this.#protection.tell(facts);
    } catch (error) {
      const why = `the allow list did not reach the firewall: ${describeError(error)}`;
      this.#voice.fail("allow", why, "see `telltale doctor`");
    }
  }

  /** @param verdict that it carries out; left out for a block by hand */
  async #block(row: BlockRow, verdict?: Verdict): Promise<string | null> {
    const target = parsePrefix(row.target)!;
    const forMs = Date.parse(row.until) - Date.parse(row.since);
    const before = this.#ledger.standing.get(target);
    // Believed in force from now on, so that a second finding of the same source does not ask again.
    this.#ledger.believe(row, target, forMs);
    this.#nextTick.within(TICK_MS);
    const throttled = row.throttled === true ? { throttled: true } : {};
    const change = { do: "block" as const, target, forMs: forMs + GRACE_MS, ...throttled };
    this.#backend.early?.(change);
    const { why, mend, guardrail } = await this.#queue.change(change);
    if (why === null) {
      this.#ledger.confirm(row);
      return null;
    }
    this.#ledger.disbelieve(target, before);
    // What the kernel did early is undone; what stood before stays.
    if (before === null && this.#backend.early !== undefined)
      await this.#queue.change({ do: "lift", target });
    if (guardrail !== undefined) {
      // Whoever applies blocks knew better: a login, say, of which the news was on its way. That is a verdict, and no failure.
      const because = `never blocked: ${guardrail}`;
      if (verdict !== undefined)
        this.#emit({
          type: "verdict.reached",
          verdict: { ...verdict, action: "ignore", forMs: 0, because, guardrail },
        });
      return because;
    }
    this.#emit({ type: "block.failed", target: row.target, why, mend, findingId: row.findingId });
    return why;
  }

  async #liftedByOrder(): Promise<void> {
    await this.#lifting.endAll(new Map());
    if (this.#mode === "block") await this.#openFirewall();
  }

  async #enterBlockMode(): Promise<void> {
    await this.#openFirewall();
    if (this.#traits?.endless === true) await this.#lifting.overdue();
    await restoreHistory(this.#restoring);
    await this.#healing.start();
    await this.#tripwire.follow(this.#mode, this.#traits);
    this.#entered = true;
  }

  async #openFirewall(): Promise<void> {
    this.#traits = await this.#backend.open();
    // Meanwhile somebody may have had everything lifted: to tell the firewall who is protected would make the table once more.
    if (this.#mode === "block") await this.#protection.tell();
  }

  async #heldOrNothing(covering?: Prefix): Promise<HeldBlock[]> {
    try {
      return await this.#backend.held(covering);
    } catch (error) {
      this.#voice.fail(
        "firewall",
        `the firewall cannot be read: ${describeError(error)}`,
        "see `telltale doctor`",
      );
      return [];
    }
  }
}
