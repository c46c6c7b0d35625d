// Keeps the bytes of the last probes, so that a finding can come with its packets (`--write FILE`). A ring of fixed
// size: a flood pushes old probes out, never memory up.
import { finish, mix } from "./hash.ts";
import type { Frame, Packet } from "./types.ts";

/** One probe as it came, from the IP header on; cut where the capture cut it. */
export type KeptPacket = { readonly atMs: number; readonly bytes: Uint8Array; readonly wireLength: number };

const SLOT_BYTES = 192;
// The probes of a scan come close together; 4,096 take 800 kB.
const SLOTS = 4_096;

export class Recorder {
  readonly #bytes = new Uint8Array(SLOTS * SLOT_BYTES);
  readonly #source = new Uint32Array(SLOTS);
  readonly #length = new Uint16Array(SLOTS);
  readonly #wireLength = new Uint32Array(SLOTS);
  readonly #atMs = new Float64Array(SLOTS);
  #next = 0;

  keep(frame: Frame, packet: Packet): void {
    let start = frame.start;
    // Tags that are still in place stand between the frame's start and the header.
    while (start + 4 < frame.end && frame.bytes[start]! >>> 4 !== packet.family) start += 4;
    const slot = this.#next;
    this.#next = (slot + 1) % SLOTS;
    const length = Math.min(SLOT_BYTES, frame.end - start);
    this.#bytes.set(frame.bytes.subarray(start, start + length), slot * SLOT_BYTES);
    this.#source[slot] = keyOf(packet.family, packet.source0, packet.source1);
    this.#length[slot] = length;
    this.#wireLength[slot] = frame.wireLength - (start - frame.start);
    this.#atMs[slot] = frame.atMs;
  }

  /** The kept probes of a source, oldest first, of its whole /64 for IPv6; each is given once, however often he is told. */
  take(family: 4 | 6, s0: number, s1: number): KeptPacket[] {
    const key = keyOf(family, s0 | 0, s1 | 0);
    const out: KeptPacket[] = [];
    for (let i = 0; i < SLOTS; i++) {
      const slot = (this.#next + i) % SLOTS;
      const length = this.#length[slot]!;
      if (length === 0 || this.#source[slot] !== key) continue;
      this.#length[slot] = 0;
      const bytes = this.#bytes.slice(slot * SLOT_BYTES, slot * SLOT_BYTES + length);
      out.push({ atMs: this.#atMs[slot]!, bytes, wireLength: this.#wireLength[slot]! });
    }
    return out;
  }
}

function keyOf(family: 4 | 6, s0: number, s1: number): number {
  return finish(mix(mix(family, s0), s1));
}
