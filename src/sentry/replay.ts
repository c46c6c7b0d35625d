// Runs the whole engine over a recording, with the recording's clock. What was in use is learned from the recording
// itself in a first pass: a port that answered a SYN with SYN|ACK, or a datagram with a datagram, is served.
import type { Address, PrefixSet } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { Scan } from "../core/events.ts";
import { decode, emptyPacket } from "./decode.ts";
import type { Thresholds } from "./detect.ts";
import { type Counters, Engine } from "./engine.ts";
import { Listeners } from "./listeners.ts";
import { LocalAddresses } from "./local.ts";
import { LISTEN } from "./parse.ts";
import type { OpenSocket, SocketTables } from "./tables.ts";
import { type Frame, PROTOCOL } from "./types.ts";

export type ReplayOptions = {
  /** Opens the recording; called twice. */
  readonly open: () => Iterable<Frame>;
  /** The addresses that were guarded; without them every address is. */
  readonly home?: readonly Address[];
  readonly tripwirePorts?: readonly number[];
  readonly excludePorts?: readonly number[];
  readonly ignore?: PrefixSet;
  readonly thresholds?: Partial<Thresholds>;
  readonly maxStateBytes?: number;
  readonly onScan: (scan: Scan) => void;
};

// A recording of a whole network has many served ports; more than these and the rest looks closed.
const MAX_SERVED = 262_144;
const MAX_STATE_BYTES = 16 << 20;
// What answered anywhere in the recording counts as served throughout; the same port elsewhere does not.
const NO_GRACE = 0;

/** Calls `onScan` for each scan of the recording, in its order. */
export function replay(options: ReplayOptions): Counters {
  const served = learn(options.open());
  const locals = new LocalAddresses({ any: options.home === undefined });
  for (const address of options.home ?? []) locals.add(address);
  let nowMs = 0;
  const clock: Clock = { now: () => new Date(nowMs), monotonicMs: () => nowMs };
  const listeners = new Listeners(served, clock, NO_GRACE);
  const engine = new Engine({
    listeners,
    locals,
    clock,
    thresholds: options.thresholds,
    tripwirePorts: options.tripwirePorts,
    excludePorts: options.excludePorts,
    ignore: options.ignore,
    maxStateBytes: options.maxStateBytes ?? MAX_STATE_BYTES,
    // Nobody attacks a recording's hash tables, and the same recording always gives the same scans.
    seed: 1,
    nameOf: (index) => `if${index}`,
    onScan: (scan) => {
      options.onScan(scan);
      return true;
    },
  });
  for (const frame of options.open()) {
    nowMs = frame.atMs;
    engine.observe(frame);
    // Seen from outside, a datagram is its receiver's and its sender's: the answer to it is no probe.
    if (frame.direction !== 4) engine.overhear(frame);
  }
  return engine.counters;
}

/** What answered in the recording. */
function learn(frames: Iterable<Frame>): SocketTables {
  const open = new Map<string, OpenSocket & { protocol: number }>();
  const asked = new Set<string>();
  const packet = emptyPacket();
  for (const frame of frames) {
    if (decode(frame, packet) !== 0) continue;
    const { protocol, family, source0, source1, source2, source3, sourcePort } = packet;
    const from = `${protocol} ${family} ${source0} ${source1} ${source2} ${source3} ${sourcePort}`;
    const to = `${packet.target0} ${packet.target1} ${packet.target2} ${packet.target3} ${packet.targetPort}`;
    if (protocol === PROTOCOL.udp) {
      if (asked.size < MAX_SERVED) asked.add(`${protocol} ${family} ${to} ${from}`);
      if (!asked.has(`${from} ${protocol} ${family} ${to}`)) continue;
    } else if (protocol !== PROTOCOL.tcp || (packet.flags & 0x17) !== 0x12) continue;
    if (open.size >= MAX_SERVED) continue;
    open.set(from, {
      protocol,
      family,
      local0: source0,
      local1: source1,
      local2: source2,
      local3: source3,
      localPort: sourcePort,
    });
  }
  return {
    open: (protocol, take) => {
      for (const socket of open.values()) if (socket.protocol === protocol) take(socket);
    },
    find: (family, protocol, [w0, w1, w2, w3, port]) =>
      open.has(`${protocol} ${family} ${w0} ${w1} ${w2} ${w3} ${port}`) ? LISTEN : 0,
    close: () => {},
  };
}
