// The kernel's packet ring, mapped into this process: an AF_PACKET socket whose frames are read where the kernel
// wrote them. Every offset of tpacket2_hdr and sockaddr_ll (packet(7), linux/if_packet.h) stands in this file and
// nowhere else, because a wrong one ends the process.
//
// The socket is of type SOCK_DGRAM, so that the kernel takes the link header off and Ethernet, loopback, tunnels and
// PPP look alike; a VLAN tag that the kernel did not take off itself is still in front of the network header.
//
// Only socket(2) asks for CAP_NET_RAW. Filter, ring, mapping and bind(2) need nothing, so one process may open the
// socket and another, without any privilege, do all the rest.
import { SystemCallError } from "../core/errors.ts";
import { koffi, lastError, libc } from "./libc.ts";
import { type SocketCalls, socketCalls } from "./socket-calls.ts";

/** One packet as it lies in the ring. The object is used again for the next packet: copy what must last. */
export type RingFrame = {
  /** The whole ring; the packet is `bytes[start..end)`. */
  bytes: Uint8Array;
  start: number;
  end: number;
  /** Length on the wire without the link header; more than `end - start` when the filter cut the packet. */
  wireLength: number;
  /** EtherType of what stands at `start`: 0x0800, 0x86dd, or 0x8100/0x88a8 for a tag still in place. */
  etherType: number;
  interfaceIndex: number;
  /** ARPHRD_ number of the interface: 1 Ethernet, 772 loopback, 65534 none. */
  hardware: number;
  /** PACKET_ number: 0 to us, 1 broadcast, 2 multicast, 3 to somebody else, 4 sent by us. */
  direction: number;
  /** Kernel's time of receipt, wall clock, milliseconds since 1970 with a fraction. */
  atMs: number;
};

export type RingOptions = {
  /** What openPacketSocket gave, here or in another process. The ring owns it, and closes it also when it fails. */
  fd: number;
  /** Interface to bind to; 0 for all, including those that come later. */
  interfaceIndex: number;
  /** Classic BPF program, 8 bytes an instruction (struct sock_filter). Its return value is the length kept. */
  filter: Uint8Array;
  /** Bytes per frame, a power of two from 256; 80 of them are the kernel's. */
  frameBytes?: number;
  /** Frames in the ring, a power of two; halved until the kernel grants it. */
  frames?: number;
  onFrame: (frame: RingFrame) => void;
  /** Called when packets have woken this process, before the first of them is read. */
  onWake?: () => void;
};

export type RingStatistics = {
  /** Packets the filter let through, dropped ones included. */
  received: number;
  /** Packets the filter let through that found the ring full. */
  dropped: number;
};

const AF_PACKET = 17;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SOL_PACKET = 263;
const PACKET_RX_RING = 5;
const PACKET_STATISTICS = 6;
const PACKET_VERSION = 10;
const TPACKET_V2 = 1;
const ETH_P_ALL = 0x0003;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;

// struct tpacket2_hdr, then struct sockaddr_ll at TPACKET_ALIGN(32).
const STATUS = 0;
const WIRE_LENGTH = 4;
const KEPT_LENGTH = 8;
const NETWORK_OFFSET = 14;
const SECONDS = 16;
const NANOSECONDS = 20;
const LL_PROTOCOL = 34;
const LL_INTERFACE = 36;
const LL_HARDWARE = 40;
const LL_PACKET_TYPE = 42;
const STATUS_KERNEL = 0;
const STATUS_USER = 1;

