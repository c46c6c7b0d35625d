// What happened since midnight, for `telltale status`, in bounded memory.
import type { Event, EventBody } from "../../core/events.ts";
import type { TodayFigures } from "./types.ts";

/** The types of events that are counted here, for asking the history. */
export const COUNTED: readonly EventBody["type"][] = [
  "scan.detected",
  "scans.withheld",
  "verdict.reached",
  "block.applied",
  "line.found",
  "log.rotated",
  "rotation.failed",
  "report.delivered",
  "report.failed",
  "packets.lost",
  "lines.skipped",
];

// Sources whose scans may go on; of one that is forgotten, a later telling counts whole.
const MAX_SOURCES = 4_096;

type Figures = { -readonly [Name in Exclude<keyof TodayFigures, "since">]: number };

export class Today {
  #midnight: Date;
  #since: Date;
  #figures = nothing();
  readonly #seen = new Map<string, number>();

  /** @param since from when on events are observed; midnight when what came before is observed too */
  constructor(now: Date, since: Date = now) {
    this.#midnight = midnightOf(now);
    this.#since = since > this.#midnight ? since : this.#midnight;
  }

  /** Counts one event, which must not be older than those before it by more than a day. */
  observe(event: Event): void {
    const at = new Date(event.at);
    this.#turn(at);
    if (at < this.#midnight) return;
    const figures = this.#figures;
    switch (event.type) {
      case "scan.detected":
        figures.scans++;
        figures.probes += this.#growth(event.scan.source, event.scan.distinct);
        break;
      case "scans.withheld":
        figures.scans += event.count;
        break;
      case "verdict.reached":
        if (event.verdict.action === "block" && event.verdict.mode === "observe") figures.wouldBlock++;
        break;
      case "block.applied":
        figures.blocks++;
        break;
      case "line.found":
        figures.linesFound++;
        break;
      case "log.rotated":
        figures.rotations++;
        break;
      case "rotation.failed":
        figures.rotationsFailed++;
        break;
      case "report.delivered":
        figures.reports++;
        break;
      case "report.failed":
        figures.reportsFailed++;
        break;
      case "packets.lost":
        figures.packetsLost += event.count;
        break;
      case "lines.skipped":
        figures.linesSkipped += event.count;
        break;
      default:
        break; // not counted here
    }
  }

  read(now: Date): TodayFigures {
    this.#turn(now);
    return { since: this.#since.toISOString(), ...this.#figures };
  }

  // A scan that goes on is told again with all that was seen of it.
  #growth(source: string, distinct: number): number {
    const before = this.#seen.get(source) ?? 0;
    this.#seen.delete(source);
    this.#seen.set(source, distinct);
    if (this.#seen.size > MAX_SOURCES) this.#seen.delete(this.#seen.keys().next().value!);
    return distinct > before ? distinct - before : distinct === before ? 0 : distinct;
  }

  #turn(now: Date): void {
    const midnight = midnightOf(now);
    // A clock that was ahead and is set back begins its day again.
    if (midnight.getTime() === this.#midnight.getTime()) return;
    if (midnight < this.#midnight && this.#midnight.getTime() - now.getTime() < 86_400_000) return;
    this.#midnight = midnight;
    this.#since = midnight;
    this.#figures = nothing();
    this.#seen.clear();
  }
}

function midnightOf(now: Date): Date {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate());
}

function nothing(): Figures {
  return {
    scans: 0,
    probes: 0,
    blocks: 0,
    wouldBlock: 0,
    linesFound: 0,
    rotations: 0,
    rotationsFailed: 0,
    reports: 0,
    reportsFailed: 0,
    packetsLost: 0,
    linesSkipped: 0,
  };
}
