// Blocks by a route into nothing: for hosts without a packet filter. The stranger's packets still arrive; what is lost is
// every answer to them.
import { formatPrefix, type Prefix, parsePrefix } from "../../core/address.ts";
import { MissingPartError } from "../../core/errors.ts";
import { SimpleBackend, type Way } from "./simple.ts";
import { runTool } from "./tool.ts";

// Routes carry the number of who made them (rtnetlink(7), rtm_protocol); 0x74 is nobody's in iproute2's rt_protos. Only
// routes with this number are ever read or removed.
const PROTOCOL = "116";

class RouteWay implements Way {
  readonly name = "route";
  readonly mend = "see `ip route show proto 116`; the guard needs root or CAP_NET_ADMIN";

  describe(): string {
    return `blackhole routes of protocol ${PROTOCOL}`;
  }

  async open(): Promise<void> {
    try {
      await ip(["-V"], "");
    } catch (error) {
      throw new MissingPartError("respond", "the ip program is not here", "apt install iproute2", error);
    }
  }

  async change(add: readonly Prefix[], remove: readonly Prefix[]): Promise<void> {
    // A route that is gone already must not keep the others from going.
    if (remove.length > 0) await ip(["-force", "-batch", "-"], lines("del", remove)).catch(READ_BACK_TELLS);
    if (add.length > 0) await ip(["-force", "-batch", "-"], lines("replace", add));
  }

  async list(): Promise<Prefix[]> {
    const out: Prefix[] = [];
    for (const family of ["-4", "-6"]) {
      const text = await ip([family, "route", "show", "type", "blackhole", "proto", PROTOCOL], "");
      for (const [, target] of text.matchAll(/^blackhole (\S+)/gm)) {
        const prefix = parsePrefix(target!);
        if (prefix !== null) out.push(prefix);
      }
    }
    return out;
  }
}

const READ_BACK_TELLS = () => {};

export function routeBackend(): SimpleBackend {
  return new SimpleBackend(new RouteWay());
}

function lines(verb: "replace" | "del", targets: readonly Prefix[]): string {
  return targets
    .map((target) => `route ${verb} blackhole ${formatPrefix(target)} proto ${PROTOCOL}\n`)
    .join("");
}

function ip(args: readonly string[], input: string): Promise<string> {
  return runTool("ip", args, input);
}
