// Those whom the circuit breaker let go: judged again once there is room, and counted by network, because many proven
// scanners of one network past the cap are one attacker with many addresses.
import { formatPrefix, type Prefix } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { Event, EvidenceGrade } from "../core/events.ts";
import { networkOf } from "./decide.ts";

type Finding = Extract<Event, { type: "scan.detected" }>;

// Whoever was refused longer ago has either gone on, and was found again, or gone away.
const KEEP_MS = 5 * 60_000;
const MAX_FINDINGS = 2_048;

/** Refused findings, the last of each source, forgeable and proven apart. */
export class RefusedFindings {
  readonly #clock: Clock;
  readonly #waiting: Record<EvidenceGrade, Map<string, { finding: Finding; atMs: number }>> = {
    proven: new Map(),
    spoofable: new Map(),
  };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(finding: Finding): void {
    const waiting = this.#waiting[finding.scan.grade];
    waiting.delete(finding.scan.source);
    waiting.set(finding.scan.source, { finding, atMs: this.#clock.monotonicMs() });
    if (waiting.size > MAX_FINDINGS) dropFirst(waiting);
  }

  get size(): number {
    return this.#waiting.proven.size + this.#waiting.spoofable.size;
  }

  /** Up to `room` of them, longest refused first; they are not kept any longer. */
  take(grade: EvidenceGrade, room: number): Finding[] {
    const waiting = this.#waiting[grade];
    const nowMs = this.#clock.monotonicMs();
    const out: Finding[] = [];
    for (const [source, { finding, atMs }] of waiting) {
      if (nowMs - atMs < KEEP_MS && out.length >= room) break;
      waiting.delete(source);
      if (nowMs - atMs < KEEP_MS) out.push(finding);
    }
    return out;
  }
}

const COUNT_MS = 3_600_000;
const MAX_NETWORKS = 4_096;
const MAX_IN_ONE = 256;

/** Counts proven scanners by network. */
export class ProvenNetworks {
  readonly #clock: Clock;
  readonly #networks = new Map<string, Map<string, number>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(target: Prefix): void {
    const key = formatPrefix(networkOf(target));
    const seen = this.#networks.get(key) ?? new Map<string, number>();
    // Renewed ones go to the end: what is pushed out is what was quiet longest.
    this.#networks.delete(key);
    this.#networks.set(key, seen);
    if (this.#networks.size > MAX_NETWORKS) dropFirst(this.#networks);
    const member = formatPrefix(target);
    seen.delete(member);
    seen.set(member, this.#clock.monotonicMs());
    if (seen.size > MAX_IN_ONE) dropFirst(seen);
  }

  /** Distinct proven scanners of the target's network within the last hour, the target itself left out. */
  besides(target: Prefix): number {
    const seen = this.#networks.get(formatPrefix(networkOf(target)));
    if (seen === undefined) return 0;
    const nowMs = this.#clock.monotonicMs();
    for (const [member, atMs] of seen) if (nowMs - atMs >= COUNT_MS) seen.delete(member);
    return seen.size - (seen.has(formatPrefix(target)) ? 1 : 0);
  }
}

function dropFirst(map: Map<string, unknown>): void {
  for (const first of map.keys()) {
    map.delete(first);
    return;
  }
}
