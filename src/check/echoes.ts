// The same line often arrives twice: syslog daemons write what the journal holds. It is reported once. Told apart by
// what it says, not by how its date is spelled, and only across sources: a program that repeats itself is heard.
import { createHash } from "node:crypto";
import { parseStamp } from "./stamp/parse.ts";

// Two writers stamp a line by their own clocks: they disagree by moments, which may straddle a second.
const SKEW_SECONDS = 1;

// As many distinct lines as are remembered. Only lines that are to be reported come here; a source that lags behind the
// other by more than this reports its lines twice, which is better than a memory that strangers can fill.
const REMEMBERED_MAX = 16_384;

/** How often each source told one thing in one second. */
type Telling = { readonly second: number; readonly counts: Map<string, number> };

/** Recognises lines that another source told already. */
export class EchoFilter {
  /** Lines recognised. */
  echoCount = 0;
  // In the order in which they were last told; the first goes when it is full.
  readonly #tellings = new Map<string, Telling[]>();

  /** Whether another source told this line already, as often as this source does now. Counts the line as told. */
  isEcho(line: Uint8Array, source: string): boolean {
    const stamp = parseStamp(line, 0, line.length);
    if (stamp === null) return false;
    const key = keyOf(line.subarray(stamp.end));
    const second = secondOf(line, stamp);
    const tellings = this.#tellings.get(key) ?? [];
    const near = tellings.find((telling) => Math.abs(telling.second - second) <= SKEW_SECONDS);
    const telling: Telling = near ?? { second, counts: new Map() };
    if (near === undefined) tellings.push(telling);
    const told = (telling.counts.get(source) ?? 0) + 1;
    telling.counts.set(source, told);
    this.#remember(key, tellings);
    const most = Math.max(...[...telling.counts].filter(([name]) => name !== source).map(([, n]) => n), 0);
    if (told > most) return false;
    this.echoCount++;
    return true;
  }

  #remember(key: string, tellings: Telling[]): void {
    // A line that is told second after second keeps only its last moments.
    if (tellings.length > TELLINGS_MAX) tellings.shift();
    this.#tellings.delete(key);
    this.#tellings.set(key, tellings);
    if (this.#tellings.size <= REMEMBERED_MAX) return;
    const [oldest] = this.#tellings.keys();
    this.#tellings.delete(oldest!);
  }
}

const TELLINGS_MAX = 64;

// The kernel's own clock stands in front of its messages in a syslog file, and not in the journal.
const KERNEL_CLOCK = /^( \S+ kernel:) \[ *\d+\.\d+\]/;

function keyOf(rest: Uint8Array): string {
  const text = Buffer.from(rest.buffer, rest.byteOffset, rest.length).toString("latin1").trimEnd();
  return createHash("sha256").update(text.replace(KERNEL_CLOCK, "$1"), "latin1").digest("base64");
}

// Seconds within a leap year: neither spelling tells both year and zone, and both tell the local date and time.
function secondOf(line: Uint8Array, stamp: { spelling: string; month: number }): number {
  const dayAt = stamp.spelling === "rfc3339" ? 8 : 4;
  const timeAt = stamp.spelling === "rfc3339" ? 11 : 7;
  const number = (at: number) => ((line[at]! & 0x0f) * 10 + (line[at + 1]! & 0x0f)) % 100;
  const [hour, minute, second] = [number(timeAt), number(timeAt + 3), number(timeAt + 6)];
  return Date.UTC(2000, stamp.month - 1, number(dayAt), hour, minute, second) / 1000;
}
