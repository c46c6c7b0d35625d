// Plays scans to a scratch engine before the first real one comes, so that the paths to a verdict are compiled: the
// first scanner of the day would otherwise be told ten milliseconds late, and be through with a thousand ports. Packets are
// read meanwhile; whoever starts the guard does not wait for it.
//
// What is played must look like what will come, down to the kinds of numbers and the shape of objects: times with
// fractions, the same clock. Code that was compiled for others is thrown away when the first real packet
// comes. `node --trace-deopt` tells where.
import type { Address } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import { type CraftedFrame, craft } from "./craft.ts";
import { Engine } from "./engine.ts";
import type { Listeners } from "./listeners.ts";
import { LocalAddresses } from "./local.ts";
import { PROTOCOL } from "./types.ts";

// Documentation addresses (RFC 5737, RFC 3849) and one from below: nobody's, or nobody's business here.
const HERE = ["192.0.2.1", "2001:db8::1"] as Address[];
const STRANGERS = [["198.51.100.7", "100.64.0.7"] as Address[], ["2001:db8:1::7"] as Address[]];
const ROUNDS = 60;
// All together they take a tenth of a second of the processor. By the time of the first, whatever starts has started.
const FIRST_ROUND_MS = 1_000;
const NEXT_ROUND_MS = 10;
const PORTS = [1, 2, 3, 4, 5, 6];

/**
 * Begins to play, until it is done or disposed. Takes the tables and the clock of the real engine, because asking them is on the
 * path; nothing else of it is touched.
 */
export function rehearse(listeners: Listeners, clock: Clock): Disposable {
  // Not kept when it is over: it is as large as the real one.
  let stage: { readonly engine: Engine; readonly frames: readonly CraftedFrame[] } | null = null;
  let nowMs = 1_700_000_000_000.25;
  let round = 0;
  const play = (): void => {
    stage ??= { engine: scratchEngine(listeners, clock), frames: scenes() };
    for (const frame of stage.frames) {
      // Another source each round: the last byte of an IPv4 address, one within the /64 of an IPv6 address.
      frame.bytes[15] = round;
      // A second each, so that the looks at the kernel are not used up.
      frame.atMs = nowMs += 1_000;
      stage.engine.observe(frame);
    }
    if (++round < ROUNDS) timer = setTimeout(play, NEXT_ROUND_MS).unref();
    else stage = null;
  };
  let timer = setTimeout(play, FIRST_ROUND_MS).unref();
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

function scratchEngine(listeners: Listeners, clock: Clock): Engine {
  const locals = new LocalAddresses();
  for (const address of HERE) locals.add(address);
  return new Engine({
    listeners,
    locals,
    clock,
    maxStateBytes: 1 << 18,
    seed: 1,
    nameOf: () => "rehearsal",
    onScan: (scan) => JSON.stringify(scan).length > 0,
  });
}

function scenes(): CraftedFrame[] {
  return HERE.flatMap((target, i) =>
    STRANGERS[i]!.flatMap((source) => {
      const from = { source, target, window: 1_024, hops: 50, sequence: 0xc000_0001, identification: 77 };
      return PORTS.flatMap((port) => [
        craft({ ...from, port }),
        craft({ ...from, port, protocol: PROTOCOL.udp }),
        craft({ ...from, port, flags: 0x10 }),
        craft({ source: target, target: source, port, protocol: PROTOCOL.udp, sent: true }),
      ]);
    }),
  );
}
