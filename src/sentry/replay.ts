// Runs the whole engine over a recording, with the recording's clock. What was in use is learned from the recording
// itself in a first pass: a port that answered a SYN with SYN|ACK, or a datagram with a datagram, is served, and so is
// one to which somebody goes on sending datagrams: nobody probes a port two dozen times, and a stream may go one way only.
import type { Address, PrefixSet } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { DistributedScan, Scan } from "../core/events.ts";
import type { Counters } from "./counters.ts";
import { decode, emptyPacket } from "./decode.ts";
import type { Thresholds } from "./detect.ts";
import { Engine } from "./engine.ts";
import { Listeners } from "./listeners.ts";
import { LocalAddresses } from "./local.ts";
import { ESTABLISHED, LISTEN } from "./parse.ts";
import type { KeptPacket } from "./recorder.ts";
import type { End, OpenSocket, SocketTables } from "./tables.ts";
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
  readonly onDistributed?: (scan: DistributedScan) => void;
  readonly onEvidence?: (scan: Scan, packets: readonly KeptPacket[]) => void;
};

// A recording of a whole network has many conversations; of more than these the rest looks like probes of closed ports.
const MAX_HEARD = 262_144;
// nmap tries a silent port up to eleven times (--max-retries); of a telephone call that is a quarter of a second.
const STREAM_DATAGRAMS = 24;
const SYN = 2;
const RST = 4;
const ACK = 16;
// Whatever system was recorded: Linux begins here, others later (RFC 6335), and all of them end at the end at the latest.
const EPHEMERAL = [32_768, 65_535] as const;
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
    ephemeral: EPHEMERAL,
    maxStateBytes: options.maxStateBytes ?? MAX_STATE_BYTES,
    // Nobody attacks a recording's hash tables, and the same recording always gives the same scans.
    seed: 1,
    onEvidence: options.onEvidence,
    onDistributed: options.onDistributed,
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

/** What answered in the recording, and who talked with whom. */
function learn(frames: Iterable<Frame>): SocketTables {
  const open = new Map<string, OpenSocket & { protocol: number }>();
  const connected = new Set<string>();
  /** Who sent to whom, and how often. */
  const heard = new Map<string, number>();
  const packet = emptyPacket();
  const serve = (key: string, [local0, local1, local2, local3, localPort]: End): void => {
    const { protocol, family } = packet;
    if (open.size < MAX_HEARD) open.set(key, { protocol, family, local0, local1, local2, local3, localPort });
  };
  for (const frame of frames) {
    if (decode(frame, packet) !== 0) continue;
    const { protocol, family, flags } = packet;
    if (protocol !== PROTOCOL.udp && protocol !== PROTOCOL.tcp) continue;
    const isTcp = protocol === PROTOCOL.tcp;
    if (isTcp && ((flags & RST) !== 0 || (flags & ACK) === 0)) continue;
    const source = [
      packet.source0,
      packet.source1,
      packet.source2,
      packet.source3,
      packet.sourcePort,
    ] as const;
    const target = [
      packet.target0,
      packet.target1,
      packet.target2,
      packet.target3,
      packet.targetPort,
    ] as const;
    const from = keyOf(family, protocol, source);
    const to = keyOf(family, protocol, target);
    const times = (heard.get(`${from} ${to}`) ?? 0) + 1;
    if (times > 1 || heard.size < MAX_HEARD) heard.set(`${from} ${to}`, times);
    const isAnswer = heard.has(`${to} ${from}`);
    if (isTcp && isAnswer && connected.size < MAX_HEARD) connected.add(from).add(to);
    if (isTcp ? (flags & SYN) !== 0 : isAnswer) serve(from, source);
    else if (!isTcp && times === STREAM_DATAGRAMS) serve(to, target);
  }
  return {
    open: (protocol, take) => {
      for (const socket of open.values()) if (socket.protocol === protocol) take(socket);
    },
    find: (family, protocol, local, remote) => {
      const key = keyOf(family, protocol, local);
      if (connected.has(key) && remote[4] !== 0) return ESTABLISHED;
      return open.has(key) ? LISTEN : 0;
    },
    // Every SYN of a recording is seen, so nobody asks.
    connectionsOf: () => [],
    close: () => {},
  };
}

function keyOf(family: 4 | 6, protocol: number, [w0, w1, w2, w3, port]: End): string {
  return `${protocol} ${family} ${w0 >>> 0} ${w1 >>> 0} ${w2 >>> 0} ${w3 >>> 0} ${port}`;
}
