// Scans, events and a history in memory, for the tests of this room.
import { parseAddress } from "../../core/address.ts";
import { type Emit, EVENT_SCHEMA_VERSION, type Event, type EventBody, type Scan } from "../../core/events.ts";
import { newId } from "../../core/id.ts";
import type { BlockHistory, BlockInForce, BlockRow } from "../types.ts";

export function sampleScan(source: string, more: Partial<Scan> = {}): Scan {
  return {
    source: parseAddress(source)!,
    shape: "vertical",
    grade: "spoofable",
    firstAt: "2026-11-22T19:51:02.000Z",
    lastAt: "2026-11-22T19:51:02.010Z",
    distinct: 4,
    reason: "4 of 4 first contacts failed, ratio 256 over 99",
    probes: [],
    ...more,
  };
}

export function stamp(body: EventBody, at = new Date("2026-11-22T19:51:02Z")): Event {
  return { ...body, v: EVENT_SCHEMA_VERSION, id: newId(at), host: "host", at: at.toISOString() };
}

export function scanEvent(source: string, more: Partial<Scan> = {}): Event {
  return stamp({ type: "scan.detected", scan: sampleScan(source, more) });
}

/** An emitter that keeps what it was told. */
export function recorder(): {
  emit: Emit;
  events: Event[];
  of: <T extends Event["type"]>(type: T) => Extract<Event, { type: T }>[];
} {
  const events: Event[] = [];
  return {
    events,
    emit: (body) => {
      const event = stamp(body);
      events.push(event);
      return event;
    },
    of: <T extends Event["type"]>(type: T) =>
      events.filter((event): event is Extract<Event, { type: T }> => event.type === type),
  };
}

/** What the store promises, in memory. */
export class MemoryHistory implements BlockHistory {
  readonly rows: (BlockRow & { liftedAt?: string; cause?: string })[] = [];
  readonly #open = new Map<string, number>();

  put(row: BlockRow): void {
    const open = this.#open.get(row.target);
    if (open !== undefined) this.rows[open] = { ...row, since: this.rows[open]!.since };
    else this.#open.set(row.target, this.rows.push(row) - 1);
  }

  inForce(now: Date): BlockRow[] {
    return this.rows.filter((row) => row.liftedAt === undefined && Date.parse(row.until) > now.getTime());
  }

  inForceAfter(now: Date, after: string, limit: number): BlockInForce[] {
    const rows = this.inForce(now).filter(({ target }) => target > after);
    return rows
      .sort((a, b) => (a.target < b.target ? -1 : 1))
      .slice(0, limit)
      .map(({ target, since, until, grade, packetsStopped, throttled = false }) => ({
        target,
        sinceMs: Date.parse(since),
        untilMs: Date.parse(until),
        grade,
        packetsStopped,
        throttled,
      }));
  }

  overdueAfter(now: Date, after: string, limit: number): string[] {
    const overdue = this.rows.filter(
      ({ liftedAt, until }) => liftedAt === undefined && Date.parse(until) <= now.getTime(),
    );
    return overdue
      .map(({ target }) => target)
      .filter((target) => target > after)
      .sort()
      .slice(0, limit);
  }

  count(target: string, packetsStopped: number): void {
    const index = this.#open.get(target);
    if (index !== undefined) this.rows[index] = { ...this.rows[index]!, packetsStopped };
  }

  lift(target: string, at: Date, cause: string, packetsStopped = 0): boolean {
    const index = this.#open.get(target);
    if (index === undefined) return false;
    this.#open.delete(target);
    this.rows[index] = { ...this.rows[index]!, liftedAt: at.toISOString(), cause, packetsStopped };
    return true;
  }

  times(target: string, sinceMs: number): number {
    return this.rows.filter((row) => row.target === target && Date.parse(row.since) >= sinceMs).length;
  }
}
