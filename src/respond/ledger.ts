// What is believed in force, kept in step with the history and told to whoever listens. A history that cannot be
// written never keeps a block from being made or lifted.
import { formatPrefix, type Prefix, parsePrefix } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import { describeError } from "../core/errors.ts";
import type { Emit, EventBody, LiftCause } from "../core/events.ts";
import type { PacketCounter } from "./packets.ts";
import type { WantedBlock } from "./plan.ts";
import { type StandingBlock, StandingBlocks } from "./standing.ts";
import { nextTurn } from "./turns.ts";
import type { BlockHistory, BlockInForce, BlockRow } from "./types.ts";
import type { Voice } from "./voice.ts";

type BlockApplied = Extract<EventBody, { type: "block.applied" }>;

// Long lists are worked off in turns of a few milliseconds.
const ROWS_PER_TURN = 200;
// What is written together costs a third; the kernel holds what a crash loses here, and the next start finds it there.
const BEHIND_MS = 10;
const ROWS_PER_READ = 1_000;
const ASKED_AT_ONCE = 1_000;
const MEND_FIREWALL = "see `telltale doctor`";
const MEND = "see what the store itself reports, and `telltale doctor`";

export class BlockLedger {
  readonly standing = new StandingBlocks();
  readonly #history: BlockHistory;
  readonly #via: string;
  readonly #clock: Clock;
  readonly #voice: Voice;
  readonly #emit: Emit;
  // Targets in force that the history does not know, because it could not be written.
  readonly #unwritten = new Set<string>();
  // A block alone is written at once; what follows within milliseconds goes into one transaction after.
  readonly #behind: BlockRow[] = [];
  #turn: NodeJS.Timeout | undefined;

  /** @param via the name of the backend, for what is told */
  constructor(history: BlockHistory, via: string, clock: Clock, voice: Voice, emit: Emit) {
    this.#history = history;
    this.#via = via;
    this.#clock = clock;
    this.#voice = voice;
    this.#emit = emit;
  }

  /** Believes a block in force for so long from now on the monotonic clock. */
  believe(row: BlockRow, target: Prefix, forMs: number): void {
    const { since, until, grade, packetsStopped, throttled = false } = row;
    const times = { sinceMs: Date.parse(since), untilMs: Date.parse(until) };
    this.believeKnown({ target: row.target, ...times, grade, packetsStopped, throttled }, target, forMs);
  }

  /** Believes what the history says. */
  believeKnown(block: BlockInForce, target: Prefix, forMs: number): void {
    const { sinceMs, untilMs, grade, throttled, packetsStopped } = block;
    const endMs = this.#clock.monotonicMs() + forMs;
    this.standing.set({ target, endMs, sinceMs, untilMs, grade, throttled, packetsStopped });
  }

  /** Believes and writes down a block that was in force before we knew. */
  adopt(row: BlockRow, target: Prefix, forMs: number): void {
    this.believe(row, target, forMs);
    this.#write(row);
  }

  /** Writes down how many packets each block has stopped so far, so that a reboot does not lose the count. */
  async keepCounts(packetsOf: PacketCounter): Promise<void> {
    try {
      await this.#keepCounts(packetsOf);
    } catch (error) {
      this.#voice.fail("firewall", `the firewall cannot be read: ${describeError(error)}`, MEND_FIREWALL);
    }
  }

