// The routers this host sends through, from every routing table: a forged packet must not cost it one of them.
import { endianness } from "node:os";
import { interfaceNameOf } from "../sys/interfaces.ts";
import { readNextHops } from "../sys/routes.ts";
import { type Gateway, parseRoutes4, parseRoutes6 } from "./parse.ts";

/**
 * Asked of the kernel by netlink, which knows policy routing and several uplinks; with a root of one's own, or a kernel that
 * does not answer, read from the main tables as text.
 * @param text reads a file of /proc, "" for none
 */
export function readGateways(
  root: string,
  text: (path: string, wanted?: "must") => string,
): { gateways: Gateway[]; whole: boolean } {
  const asked = root === "/" ? askKernel() : null;
  if (asked !== null) return asked;
  const gateways = [
    ...parseRoutes4(text("/proc/net/route", "must"), endianness() === "LE"),
    ...parseRoutes6(text("/proc/net/ipv6_route")),
  ];
  return { gateways, whole: true };
}

function askKernel(): { gateways: Gateway[]; whole: boolean } | null {
  try {
    const families = [readNextHops(4), readNextHops(6)];
    return {
      whole: families.every(({ whole }) => whole),
      gateways: families
        .flatMap(({ hops }) => hops)
        .map(({ address, interfaceIndex, isDefault }) => ({
          address,
          interface: interfaceNameOf(interfaceIndex) ?? "an interface that has gone",
          isDefault,
        })),
    };
  } catch {
    return null; // A seccomp filter may forbid the question; the tables as text tell most of it.
  }
}
