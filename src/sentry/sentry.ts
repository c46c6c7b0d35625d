// The sentry at its post: connects the capture to the engine, keeps the tables of ports and addresses fresh, and tells
// scans at a rate that others can take.
import { randomInt } from "node:crypto";
import { type Address, familyOf, type PrefixSet, parsePrefix } from "../core/address.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import type { Emit, EventBody, Scan } from "../core/events.ts";
import { AddressNews } from "../sys/address-news.ts";
import type { Counters } from "./counters.ts";
import type { Thresholds } from "./detect.ts";
import { Engine } from "./engine.ts";
import { Listeners, type Ordinary } from "./listeners.ts";
import { LocalAddresses, wordsOf } from "./local.ts";
import { Muted } from "./muted.ts";
import type { KeptPacket } from "./recorder.ts";
import { rehearse } from "./rehearse.ts";
import { Sampling } from "./sampling.ts";
import { openTables } from "./tables.ts";
import { type Frame, PROTOCOL } from "./types.ts";

/** The packet source, as far as the sentry uses it. */
export interface PacketSource {
  setOrdinary(ordinary: Ordinary): void;
  stats(): { readonly received: number; readonly dropped: number };
  nameOf(interfaceIndex: number): string;
  describe(): string;
  close(): void;
}

export type SentryOptions = {
  /** Opens the packet source; throws MissingPartError when it cannot. */
  readonly openCapture: (options: {
    interfaces: readonly string[];
    loopback?: boolean;
    onPacket: (frame: Frame) => void;
    emit: Emit;
  }) => PacketSource;
  /** Names; empty, the default, for all. */
  readonly interfaces?: readonly string[];
  /** Also loopback; off by default. */
  readonly loopback?: boolean;
  /** One touch of these ports, TCP or UDP, is a scan. */
  readonly tripwirePorts?: readonly number[];
  /** Probes of these ports never count. */
  readonly excludePorts?: readonly number[];
  /** Sources that never count. */
  readonly ignore?: PrefixSet;
  readonly thresholds?: Partial<Thresholds>;
  /** Called with each scan told and the packets kept of it, from the IP header on (LINKTYPE_RAW). */
  readonly onEvidence?: (scan: Scan, packets: readonly KeptPacket[]) => void;
  /** What `save` gave before the restart. */
  readonly saved?: string;
  /** Memory for what is remembered of sources; 128 bytes each. */
  readonly maxStateBytes?: number;
  /** How long a port that was in use is no evidence; ten minutes. */
  readonly graceMs?: number;
  /** Scans told one by one; the rest is counted. */
  readonly scansPerSecond?: number;
  readonly clock?: Clock;
};

export interface Sentry extends Disposable {
  readonly counters: Readonly<Counters>;
  /** Packets that passed the kernel's filter, and those of them that were lost. */
  stats(): { readonly received: number; readonly dropped: number };
  /** Whether more sources came in the last seconds than can be remembered. */
  readonly isFlooded: boolean;
  /** `all interfaces, loopback off: 3 TCP and 5 UDP ports in use, all others watched`. */
  describe(): string;
  /** Takes a packet as if it had been captured. */
  observe(frame: Frame): void;
  /** What is held against sources, as text to keep over a restart; a damaged text is taken for none. */
  save(): string;
  /** A block of this address or prefix is in force: if it is loud, its packets are no longer looked at. */
  blocked(target: string): void;
  /** A block of this address or prefix ended. After expiry one more probe is a scan; pardoned, it starts anew. */
  release(target: string, how: "expired" | "pardoned"): void;
  close(): void;
}

// Enough for 65,536 sources; memory is touched only as sources come.
const MAX_STATE_BYTES = 8 << 20;
// What starts to listen is noticed at the first packet to it, and what has stopped is no evidence for minutes.
const REFRESH_MS = 10_000;
// Reading the addresses takes a tenth of a millisecond. Without being asked they are read when the kernel says that they
// have changed, several changes at once; or so often, where it does not say.
const ADDRESSES_MS = 500;
const ADDRESSES_SOON_MS = 20;
// What comes in great numbers is looked at as soon as it does; this is for what comes slowly.
const SAMPLE_MS = 500;
// Fewer packets in that time are nothing to look closer at.
const LOUD_PACKETS = 100;
// So many of known scanners are looked at at once: until they are left to the firewall they cost what a flood costs.
const LOUD_AT_ONCE = 1_000;
const LOUD_AGAIN_MS = 10;
// Bursts of forged scanners must not drown the store and the report in events.
const SCANS_PER_SECOND = 32;
const BURST_SECONDS = 8;
const SUMMARY_MS = 10_000;
// Several ports may turn out to be in use at once; the filter is written once for all of them.
const FILTER_DELAY_MS = 50;

/** Starts watching. Throws MissingPartError when packets cannot be heard here. */
export function startSentry(options: SentryOptions, emit: Emit): Sentry {
  return new LiveSentry(options, emit);
}

