// What became of the packets. The guard tells these numbers, so that silence can be told from blindness.
import { REFUSALS } from "./decode.ts";

export type Counters = {
  packets: number;
  /** Probes: of strangers, repeats among them, and of known scanners. */
  probes: number;
  repeats: number;
  ofScanners: number;
  /** Not probes: answers, traffic to ports in use, other hosts' traffic, ignored sources and ports. */
  answers: number;
  inUse: number;
  notOurs: number;
  ignored: number;
  /** Datagrams this host sent, and SYN|ACKs from ports that nothing here listens on. */
  sent: number;
  /** Sources that no honest packet from outside can have. */
  impossibleSources: number;
  /** Packets that were not decoded, by reason. */
  refused: { [reason: string]: number };
  /** Scans told. */
  scans: number;
  /** Patterns of many sources told. */
  distributed: number;
};

/** All zero. */
export function newCounters(): Counters {
  return {
    packets: 0,
    probes: 0,
    repeats: 0,
    ofScanners: 0,
    answers: 0,
    inUse: 0,
    notOurs: 0,
    ignored: 0,
    sent: 0,
    impossibleSources: 0,
    refused: Object.fromEntries(REFUSALS.slice(1).map((reason) => [reason, 0])),
    scans: 0,
    distributed: 0,
  };
}