// 256 bytes hold an IPv4 header with all its options and the TCP header behind it, or an IPv6 header with 128 bytes of
// extensions; 32,768 of them (8 MiB) bridge a pause of 70 ms at 470,000 packets a second.
const FRAME_BYTES = 256;
const FRAMES = 32_768;
const LEAST_FRAMES = 1_024;
const BLOCK_BYTES = 1 << 20;
// One turn of the event loop reads at most this many frames (about 2 ms), so that a flood leaves time for the rest.
const FRAMES_PER_DRAIN = 8_192;
// x86 lets no store overtake what stands before it (Intel SDM 3A, 9.2.2), which is all that giving a frame back asks for.
// An atomic store would also wait until every other processor knows: some 50 ns for each packet.
const STORES_KEEP_ORDER = process.arch === "x64";
// A drain that found this many frames means traffic: waking per packet would cost more than a millisecond of delay.
const BUSY_DRAIN = 64;
const QUIET_DRAIN = 8;
const PAUSE_MS = 1;
// When more than sixteen come in each millisecond for a tenth of a second, the wake-ups are what costs most. A flood is read
// every four milliseconds then; a scan that hides in it is told as much later. nmap stays below that at its fastest.
const FLOOD_PER_MS = 16;
const FLOOD_DRAINS = 100;
const FLOOD_PAUSE_MS = 4;

const NOTHING_MORE = (): void => {};

type Foreign = Pick<SocketCalls, "socket" | "setsockopt" | "bind" | "close"> & {
  getsockopt(fd: number, level: number, name: number, value: Uint8Array, length: Uint32Array): number;
  mmap(at: null, length: number, protection: number, flags: number, fd: number, offset: number): unknown;
  munmap(at: unknown, length: number): number;
  attachFilter(fd: number, program: Uint8Array): number;
};

type PollHandle = ReturnType<ReturnType<typeof koffi>["node"]["poll"]>;

let foreign: Foreign | undefined;

function calls(): Foreign {
  if (foreign !== undefined) return foreign;
  const c = libc();
  const k = koffi();
  const program = k.struct({ len: "uint16_t", filter: "void *" });
  const setFilter = c.func("setsockopt", "int", ["int", "int", "int", k.pointer(program), "uint32_t"]);
  foreign = {
    ...socketCalls(),
    getsockopt: c.func("int getsockopt(int fd, int level, int name, void *value, uint32_t *length)"),
    mmap: c.func("void *mmap(void *at, size_t length, int protection, int flags, int fd, int64_t offset)"),
    munmap: c.func("int munmap(void *at, size_t length)"),
    attachFilter: (fd, bytes) =>
      setFilter(
        fd,
        SOL_SOCKET,
        SO_ATTACH_FILTER,
        { len: bytes.length / 8, filter: bytes },
        k.sizeof(program),
      ),
  };
  return foreign;
}

/**
 * Opens a packet socket that hears nothing yet: the one step that needs CAP_NET_RAW, in the network namespace that is
 * to be heard. It serves one ring, once; whoever hands it to another process closes its own copy, or the ring outlives
 * that process.
 * @throws SystemCallError EPERM without the capability
 */
export function openPacketSocket(): number {
  // Protocol 0: nothing enters before bind(2) names one.
  const fd = calls().socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw lastError("socket", "AF_PACKET");
  return fd;
}

/** A ring that is open and being read. */
export class PacketRing {
  readonly #fd: number;
  readonly #map: unknown;
  readonly #mapBytes: number;
  readonly #frameBytes: number;
  readonly #frames: number;
  readonly #onFrame: (frame: RingFrame) => void;
  readonly #onWake: (() => void) | undefined;
  readonly #statistics: RingStatistics = { received: 0, dropped: 0 };
  readonly #frame: RingFrame;
  #buffer: ArrayBuffer;
  #words: Uint32Array;
  #halves: Uint16Array;
  #next = 0;
  #poll: PollHandle | null = null;
  #polling = false;
  #pause: NodeJS.Timeout | null = null;
  /** Drains in a row that found a flood. */
  #busyDrains = 0;
  #closed = false;

