// A report that could not be delivered is kept on the disk and tried again until it is. It is written there before
// the first try, so that a guard killed in the middle of a delivery has lost nothing.
import { type Clock, systemClock } from "../core/clock.ts";
import { describeError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import { attempt, routeName } from "./deliver.ts";
import { delayMs, isDue, type Owed, routeFor } from "./spool/decide.ts";
import {
  listReports,
  nameOf,
  prepareDirectory,
  readReport,
  removeReport,
  type SpoolFile,
  setAside,
  type Waiting,
  writeReport,
} from "./spool/files.ts";
import type { DeliveryResult, Message, Route } from "./types.ts";

// More reports than a week of hourly ones.
const MAX_REPORTS = 200;

const MAX_BYTES = 64_000_000;

// While a report is on its way, no other process may take it for a forgotten one: longer than every route's limit.
const LEASE_MS = 5 * 60_000;

const LONGEST_SLEEP_MS = 10 * 60_000;

const NO_ROUTE = "none";

export type SpoolOptions = {
  /** Made with mode 0700 when it is not there. */
  readonly dir: string;
  /** The routes configured now; asked at every try, so that a mended configuration counts at once. */
  readonly routes: () => readonly Route[];
  readonly emit: Emit;
  readonly clock?: Clock;
  /** A number from 0 up to 1, for spreading the tries. */
  readonly chance?: () => number;
  readonly maxReports?: number;
  readonly maxBytes?: number;
};

/** What waits in a spool. */
export type SpoolState = { readonly reports: number; readonly sizeBytes: number };

/**
 * Opens the spool of a directory.
 * @throws MissingPartError when the directory cannot be made or is not safe to use
 */
export function openSpool(options: SpoolOptions): Spool {
  prepareDirectory(options.dir);
  return new Spool(options);
}

export class Spool {
  readonly #options: SpoolOptions;
  readonly #clock: Clock;
  readonly #chance: () => number;
  // When each waiting report is due, so that looking does not mean reading them all; at most one a file.
  readonly #nextAt = new Map<string, string>();
  #timer: NodeJS.Timeout | null = null;
  #retrying: Promise<number> | null = null;
  #closed = false;

  constructor(options: SpoolOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#chance = options.chance ?? Math.random;
  }

  /** Delivers a message by every route; what fails stays in the spool and is tried again. Never throws. */
  async send(message: Message): Promise<DeliveryResult[]> {
    const routes = this.#options.routes();
    if (routes.length === 0) return this.#sendLater(message);
    const leased = new Date(this.#clock.now().getTime() + LEASE_MS).toISOString();
    const owed = routes.map((route) => ({ route: routeName(route), attempts: 0, nextAt: leased, why: "" }));
    const kept = this.#keep({ message, owed });
    const results = await Promise.all(routes.map((route) => attempt(message, route)));
    const left: Owed[] = [];
    results.forEach((result, index) => {
      this.#tell(message, result);
      if (!result.delivered) left.push(this.#after(owed[index]!, result));
    });
    this.#settle({ message, owed: left }, kept);
    this.#arm();
    return results;
  }

  // A configuration without a route may be mended; until then the report waits like any other.
  #sendLater(message: Message): DeliveryResult[] {
    const nextAt = this.#clock.now().toISOString();
    this.#keep({ message, owed: [{ route: NO_ROUTE, attempts: 0, nextAt, why: "" }] });
    const result = {
      route: NO_ROUTE,
      delivered: false,
      why: "no way for reports to leave is configured; the report waits",
      mend: "set via, and what it needs, under [report]",
      worthRetrying: true,
    } as const;
    this.#tell(message, result);
    return [result];
  }

  /** Tries every report whose time has come; returns how many left the spool. */
  retryDue(): Promise<number> {
    this.#retrying ??= this.#retry().finally(() => {
      this.#retrying = null;
    });
    return this.#retrying;
  }

  /** Begins to retry by itself, at once for what is due. The timer keeps no process alive. */
  start(): void {
    this.#arm(1_000);
  }

  /** What waits now. */
  waiting(): SpoolState {
    const files = this.#files();
    return { reports: files.length, sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0) };
  }

  /** Stops retrying; what waits stays on the disk for the next start. */
  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #retry(): Promise<number> {
    let left = 0;
    const files = listReports(this.#options.dir);
    const names = new Set(files.map((file) => file.name));
    for (const name of this.#nextAt.keys()) if (!names.has(name)) this.#nextAt.delete(name);
    for (const file of files) {
      if (this.#closed) break;
      const nextAt = this.#nextAt.get(file.name);
      if (nextAt !== undefined && !isDue({ nextAt }, this.#clock.now())) continue;
      const waiting = this.#read(file);
      if (waiting !== null && (await this.#retryOne(waiting))) left++;
    }
    this.#arm();
    return left;
  }

  async #retryOne({ message, owed }: Waiting): Promise<boolean> {
    const now = this.#clock.now();
    const routes = this.#options.routes();
    const due = owed.filter((each) => isDue(each, now));
    this.#nextAt.set(nameOf(message.id), earliest(owed));
    if (due.length === 0 || routes.length === 0) return false;
    const leased = new Date(now.getTime() + LEASE_MS).toISOString();
    this.#keep({
      message,
      owed: owed.map((each) => (due.includes(each) ? { ...each, nextAt: leased } : each)),
    });
    const left = owed.filter((each) => !due.includes(each));
    for (const each of due) {
      const result = await attempt(message, routeFor(each, routes, routeName)!);
      // The same refusal again is no news; a new one, or the delivery at last, is.
      if (result.delivered || result.why !== each.why) this.#tell(message, result);
      if (!result.delivered) left.push(this.#after({ ...each, route: result.route }, result));
    }
    this.#settle({ message, owed: left }, true);
    return left.length === 0;
  }

  #after(owed: Owed, result: DeliveryResult & { delivered: false }): Owed {
    const attempts = owed.attempts + 1;
    const inMs = delayMs(attempts, result.worthRetrying, this.#chance());
    const nextAt = new Date(this.#clock.now().getTime() + inMs).toISOString();
    return { route: result.route, attempts, nextAt, why: result.why };
  }

  #tell(message: Message, result: DeliveryResult): void {
    const { emit } = this.#options;
    if (result.delivered) emit({ type: "report.delivered", route: result.route, subject: message.subject });
    else emit({ type: "report.failed", route: result.route, why: result.why, mend: result.mend });
  }

  #keep(waiting: Waiting): boolean {
    try {
      this.#makeRoom(nameOf(waiting.message.id));
      writeReport(this.#options.dir, waiting);
      this.#nextAt.set(nameOf(waiting.message.id), earliest(waiting.owed));
      return true;
    } catch (error) {
      this.#tellSpool(`a report could not be kept in ${this.#options.dir}: ${describeError(error)}`);
      return false;
    }
  }

  #settle(waiting: Waiting, kept: boolean): void {
    if (waiting.owed.length > 0) this.#keep(waiting);
    else if (kept) {
      try {
        removeReport(this.#options.dir, nameOf(waiting.message.id));
      } catch (error) {
        this.#tellSpool(
          `a delivered report could not be removed and will go out again: ${describeError(error)}`,
        );
      }
    }
  }

  // The oldest reports give up what is attached first, and only then go altogether.
  #makeRoom(incoming: string): void {
    const { dir, maxReports = MAX_REPORTS, maxBytes = MAX_BYTES } = this.#options;
    const files = listReports(dir).filter((file) => file.name !== incoming);
    let sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
    for (const [index, file] of files.entries()) {
      if (sizeBytes <= maxBytes) break;
      const slimBytes = this.#slim(file);
      sizeBytes += slimBytes - file.sizeBytes;
      files[index] = { ...file, sizeBytes: slimBytes };
    }
    let dropped = 0;
    while (files.length > 0 && (files.length >= maxReports || sizeBytes > maxBytes)) {
      const oldest = files.shift()!;
      removeReport(dir, oldest.name);
      sizeBytes -= oldest.sizeBytes;
      dropped++;
    }
    if (dropped > 0) {
      this.#tellSpool(
        `${dropped} of the oldest undelivered reports dropped: the spool holds at most ${maxReports} reports and ${maxBytes} bytes`,
      );
    }
  }

  #slim(file: SpoolFile): number {
    const waiting = this.#read(file);
    if (waiting === null) return 0;
    const { html, attachments, text, ...rest } = waiting.message;
    if (html === undefined && attachments === undefined) return file.sizeBytes;
    const message = { ...rest, text: `${text}\n(HTML and attachments were dropped: the spool was full.)\n` };
    return writeReport(this.#options.dir, { message, owed: waiting.owed });
  }

  #read(file: SpoolFile): Waiting | null {
    try {
      return readReport(this.#options.dir, file.name);
    } catch (error) {
      this.#tellSpool(
        `${file.name} is no report (${describeError(error)}), set aside as ${file.name}.broken`,
      );
      setAside(this.#options.dir, file.name);
      return null;
    }
  }

  #files(): SpoolFile[] {
    try {
      return listReports(this.#options.dir);
    } catch {
      return []; // The next report that must be kept says what is wrong with the directory.
    }
  }

  #tellSpool(why: string): void {
    this.#options.emit({
      type: "report.failed",
      route: "spool",
      why,
      mend: `see that ${this.#options.dir} can be written and the routes under [report] work`,
    });
  }

  // Sleeps until the earliest report is due, but wakes now and then: another process may have left one.
  #arm(soonestMs = FIRST_WAKE_MS): void {
    if (this.#closed) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        this.retryDue().catch((error: unknown) => {
          this.#tellSpool(`the spool could not be read: ${describeError(error)}`);
          this.#arm(LONGEST_SLEEP_MS);
        });
      },
      Math.min(LONGEST_SLEEP_MS, soonestMs),
    );
    this.#timer.unref();
  }
}

// The first delay is a minute, so looking once a minute is as exact as the back-off needs.
const FIRST_WAKE_MS = 60_000;

function earliest(owed: readonly Owed[]): string {
  return owed.map((each) => each.nextAt).sort()[0] ?? "";
}
