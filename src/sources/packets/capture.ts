// Opens the packet ring, keeps its filter in step with the host, and says when packets were lost. One ring hears all
// interfaces and the filter picks the wanted ones, so that an interface that goes and comes back is heard again, and one
// descriptor from a process with privilege serves for good: interfaces that come need no other.
import { MissingPartError, SystemCallError } from "../../core/errors.ts";
import type { Emit } from "../../core/events.ts";
import { interfaceIndexOf, interfaceNameOf } from "../../sys/interfaces.ts";
import {
  isForbidden,
  openPacketSocket,
  PacketRing,
  type RingFrame,
  type RingStatistics,
} from "../../sys/packet-ring.ts";
import { packetFilter } from "./filter.ts";
import { NOTHING_ORDINARY, type Ordinary } from "./types.ts";

export type CaptureOptions = {
  /** Names; empty or `any` for all interfaces. */
  readonly interfaces: readonly string[];
  /** Also loopback traffic. Naming `lo` among the interfaces says the same. */
  readonly loopback?: boolean;
  /** Called for each packet that the filter lets through. The frame is used again for the next one. */
  readonly onPacket: (frame: RingFrame) => void;
  /** Called when packets have woken this process, before the first of them is read. */
  readonly onWake?: () => void;
  readonly emit: Emit;
  /** Frames in the ring, a power of two; 256 bytes each. */
  readonly ringFrames?: number;
};

export interface Capture extends Disposable {
  /** Tells the kernel what is ordinary now. */
  setOrdinary(ordinary: Ordinary): void;
  stats(): Readonly<RingStatistics>;
  /** The interface's name, `if7` once it has gone. */
  nameOf(interfaceIndex: number): string;
  /** `all interfaces, loopback off`, or the names with those that are missing marked. */
  describe(): string;
  close(): void;
}

// Interfaces that appear are heard within this time; a name costs one system call to look up.
const FOLLOW_MS = 500;
const STATISTICS_MS = 5_000;
// Loss goes on for as long as a flood does; one event for each ten seconds of it tells enough.
const LOSS_EVENT_MS = 10_000;
// An interface may get another name while it is watched. This is asked for findings only.
const NAMES_KEPT_MS = 1_000;

/** Starts listening. Throws MissingPartError when this process may not, or the kernel has no packet sockets. */
export function openCapture(options: CaptureOptions): Capture {
  return new RingCapture(openSocket(), options);
}

/**
 * Starts listening on what openSocket gave to a process that may open packet sockets; this one need not. The capture owns
 * the descriptor. Throws MissingPartError.
 * @param fd serves one capture, once, and hears the network namespace in which it was opened
 */
export function captureFrom(fd: number, options: CaptureOptions): Capture {
  return new RingCapture(fd, options);
}

/**
 * Opens a socket for captureFrom, which may be called in another process; close the copy that stays behind, or the ring
 * outlives that process. Throws MissingPartError when this process may not, or the kernel has no packet sockets.
 */
export function openSocket(): number {
  try {
    return openPacketSocket();
  } catch (error) {
    throw describeRefusal(error);
  }
}

class RingCapture implements Capture {
  readonly #emit: Emit;
  readonly #wanted: readonly string[] | null;
  readonly #loopback: boolean;
  readonly #names = new Map<number, string>();
  #namesAtMs = Number.NEGATIVE_INFINITY;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #ring: PacketRing;
  #missing: readonly string[] = [];
  #indexes: readonly number[] | null = null;
  #ordinary: Ordinary = NOTHING_ORDINARY;
  #lostTold = 0;
  #lostToldAtMs = Number.NEGATIVE_INFINITY;

