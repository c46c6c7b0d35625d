// Turns packets into sightings the way PortSentry's stealth modes do: every packet without ACK and RST to a listed port
// that nothing listens on, one by one, also from those already blocked.
import { decode, emptyPacket } from "../decode.ts";
import type { Listeners } from "../listeners.ts";
import { addressOfWords, type LocalAddresses } from "../local.ts";
import { type Frame, type Packet, PROTOCOL } from "../types.ts";
import { HeardTwice } from "./heard-twice.ts";
import type { PortRange } from "./parse.ts";
import { renderFlags } from "./render.ts";
import type { Sighting } from "./types.ts";

export type StealthOptions = {
  readonly tcpPorts: readonly PortRange[];
  readonly udpPorts: readonly PortRange[];
  readonly listeners: Listeners;
  readonly locals: LocalAddresses;
  /** `-S`: ports with a service count too. */
  readonly skipServiceCheck?: boolean;
  readonly onSighting: (sighting: Sighting) => void;
};

const ACK_OR_RST = 0x14;

export class StealthWatch {
  readonly #options: StealthOptions;
  readonly #tcp: Uint8Array;
  readonly #udp: Uint8Array;
  readonly #packet: Packet = emptyPacket();
  readonly #twice = new HeardTwice();

  constructor(options: StealthOptions) {
    this.#options = options;
    this.#tcp = markPorts(options.tcpPorts);
    this.#udp = markPorts(options.udpPorts);
  }

  /** Takes one packet. */
  observe(frame: Frame): void {
    const p = this.#packet;
    if (decode(frame, p) !== 0 || p.sent) return;
    const isTcp = p.protocol === PROTOCOL.tcp;
    if (!isTcp && p.protocol !== PROTOCOL.udp) return;
    if (isTcp && (p.flags & ACK_OR_RST) !== 0) return;
    if ((isTcp ? this.#tcp : this.#udp)[p.targetPort] !== 1) return;
    const { listeners, locals, skipServiceCheck, onSighting } = this.#options;
    if (locals.numberOf(p.family, p.target0, p.target1, p.target2, p.target3) < 0) return;
    const source = addressOfWords(p.family, p.source0, p.source1, p.source2, p.source3);
    const isToItself =
      p.source0 === p.target0 &&
      p.source1 === p.target1 &&
      p.source2 === p.target2 &&
      p.source3 === p.target3;
    if (this.#twice.has(frame, p) || (!skipServiceCheck && isServed(listeners, p))) return;
    onSighting({
      source,
      protocol: isTcp ? "TCP" : "UDP",
      port: p.targetPort,
      type: isTcp ? renderFlags(p.flags, p.tiny) : "UDP",
      ipOptions: p.family === 6 ? "unknown" : p.options ? "set" : "not set",
      at: new Date(p.atMs),
      isToItself,
    });
  }
}

/** Asked of the kernel when the last picture says no: the service may have started a moment ago. */
function isServed(listeners: Listeners, p: Packet): boolean {
  const { family, protocol, target0, target1, target2, target3, targetPort } = p;
  if (listeners.inUse(family, protocol, target0, target1, target2, target3, targetPort)) return true;
  const local = [target0, target1, target2, target3] as const;
  const remote = [p.source0, p.source1, p.source2, p.source3] as const;
  return listeners.ask(family, protocol, local, targetPort, remote, 0, p.interfaceIndex) !== 0;
}

function markPorts(ranges: readonly PortRange[]): Uint8Array {
  const marks = new Uint8Array(65_536);
  for (const { low, high } of ranges) marks.fill(1, low, high + 1);
  return marks;
}

/** `-atcp`, `-audp`: every port below the limit that nothing listens on now and that is not excluded. */
export function advancedPorts(
  below: number,
  exclude: readonly PortRange[],
  isBusy: (port: number) => boolean,
): PortRange[] {
  const out: PortRange[] = [];
  for (let port = 1; port < below; port++) {
    if (isBusy(port) || exclude.some(({ low, high }) => port >= low && port <= high)) continue;
    out.push({ low: port, high: port });
  }
  return out;
}