class LiveSentry implements Sentry {
  readonly #emit: Emit;
  readonly #clock: Clock;
  readonly #engine: Engine;
  readonly #listeners: Listeners;
  readonly #locals = new LocalAddresses();
  readonly #source: PacketSource;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #muted = new Muted();
  readonly #addressNews: AddressNews | null;
  readonly #rehearsal: Disposable;
  #addressTimer: NodeJS.Timeout | null = null;
  #rates: NodeJS.Timeout | null = null;
  #isStirred = false;
  #heard = 0;
  #heardAtMs = 0;
  /** By the packets' own time. */
  #lookedAtMs = 0;
  #filterTimer: NodeJS.Timeout | null = null;
  #filterKey = "";
  #localsAtMs = Number.NEGATIVE_INFINITY;
  readonly #sampling: Sampling;
  readonly #scansPerSecond: number;
  #tokens: number;
  #tokensAtMs: number;
  #withheld = 0;
  #forgottenTold = 0;
  #unreadableTold: string | null = null;

  constructor(options: SentryOptions, emit: Emit) {
    this.#emit = emit;
    this.#clock = options.clock ?? systemClock;
    this.#tokensAtMs = this.#clock.monotonicMs();
    this.#sampling = new Sampling(this.#tokensAtMs);
    this.#scansPerSecond = options.scansPerSecond ?? SCANS_PER_SECOND;
    this.#tokens = this.#scansPerSecond * BURST_SECONDS;
    this.#listeners = new Listeners(openTables(), this.#clock, options.graceMs);
    this.#listeners.refresh();
    this.#locals.refresh();
    this.#engine = new Engine({
      listeners: this.#listeners,
      locals: this.#locals,
      clock: this.#clock,
      thresholds: options.thresholds,
      tripwirePorts: options.tripwirePorts,
      excludePorts: options.excludePorts,
      ignore: options.ignore,
      maxStateBytes: options.maxStateBytes ?? MAX_STATE_BYTES,
      seed: randomInt(2 ** 32),
      nameOf: (index) => this.#source.nameOf(index),
      onScan: (scan) => this.#tellScan(scan),
      onDistributed: (scan) => this.#tell({ type: "scan.distributed", scan }),
      onEvidence: options.onEvidence,
      onOrdinary: () => this.#writeFilterSoon(),
      onForeign: () => this.#readAddresses(),
    });
    if (options.saved !== undefined) this.#engine.recall(options.saved);
    this.#source = options.openCapture({
      interfaces: options.interfaces ?? [],
      loopback: options.loopback,
      onPacket: (frame) => this.observe(frame),
      emit,
    });
    this.#refresh();
    this.#rehearsal = rehearse(this.#listeners, this.#clock);
    this.#timers.push(setInterval(() => this.#refresh(), REFRESH_MS).unref());
    this.#addressNews = this.#hearOfAddresses();
    this.#timers.push(setInterval(() => this.#summarise(), SUMMARY_MS).unref());
  }

  get counters(): Readonly<Counters> {
    return this.#engine.counters;
  }

  get isFlooded(): boolean {
    return this.#engine.forgotten > this.#forgottenTold;
  }

  stats(): { readonly received: number; readonly dropped: number } {
    return this.#source.stats();
  }

  describe(): string {
    const [tcp, udp] = [this.#listeners.count(PROTOCOL.tcp), this.#listeners.count(PROTOCOL.udp)];
    return `${this.#source.describe()}: ${tcp} TCP and ${udp} UDP ports in use, all others watched`;
  }

  observe(frame: Frame): void {
    this.#isStirred = true;
    if (this.#rates === null) this.#watchRates();
    this.#engine.observe(frame);
    if (this.#sampling.isDue(this.#engine.visited)) this.#adaptSample();
    if (
      this.#engine.counters.ofScanners - this.#heard >= LOUD_AT_ONCE &&
      Math.abs(frame.atMs - this.#lookedAtMs) >= LOUD_AGAIN_MS
    ) {
      this.#lookedAtMs = frame.atMs;
      this.#muteLoud();
    }
  }

  save(): string {
    return this.#engine.save();
  }

  blocked(target: string): void {
    this.#muted.block(target);
  }

  release(target: string, how: "expired" | "pardoned"): void {
    if (this.#muted.lift(target)) this.#writeFilter();
    const prefix = parsePrefix(target);
    if (prefix === null) return;
    const family = familyOf(prefix.base as Address);
    this.#engine.release(family, wordsOf(prefix.base), how === "expired");
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    if (this.#rates !== null) clearInterval(this.#rates);
    if (this.#filterTimer !== null) clearTimeout(this.#filterTimer);
    if (this.#addressTimer !== null) clearTimeout(this.#addressTimer);
    this.#addressNews?.close();
    this.#rehearsal[Symbol.dispose]();
    this.#source.close();
    this.#listeners.close();
    this.#summarise();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #refresh(): void {
    this.#listeners.refresh();
    this.#locals.refresh();
    this.#tellUnreadable();
    this.#writeFilter();
  }

  /** From the first packet on, as long as packets come or only a sample of them does: a quiet host is not woken up. */
  #watchRates(): void {
    this.#muteLoud(); // What comes is counted from now on.
    this.#adaptSample();
    this.#rates = setInterval(() => {
      this.#muteLoud();
      this.#adaptSample();
      if (!this.#isStirred && this.#sampling.oneIn === 1) {
        clearInterval(this.#rates!);
        this.#rates = null;
      }
      this.#isStirred = false;
    }, SAMPLE_MS).unref();
  }

  #adaptSample(): void {
    if (!this.#sampling.adapt(this.#engine.visited, this.#clock.monotonicMs())) return;
    this.#engine.setSampled(this.#sampling.oneIn);
    this.#writeFilter();
  }

  /** Blocked sources that go on at full speed are left to the firewall, which counts them. */
  #muteLoud(): void {
    const nowMs = this.#clock.monotonicMs();
    const passedMs = Math.max(1, nowMs - this.#heardAtMs);
    const heard = this.#engine.counters.ofScanners;
    this.#heardAtMs = nowMs;
    const isQuiet = heard - this.#heard < LOUD_PACKETS;
    this.#heard = heard;
    if (isQuiet) return;
    let changed = false;
    this.#engine.eachLoud(LOUD_PACKETS, (family, words, packets) => {
      if (this.#muted.hear(family, words, packets, passedMs)) changed = true;
    });
    if (changed) this.#writeFilter();
  }

  #hearOfAddresses(): AddressNews | null {
    try {
      return new AddressNews(() => {
        this.#addressTimer ??= setTimeout(() => {
          this.#addressTimer = null;
          this.#followAddresses();
        }, ADDRESSES_SOON_MS).unref();
      });
    } catch {
      // A sandbox without netlink: asked again and again.
      this.#timers.push(setInterval(() => this.#followAddresses(), ADDRESSES_MS).unref());
      return null;
    }
  }

  /** The filter lets through what is for this host only, so it must hear of a new address soon. */
  #followAddresses(): void {
    const before = JSON.stringify(this.#locals.own());
    this.#locals.refresh();
    if (JSON.stringify(this.#locals.own()) !== before) this.#writeFilter();
  }

  /** An address may have come a moment ago; on a router most packets are for others, and ask in vain. */
  #readAddresses(): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#localsAtMs < ADDRESSES_MS) return false;
    this.#localsAtMs = nowMs;
    this.#locals.refresh();
    return true;
  }

  #writeFilterSoon(): void {
    this.#filterTimer ??= setTimeout(() => this.#writeFilter(), FILTER_DELAY_MS).unref();
  }

  #writeFilter(): void {
    if (this.#filterTimer !== null) clearTimeout(this.#filterTimer);
    this.#filterTimer = null;
    const ordinary = this.#listeners.ordinary(this.#sampling.oneIn, this.#locals.own(), this.#muted.list());
    const key = JSON.stringify(ordinary);
    if (key === this.#filterKey) return;
    this.#filterKey = key;
    this.#source.setOrdinary(ordinary);
  }

  #tellScan(scan: Scan): boolean {
    const nowMs = this.#clock.monotonicMs();
    const earned = ((nowMs - this.#tokensAtMs) / 1_000) * this.#scansPerSecond;
    this.#tokens = Math.min(this.#scansPerSecond * BURST_SECONDS, this.#tokens + earned);
    this.#tokensAtMs = nowMs;
    if (this.#tokens < 1) {
      this.#withheld++;
      return false;
    }
    this.#tokens--;
    this.#emit({ type: "scan.detected", scan });
    return true;
  }

  #summarise(): void {
    const { forgotten } = this.#engine;
    if (forgotten > this.#forgottenTold) {
      this.#tell({
        type: "sources.evicted",
        count: forgotten - this.#forgottenTold,
        because: `more than ${this.#engine.suspects.capacity} sources at once, most of them probably forged`,
      });
      this.#forgottenTold = forgotten;
    }
    if (this.#withheld > 0) {
      this.#tell({
        type: "scans.withheld",
        count: this.#withheld,
        because: `more than ${this.#scansPerSecond} scanners a second; each is told when it goes on later`,
      });
      this.#withheld = 0;
    }
  }

  #tellUnreadable(): void {
    const why = this.#listeners.unreadable;
    if (why === this.#unreadableTold) return;
    this.#unreadableTold = why;
    if (why === null) {
      this.#tell({ type: "part.recovered", part: "sentry", how: "the socket tables are readable again" });
      return;
    }
    this.#tell({
      type: "part.failed",
      part: "sentry",
      why: `ports in use are unknown: ${why}`,
      mend: "mount /proc where telltale runs",
      stillRuns: "packets are watched, but a port in use looks closed",
    });
  }

  #tell(body: EventBody): void {
    this.#emit(body);
  }
}