  constructor(fd: number, options: CaptureOptions) {
    const all = options.interfaces.length === 0 || options.interfaces.includes("any");
    this.#emit = options.emit;
    this.#wanted = all ? null : [...new Set(options.interfaces)];
    this.#loopback = options.loopback === true || (!all && options.interfaces.includes("lo"));
    try {
      this.#lookUp();
      this.#ring = new PacketRing({
        fd,
        interfaceIndex: 0,
        filter: this.#filter(),
        frames: options.ringFrames,
        onFrame: options.onPacket,
        onWake: options.onWake,
      });
    } catch (error) {
      throw describeRefusal(error);
    }
    // The first foreign call of a kind takes a millisecond; better now than in front of the first scan.
    this.nameOf(1);
    if (this.#missing.length > 0) this.#tellMissing(this.#missing);
    if (this.#wanted !== null) this.#every(FOLLOW_MS, () => this.#follow());
    this.#every(STATISTICS_MS, () => this.#tellLoss());
  }

  setOrdinary(ordinary: Ordinary): void {
    this.#ordinary = ordinary;
    this.#ring.setFilter(this.#filter());
  }

  stats(): Readonly<RingStatistics> {
    return this.#ring.statistics();
  }

  nameOf(interfaceIndex: number): string {
    const nowMs = performance.now();
    if (nowMs - this.#namesAtMs > NAMES_KEPT_MS) {
      this.#namesAtMs = nowMs;
      this.#names.clear();
    }
    let name = this.#names.get(interfaceIndex);
    if (name === undefined) {
      name = interfaceNameOf(interfaceIndex) ?? `if${interfaceIndex}`;
      this.#names.set(interfaceIndex, name);
    }
    return name;
  }

  describe(): string {
    if (this.#wanted === null) return `all interfaces, loopback ${this.#loopback ? "on" : "off"}`;
    return this.#wanted
      .map((name) => (this.#missing.includes(name) ? `${name} (not there yet)` : name))
      .join(", ");
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#ring.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #every(periodMs: number, work: () => void): void {
    this.#timers.push(setInterval(work, periodMs).unref());
  }

  #filter(): Uint8Array {
    return packetFilter({
      ordinary: this.#ordinary,
      interfaces: this.#indexes,
      loopback: this.#loopback,
    });
  }

  #lookUp(): void {
    if (this.#wanted === null) return;
    const found = this.#wanted.map((name) => ({ name, index: interfaceIndexOf(name) }));
    this.#missing = found.filter(({ index }) => index === 0).map(({ name }) => name);
    this.#indexes = found.filter(({ index }) => index !== 0).map(({ index }) => index);
  }

  #follow(): void {
    const before = this.#missing;
    const indexes = String(this.#indexes);
    this.#lookUp();
    if (String(this.#indexes) === indexes) return;
    this.#ring.setFilter(this.#filter());
    const gone = this.#missing.filter((name) => !before.includes(name));
    const back = before.filter((name) => !this.#missing.includes(name));
    if (gone.length > 0) this.#tellMissing(gone);
    if (back.length > 0) {
      this.#emit({ type: "part.recovered", part: "sentry", how: `listening on ${back.join(", ")}` });
    }
  }

  #tellMissing(names: readonly string[]): void {
    const rest = this.#wanted!.filter((name) => !this.#missing.includes(name));
    this.#emit({
      type: "part.failed",
      part: "sentry",
      why: `no such interface: ${names.join(", ")}`,
      mend: `compare with "ip link"; it is heard as soon as it appears`,
      stillRuns: rest.length === 0 ? "no other interface was named" : `listening on ${rest.join(", ")}`,
    });
  }

  #tellLoss(): void {
    const { dropped } = this.#ring.statistics();
    const nowMs = performance.now();
    if (dropped === this.#lostTold || nowMs - this.#lostToldAtMs < LOSS_EVENT_MS) return;
    this.#emit({ type: "packets.lost", count: dropped - this.#lostTold, where: "ring" });
    this.#lostTold = dropped;
    this.#lostToldAtMs = nowMs;
  }
}

function describeRefusal(error: unknown): unknown {
  if (isForbidden(error)) {
    return new MissingPartError(
      "sentry",
      "this process may not listen to packets (EPERM)",
      "run as root, or give CAP_NET_RAW",
      error,
    );
  }
  if (error instanceof SystemCallError) {
    return new MissingPartError(
      "sentry",
      `the kernel refuses the packet ring: ${error.message}`,
      "the kernel needs CONFIG_PACKET and 8 MiB of memory for the ring; a container needs CAP_NET_RAW",
      error,
    );
  }
  return error;
}