  async #keepCounts(packetsOf: PacketCounter): Promise<void> {
    this.settle();
    const blocks = this.standing[Symbol.iterator]();
    let some = taken(blocks);
    // The next are asked for while the last are written down: the firewall may be another process's.
    for (let asked = packetsOf(some); some.length > 0; ) {
      const packets = await asked;
      const answered = some;
      some = taken(blocks);
      if (some.length > 0) asked = packetsOf(some);
      this.together(() => {
        for (const [i, { target, packetsStopped }] of answered.entries())
          if (packets[i]! > packetsStopped) this.#history.count(formatPrefix(target), packets[i]!);
      });
    }
  }

  /** Believes a block that another process has made or renewed and written down. */
  takeUp({ target: text, until, because, findingId, throttled }: BlockApplied): void {
    const target = parsePrefix(text);
    const now = this.#clock.now();
    const forMs = Date.parse(until) - now.getTime();
    if (target === null || !(forMs > 0)) return;
    const before = this.standing.get(target);
    const row: BlockRow = {
      target: formatPrefix(target),
      since: (before === null ? now : new Date(before.sinceMs)).toISOString(),
      until,
      because,
      // By hand: the administrator's word needs no handshake.
      grade: "proven",
      findingId,
      packetsStopped: before?.packetsStopped ?? 0,
      ...(throttled === true && { throttled }),
    };
    this.believe(row, target, forMs);
  }

  /** Takes back a belief that the firewall did not confirm. */
  disbelieve(target: Prefix, before: StandingBlock | null): void {
    if (before === null) this.standing.delete(formatPrefix(target));
    else this.standing.set(before);
  }

  /** Writes down what the firewall has confirmed, and says so. */
  confirm(row: BlockRow): void {
    this.#write(row);
    const { target, until, because, findingId } = row;
    const throttled = row.throttled === true ? { throttled: true as const } : {};
    this.#emit({ type: "block.applied", target, until, because, findingId, via: this.#via, ...throttled });
  }

  /** Does what writes many rows in one transaction, where the history can. False when none of it was kept. */
  together(work: () => void): boolean {
    try {
      const { together } = this.#history;
      if (together === undefined) work();
      else together(work);
      return true;
    } catch (error) {
      this.#voice.fail("history", `the history could not be written: ${describeError(error)}`, MEND);
      return false;
    }
  }

  /** Writes what waits to be written. */
  settle(): void {
    clearTimeout(this.#turn);
    this.#turn = undefined;
    while (this.#behind.length > 0) this.#writeSome();
  }

  /** Ends a block and says so, unless another process has ended it before and said so itself. */
  end(target: string, cause: LiftCause, packetsStopped: number): void {
    if (this.#behind.length > 0) this.settle();
    const believed = this.standing.delete(target);
    const unwritten = this.#unwritten.delete(target);
    let known = false;
    try {
      known = this.#history.lift(target, this.#clock.now(), cause, packetsStopped);
    } catch (error) {
      known = believed;
      this.#voice.fail(
        "history",
        `the lift of ${target} could not be written down: ${describeError(error)}`,
        MEND,
      );
    }
    // Believed, written, yet no longer open in the history: another process has lifted it and said so.
    if (believed && !known && !unwritten) return;
    this.#emit({ type: "block.lifted", target, cause, packetsStopped });
  }

  /** Forgets a block that somebody else has ended and announced. */
  forget(target: string): void {
    this.standing.delete(target);
    this.#unwritten.delete(target);
  }

  /**
   * The next of the history's rows in force, by their targets as text: a hundred thousand are never in memory at once.
   * @param after the last target before them; "" for the first
   * @returns none after the last; null when the history cannot be read, which is told
   */
  rowsInForce(after: string): readonly BlockInForce[] | null {
    this.settle();
    try {
      return this.#history.inForceAfter(this.#clock.now(), after, ROWS_PER_READ);
    } catch (error) {
      this.#voice.fail("history", `the history cannot be read: ${describeError(error)}`, MEND);
      return null;
    }
  }

  /**
   * The next of those that ran out and that nobody has ended, as text.
   * @param after the last one before them; "" for the first
   */
  overdueAfter(after: string): readonly string[] {
    try {
      return this.#history.overdueAfter?.(this.#clock.now(), after, ROWS_PER_READ) ?? [];
    } catch (error) {
      this.#voice.fail("history", `the history cannot be read: ${describeError(error)}`, MEND);
      return [];
    }
  }

  /** Calls `use` with every row in force, between two pages of which the event loop runs; false when they could not all be read. */
  async eachInForce(use: (row: BlockInForce) => void): Promise<boolean> {
    for (let after = ""; ; ) {
      const rows = this.rowsInForce(after);
      if (rows === null) return false;
      for (const row of rows) use(row);
      if (rows.length < ROWS_PER_READ) return true;
      after = rows.at(-1)!.target;
      await nextTurn();
    }
  }

  /** What the firewall should hold, by the time left on the monotonic clock. */
  *wanted(): Iterable<WantedBlock> {
    const nowMs = this.#clock.monotonicMs();
    for (const { target, endMs, packetsStopped, throttled } of this.standing)
      yield { target, leftMs: endMs - nowMs, packetsStopped, throttled };
  }

  /** Believes what other processes have written: forgets what they lifted, takes up what they made or made to last. */
  async followOthers(): Promise<void> {
    const round = this.standing.beginRound();
    const wallMs = this.#clock.now().getTime();
    const isWhole = await this.eachInForce((row) => {
      const known = this.standing.meet(row.target);
      const target = known?.target ?? parsePrefix(row.target);
      if (target === null || this.#unwritten.has(row.target)) return;
      // Only later ends: a known one is kept on the monotonic clock, and one of ours may be on its way to the history.
      if (known === null || row.untilMs > known.untilMs) this.believeKnown(row, target, row.untilMs - wallMs);
    });
    if (!isWhole) return;
    // What was made while the pages were read is met as well: only what was there before and is written nowhere is forgotten.
    for (const target of this.standing.unmet(round)) if (!this.#unwritten.has(target)) this.forget(target);
  }

  /** Blocks of this target since then; 0 when the history cannot tell. */
  timesSince(target: Prefix, sinceMs: number): number {
    try {
      return this.#history.times(formatPrefix(target), sinceMs);
    } catch (error) {
      this.#voice.fail("history", `the history cannot be read: ${describeError(error)}`, MEND);
      return 0;
    }
  }

  /** The targets, as text, of rows that cover this prefix. */
  async covering(wanted: Prefix, covers: (other: Prefix) => boolean): Promise<string[]> {
    const block = this.standing.covering(wanted);
    if (block !== null) return [formatPrefix(block.target)];
    const found: string[] = [];
    await this.eachInForce(({ target }) => {
      if (covers(parsePrefix(target) ?? wanted)) found.push(target);
    });
    return found;
  }

  #write(row: BlockRow): void {
    if (this.#turn !== undefined) {
      this.#behind.push(row);
      return;
    }
    this.#turn = setTimeout(() => this.#writeBehind(), BEHIND_MS);
    this.#put(row);
  }

  #writeBehind(): void {
    this.#turn = undefined;
    if (this.#behind.length === 0) return;
    this.#turn = setTimeout(() => this.#writeBehind(), BEHIND_MS);
    this.#writeSome();
  }

  #writeSome(): void {
    const rows = this.#behind.splice(0, ROWS_PER_TURN);
    const kept = this.together(() => {
      for (const row of rows) this.#put(row);
    });
    if (!kept) for (const { target } of rows) this.#unwritten.add(target);
  }

  #put(row: BlockRow): void {
    try {
      this.#history.put(row);
      this.#unwritten.delete(row.target);
    } catch (error) {
      this.#unwritten.add(row.target);
      this.#voice.fail(
        "history",
        `the block of ${row.target} is in force but could not be written down, and will not outlive a reboot: ${describeError(error)}`,
        MEND,
      );
    }
  }
}

function taken(blocks: Iterator<StandingBlock>): StandingBlock[] {
  const some: StandingBlock[] = [];
  while (some.length < ASKED_AT_ONCE) {
    const { value, done } = blocks.next();
    if (done === true) break;
    some.push(value);
  }
  return some;
}
