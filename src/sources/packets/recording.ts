// A recording as the sentry takes packets: frames without link header, in the recording's order.
import type { RingFrame } from "../../sys/packet-ring.ts";
import { peel } from "./link.ts";
import { readRecording } from "./pcap.ts";

/**
 * The frames of a pcap or pcapng file; the object is used again for the next one. Packets of a link type that is not
 * known are counted in `skipped`.
 * @throws RecordingError where the recording is damaged
 */
export function* framesOf(path: string, skipped = { count: 0 }): Generator<RingFrame> {
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
      skipped.count++;
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
