// Gives each finding its verdict, with what has to be remembered for it: how busy the last minute was, who was let off or
// refused, which networks the proven scanners come from. The rules themselves are in decide.ts.
import { type Address, familyOf, type Prefix, parsePrefix, prefixOf } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { Emit, Event, EvidenceGrade, Mode, Verdict } from "../core/events.ts";
import { CircuitBreaker } from "./breaker.ts";
import { type DecideInput, decide } from "./decide.ts";
import { guardOver, wholeAddress } from "./guardrails.ts";
import type { BlockLedger } from "./ledger.ts";
import { LetOff } from "./let-off.ts";
import { ProvenNetworks, RefusedFindings } from "./refused.ts";
import type { BlockLimits, BlockRow, Guard, HostFacts } from "./types.ts";
import type { Voice } from "./voice.ts";

export type Finding = Extract<Event, { type: "scan.detected" }>;

export type JudgeOptions = {
  readonly limits: BlockLimits;
  readonly firstOffence: DecideInput["firstOffence"];
  readonly ledger: BlockLedger;
  readonly clock: Clock;
  readonly chance: () => number;
  readonly voice: Voice;
  readonly emit: Emit;
};

/** How things stand when a finding comes. */
export type Circumstances = {
  readonly mode: Mode;
  readonly facts: HostFacts;
  readonly guardrail: (target: Prefix, facts: HostFacts) => string | null;
  readonly canThrottle: boolean;
};

const NO_NETWORKS: readonly Guard[] = [];

export class Judge {
  readonly #given: JudgeOptions;
  readonly #breaker: CircuitBreaker;
  readonly #letOff: LetOff;
  readonly #refused: RefusedFindings;
  readonly #networks: ProvenNetworks;

  constructor(given: JudgeOptions) {
    const { limits, clock, voice, emit } = given;
    this.#given = given;
    this.#breaker = new CircuitBreaker(limits, clock, voice, emit);
    this.#letOff = new LetOff(limits.forgetMs, clock);
    this.#refused = new RefusedFindings(clock);
    this.#networks = new ProvenNetworks(clock);
  }

  /** The verdict on one finding. What the breaker refuses it tells itself; of all others nobody has been told yet. */
  verdictOn(finding: Finding, { mode, facts, guardrail, canThrottle }: Circumstances): Verdict {
    const { limits, firstOffence, ledger, clock, chance } = this.#given;
    const { scan } = finding;
    const now = clock.now();
    const verdict = decide({
      scan,
      findingId: finding.id,
      mode,
      limits,
      firstOffence,
      canThrottle,
      now,
      chance: chance(),
      guardrails: (target) => guardrail(target, facts),
      provisional: (target) => guardOver(target, facts.loginNetworks ?? NO_NETWORKS),
      history: {
        inForce: (target) => {
          const block = ledger.standing.covering(target);
          if (block === null) return null;
          const { sinceMs, untilMs, grade, throttled } = block;
          return { since: new Date(sinceMs), until: new Date(untilMs), grade, throttled };
        },
        times: (target) => ledger.timesSince(target, now.getTime() - limits.forgetMs),
        letOff: (target) => this.#letOff.has(target),
      },
      neighbours: (target) => this.#networks.besides(target),
      load: { newInLastMinute: this.#breaker.newInLastMinute(scan.grade), inForce: ledger.standing.size },
    });
    this.#remember(finding, verdict);
    return verdict;
  }

  /** Whether there is something that a `tick` may bring forward. */
  get isWaiting(): boolean {
    return this.#breaker.isTripped || this.#refused.size > 0;
  }

  /** Lets the breaker rest when it may. Once a second while there is something to wait for. */
  tick(): void {
    this.#breaker.tick(this.#given.ledger.standing.size);
  }

  /**
   * Those whom the breaker refused and who can be judged again, as room allows. Of the room for forgeable ones half is left
   * to the scanners of now.
   */
  takeRefused(): Finding[] {
    const { limits, ledger } = this.#given;
    const room = (grade: EvidenceGrade, share: number) =>
      Math.max(
        0,
        Math.min(share - this.#breaker.newInLastMinute(grade), limits.maxInForce - ledger.standing.size),
      );
    return [
      ...this.#refused.take("proven", room("proven", limits.maxPerMinute)),
      ...this.#refused.take("spoofable", room("spoofable", Math.floor(limits.maxPerMinute / 2))),
    ];
  }

  #remember(finding: Finding, verdict: Verdict): void {
    const { grade, source } = finding.scan;
    if (verdict.action === "ignore") return;
    if (grade === "proven") this.#networks.note(ownTarget(source));
    if (verdict.refusedBy === "breaker") {
      this.#refused.add(finding);
      this.#breaker.refuse(verdict);
    } else if (verdict.action === "watch") this.#letOff.add(parsePrefix(verdict.target)!);
    else this.#breaker.noteBlock(grade);
  }
}

/** Whether the verdict is on a whole network and not only on its scanner. */
export function isAggregate({ source, target }: Verdict): boolean {
  return target !== source && parsePrefix(target)!.bits < ownTarget(source).bits;
}

// What is blocked of one scanner: the address, or over IPv6 the customer's network.
function ownTarget(source: Address): Prefix {
  return familyOf(source) === 4 ? wholeAddress(source) : prefixOf(source, 64);
}

/** What the history is told once the firewall has confirmed the verdict. */
export function rowOf(verdict: Verdict, grade: EvidenceGrade, now: Date): BlockRow {
  return {
    target: verdict.target,
    since: now.toISOString(),
    until: new Date(now.getTime() + verdict.forMs).toISOString(),
    because: verdict.because,
    grade,
    findingId: verdict.findingId,
    packetsStopped: 0,
    ...(verdict.action === "throttle" && { throttled: true }),
  };
}