  /** Filters, maps, then binds: no packet enters before the filter stands. Throws SystemCallError. */
  constructor(options: RingOptions) {
    const c = calls();
    this.#fd = options.fd;
    this.#frameBytes = options.frameBytes ?? FRAME_BYTES;
    this.#onFrame = options.onFrame;
    this.#onWake = options.onWake;
    try {
      const version = Uint32Array.of(TPACKET_V2);
      if (c.setsockopt(this.#fd, SOL_PACKET, PACKET_VERSION, version, 4) < 0) {
        throw lastError("setsockopt", "PACKET_VERSION");
      }
      this.setFilter(options.filter);
      this.#frames = requestRing(this.#fd, this.#frameBytes, options.frames ?? FRAMES);
      this.#mapBytes = this.#frameBytes * this.#frames;
      this.#map = c.mmap(null, this.#mapBytes, PROT_READ_WRITE, MAP_SHARED, this.#fd, 0);
      if (koffi().address(this.#map) === 0xffff_ffff_ffff_ffffn) throw lastError("mmap", "packet ring");
    } catch (error) {
      c.close(this.#fd);
      throw error;
    }
    this.#buffer = koffi().view(this.#map, this.#mapBytes);
    this.#words = new Uint32Array(this.#buffer);
    this.#halves = new Uint16Array(this.#buffer);
    this.#frame = {
      bytes: new Uint8Array(this.#buffer),
      start: 0,
      end: 0,
      wireLength: 0,
      etherType: 0,
      interfaceIndex: 0,
      hardware: 0,
      direction: 0,
      // With a fraction, as the times that follow: the object keeps its shape then.
      atMs: 0.5,
    };
    try {
      if (c.bind(this.#fd, linkAddress(options.interfaceIndex), 20) < 0) throw lastError("bind");
      this.#poll = koffi().node.poll(this.#fd, { readable: true }, () => this.#readable());
      this.#polling = true;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Replaces the filter while packets flow; the kernel swaps it whole. Throws SystemCallError. */
  setFilter(program: Uint8Array): void {
    if (calls().attachFilter(this.#fd, program) < 0) throw lastError("setsockopt", "SO_ATTACH_FILTER");
  }

  /** Totals since the ring was opened. The kernel's own counters start again at each reading (packet(7)). */
  statistics(): Readonly<RingStatistics> {
    if (!this.#closed) {
      const counts = new Uint32Array(2);
      const length = Uint32Array.of(8);
      const bytes = new Uint8Array(counts.buffer);
      if (calls().getsockopt(this.#fd, SOL_PACKET, PACKET_STATISTICS, bytes, length) === 0) {
        this.#statistics.received += counts[0]!;
        this.#statistics.dropped += counts[1]!;
      }
    }
    return this.#statistics;
  }

  /** Reads what lies in the ring now; the number of frames read. The loop calls this by itself. */
  drain(): number {
    let count = 0;
    while (count < FRAMES_PER_DRAIN && !this.#closed) {
      const base = this.#next * this.#frameBytes;
      const statusAt = (base + STATUS) >>> 2;
      if ((Atomics.load(this.#words, statusAt) & STATUS_USER) === 0) break;
      try {
        this.#deliver(base);
      } finally {
        // The receiver may have closed the ring; its memory is gone then.
        if (!this.#closed) this.#giveBack(statusAt);
        this.#next = (this.#next + 1) & (this.#frames - 1);
      }
      count++;
    }
    return count;
  }

  #giveBack(statusAt: number): void {
    if (STORES_KEEP_ORDER) this.#words[statusAt] = STATUS_KERNEL;
    else Atomics.store(this.#words, statusAt, STATUS_KERNEL);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#pause !== null) clearTimeout(this.#pause);
    this.#poll?.close();
    // Detaches every view that somebody may have kept: reading it gives nothing instead of a SIGSEGV.
    this.#buffer.transfer(0);
    this.#words = new Uint32Array(0);
    this.#halves = new Uint16Array(0);
    this.#frame.bytes = new Uint8Array(0);
    calls().munmap(this.#map, this.#mapBytes);
    calls().close(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #deliver(base: number): void {
    const words = this.#words;
    const halves = this.#halves;
    const frame = this.#frame;
    const at = base >>> 2;
    const half = base >>> 1;
    frame.start = base + halves[half + (NETWORK_OFFSET >>> 1)]!;
    frame.end = Math.min(frame.start + words[at + (KEPT_LENGTH >>> 2)]!, base + this.#frameBytes);
    frame.wireLength = words[at + (WIRE_LENGTH >>> 2)]!;
    const protocol = halves[half + (LL_PROTOCOL >>> 1)]!;
    frame.etherType = ((protocol & 0xff) << 8) | (protocol >>> 8);
    frame.interfaceIndex = words[at + (LL_INTERFACE >>> 2)]!;
    frame.hardware = halves[half + (LL_HARDWARE >>> 1)]!;
    frame.direction = frame.bytes[base + LL_PACKET_TYPE]!;
    frame.atMs = words[at + (SECONDS >>> 2)]! * 1_000 + words[at + (NANOSECONDS >>> 2)]! / 1e6;
    this.#onFrame(frame);
  }

  /**
   * The poll handle calls from outside of Node's own machinery: promises that are settled in such a call would rest until
   * something else happens, for seconds on a quiet host, and so would an error. An immediate comes right after it and sees
   * to both; the packet itself does not wait for that, which would be a tenth of a millisecond.
   */
  #readable(): void {
    setImmediate(NOTHING_MORE);
    try {
      this.#onWake?.();
      this.#wake();
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    }
  }

  #wake(): void {
    this.#pause = null;
    if (this.#closed) return;
    const count = this.drain();
    if (this.#closed) return;
    if (count >= (this.#polling ? BUSY_DRAIN : QUIET_DRAIN)) {
      if (this.#polling) this.#poll!.stop();
      this.#polling = false;
      if (count === FRAMES_PER_DRAIN) setImmediate(() => this.#wake());
      else this.#pause = setTimeout(() => this.#wake(), this.#pauseAfter(count));
    } else if (!this.#polling) {
      this.#poll!.start({ readable: true }, () => this.#readable());
      this.#polling = true;
    }
  }

  /** The long pause only where the ring holds four times as much as came in the last one. */
  #pauseAfter(count: number): number {
    const lastMs = this.#busyDrains >= FLOOD_DRAINS ? FLOOD_PAUSE_MS : PAUSE_MS;
    this.#busyDrains = count >= FLOOD_PER_MS * lastMs ? this.#busyDrains + 1 : 0;
    const expected = (count * FLOOD_PAUSE_MS) / lastMs;
    return this.#busyDrains >= FLOOD_DRAINS && expected * 4 <= this.#frames ? FLOOD_PAUSE_MS : PAUSE_MS;
  }
}

/** Asks for a ring of so many frames, or of as many as the kernel grants; returns their number. */
function requestRing(fd: number, frameBytes: number, wanted: number): number {
  for (let frames = wanted; ; frames /= 2) {
    const bytes = frameBytes * frames;
    const blockBytes = Math.min(BLOCK_BYTES, bytes);
    const request = Uint32Array.of(blockBytes, bytes / blockBytes, frameBytes, frames);
    if (calls().setsockopt(fd, SOL_PACKET, PACKET_RX_RING, request, 16) === 0) return frames;
    const error = lastError("setsockopt", `PACKET_RX_RING of ${bytes} bytes`);
    if (error.code !== "ENOMEM" || frames / 2 < LEAST_FRAMES) throw error;
  }
}

/** struct sockaddr_ll with family, protocol and interface; the rest is for sending. */
function linkAddress(interfaceIndex: number): Uint8Array {
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, ETH_P_ALL, false);
  view.setInt32(4, interfaceIndex, true);
  return address;
}

/** True when the error says that this process may not open packet sockets. */
export function isForbidden(error: unknown): boolean {
  return error instanceof SystemCallError && (error.code === "EPERM" || error.code === "EACCES");
}
