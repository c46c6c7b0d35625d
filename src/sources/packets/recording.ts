// A recording as the sentry takes packets: frames without link header, in the recording's order.
import type { RingFrame } from "../../sys/packet-ring.ts";
import { isKnownLink, peel } from "./link.ts";
import { readRecording } from "./pcap.ts";

/** Packets that could not be used, each time that the recording was read. */
export type Skipped = {
  /** Shorter than their link header. */
  short: number;
  /** By link type, of those that are not known. */
  readonly unknown: Map<number, number>;
};

export function nothingSkipped(): Skipped {
  return { short: 0, unknown: new Map() };
}

/**
 * The frames of a pcap or pcapng file; the object is used again for the next one. What is no frame is counted in
 * `skipped`.
 * @throws RecordingError where the recording is damaged
 */
export function* framesOf(path: string, skipped = nothingSkipped()): Generator<RingFrame> {
  const frame: RingFrame = {
    bytes: new Uint8Array(0),
    start: 0,
    end: 0,
    wireLength: 0,
    etherType: 0,
    interfaceIndex: 0,
    hardware: 1,
    direction: 0,
    atMs: 0,
  };
  for (const { bytes, linkType, wireLength, atMs, interfaceIndex } of readRecording(path)) {
    const peeled = peel(bytes, linkType);
    if (peeled === null) {
      if (isKnownLink(linkType)) skipped.short++;
      else skipped.unknown.set(linkType, (skipped.unknown.get(linkType) ?? 0) + 1);
      continue;
    }
    frame.bytes = bytes;
    frame.start = peeled.start;
    frame.end = bytes.length;
    frame.wireLength = wireLength - peeled.start;
    frame.etherType = peeled.etherType;
    frame.direction = peeled.direction;
    frame.interfaceIndex = interfaceIndex;
    frame.atMs = atMs;
    yield frame;
  }
}
