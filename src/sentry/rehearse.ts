// Plays scans to a scratch engine before the first real packet comes, so that the paths to a verdict are compiled: the
// first scanner of the day would otherwise be told ten milliseconds late, and be through with a thousand ports.
import type { Address } from "../core/address.ts";
import { craft } from "./craft.ts";
import { Engine } from "./engine.ts";
import type { Listeners } from "./listeners.ts";
import { LocalAddresses } from "./local.ts";
import { PROTOCOL } from "./types.ts";

// Documentation addresses (RFC 5737, RFC 3849): nobody's.
const HERE = ["192.0.2.1", "2001:db8::1"] as Address[];
const STRANGERS = ["198.51.100.7", "2001:db8:1::7"] as Address[];
const ROUNDS = 100;
const PORTS = [1, 2, 3, 4, 5, 6];

/** Takes the tables of the real engine, because asking the kernel is on the path; nothing else of it is touched. */
export function rehearse(listeners: Listeners): void {
  const locals = new LocalAddresses();
  for (const address of HERE) locals.add(address);
  const engine = new Engine({
    listeners,
    locals,
    // A clock of its own second by second, so that no question to the kernel is refused.
    clock: { now: () => new Date(0), monotonicMs: () => (nowMs += 1_000) },
    maxStateBytes: 1 << 18,
    seed: 1,
    nameOf: () => "rehearsal",
    onScan: (scan) => JSON.stringify(scan).length > 0,
  });
  let nowMs = 0;
  const scenes = HERE.flatMap((target, i) => {
    const from = { source: STRANGERS[i]!, target };
    return PORTS.flatMap((port) => [
      craft({ ...from, port }),
      craft({ ...from, port, protocol: PROTOCOL.udp }),
      craft({ ...from, port, flags: 0x10 }),
      craft({ source: target, target: STRANGERS[i]!, port, protocol: PROTOCOL.udp, sent: true }),
    ]);
  });
  for (let round = 0; round < ROUNDS; round++) {
    for (const frame of scenes) {
      // Another source each round: the last byte of an IPv4 address, one within the /64 of an IPv6 address.
      frame.bytes[15] = round;
      engine.observe(frame);
    }
  }
}
