// Which sources no honest packet from outside can have. They are counted and nothing else: whoever writes them cannot be
// answered, and blocking them would hit somebody else or ourselves.
import type { LocalAddresses } from "./local.ts";
import type { Packet } from "./types.ts";

/**
 * True for multicast, unspecified and reserved sources (RFC 6890), for loopback that comes from elsewhere, and for our
 * own addresses from outside.
 */
export function isImpossibleSource(p: Packet, locals: LocalAddresses): boolean {
  if (p.family === 4) {
    const first = p.source0 >>> 24;
    if (first === 0 || first >= 224) return true;
    if (first === 127) return p.target0 >>> 24 !== 127;
  } else {
    if (p.source0 >>> 24 === 0xff) return true;
    if (p.source0 === 0 && p.source1 === 0 && p.source2 === 0 && p.source3 >>> 0 <= 1)
      return p.source3 === 0 || !isToItself(p);
  }
  if (locals.any || isToItself(p)) return false;
  return locals.numberOf(p.family, p.source0, p.source1, p.source2, p.source3) >= 0;
}

function isToItself(p: Packet): boolean {
  return (
    p.source0 === p.target0 && p.source1 === p.target1 && p.source2 === p.target2 && p.source3 === p.target3
  );
}
