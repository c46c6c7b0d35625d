// Says once what a look at the coverage of logs found, and again when it was gone in between.
import type { EventBody } from "../core/events.ts";
import type { CoverageReport, Mishandled, UncoveredLog } from "../disk/types.ts";
import type { Store } from "../store/store.ts";
import { keepMark } from "./marks.ts";

// A smaller log is no danger to a disk; it is named once it has grown to this. `rotate --uncovered` lists them all.
const UNCOVERED_TOLD_BYTES = 8_192;
const MARK = "uncovered";
const FOLLOWED = "disk.logs";

/** The logs that the last look found worth following. */
export function followedLogs(store: Store): readonly string[] {
  return JSON.parse(store.marks.get(FOLLOWED) ?? "[]") as string[];
}

/** What is news of each report, in the order of the reports. */
export class CoverageNews {
  readonly #store: Store;
  readonly #emit: (body: EventBody) => unknown;
  readonly #told: Set<string>;
  readonly #kept = new Map<string, string>();

  constructor(store: Store, emit: (body: EventBody) => unknown) {
    this.#store = store;
    this.#emit = emit;
    this.#told = new Set(JSON.parse(store.marks.get(MARK) ?? "[]") as string[]);
  }

  tell({ uncovered, mishandled, logs }: CoverageReport): void {
    this.#keep(FOLLOWED, JSON.stringify(logs));
    const now = new Map<string, EventBody>();
    for (const log of uncovered) {
      if (log.sizeBytes >= UNCOVERED_TOLD_BYTES) now.set(log.path, uncoveredEvent(log));
    }
    for (const each of mishandled) {
      if (!each.usual) now.set(keyOf(each), mishandledEvent(each));
    }
    for (const [key, event] of now) if (!this.#told.has(key)) this.#emit(event);
    this.#told.clear();
    for (const key of now.keys()) this.#told.add(key);
    this.#keep(MARK, JSON.stringify([...this.#told]));
  }

  // A mark that stays as it was costs the disk nothing.
  #keep(mark: string, text: string): void {
    if (this.#kept.get(mark) === text) return;
    this.#kept.set(mark, text);
    keepMark(this.#store, mark, text);
  }
}

function keyOf({ how, path }: Mishandled): string {
  return `${how} ${path}`;
}

function uncoveredEvent(log: UncoveredLog): EventBody {
  const { path, sizeBytes, writer, bytesPerDay } = log;
  return {
    type: "log.uncovered",
    path,
    sizeBytes,
    writer,
    mend: mendOf(log),
    ...(log.package !== "" && { package: log.package }),
    ...(bytesPerDay !== null && { bytesPerDay }),
  };
}

function mendOf({ stanza }: UncoveredLog): string {
  if (stanza === "") return "add a stanza for it to /etc/logrotate.d";
  return `put this into a file in /etc/logrotate.d:\n${stanza.trimEnd()}`;
}

function mishandledEvent({ how, path, sizeBytes, writer, why, mend }: Mishandled): EventBody {
  return { type: "log.mishandled", how, path, sizeBytes, writer, why, mend };
}
