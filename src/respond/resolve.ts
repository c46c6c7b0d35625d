// Looks a host name up: in /etc/hosts, then by DNS. Not through the system's own resolver call, which would hold a thread
// of the pool for many seconds when DNS is silent, and the firewall waits for those threads too.
import { Resolver } from "node:dns/promises";
import { readFileSync } from "node:fs";
import { type Address, parseAddress } from "../core/address.ts";
import { parseHosts } from "./parse.ts";

const TIMEOUT_MS = 2_000;
const TRIES = 2;

/**
 * All addresses of a name, IPv4 first.
 * @throws Error when there are none, with the resolver's own code: `queryA ENOTFOUND gw.example.org`
 */
export async function resolveHost(name: string): Promise<readonly Address[]> {
  const local = parseHosts(hostsFile(), name);
  if (local.length > 0) return local;
  // Made anew each time, because resolv.conf may have changed since.
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
  const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  const addresses = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
  const parsed = addresses.map(parseAddress).filter((address) => address !== null);
  const refused = answers.find((answer) => answer.status === "rejected");
  if (parsed.length === 0) throw refused?.reason ?? new Error("no address");
  return parsed;
}

function hostsFile(): string {
  try {
    return readFileSync("/etc/hosts", "utf8");
  } catch {
    return ""; // A host without one asks DNS for everything.
  }
}
