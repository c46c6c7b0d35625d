// Puts a probe into the words in which it is told: what the engine keeps in numbers becomes addresses and names.
import type { Address } from "../core/address.ts";
import type { Probe } from "../core/events.ts";
import { nameFlags } from "./classify.ts";
import type { Contact } from "./suspects.ts";
import { KIND, KINDS, PROTOCOL } from "./types.ts";

/** The probe as events carry it. */
export function probeOf(source: Address, target: Address, contact: Contact, interfaceName: string): Probe {
  const kind = KINDS[contact.kind] || "protocol";
  return {
    at: new Date(contact.atMs).toISOString(),
    source,
    target,
    protocol: nameProtocol(contact.protocol),
    port: kind === "ping" ? 0 : contact.port,
    kind,
    ...(contact.protocol === PROTOCOL.tcp && contact.kind === KIND.flags
      ? { flags: nameFlags(contact.flags & 0x3f) }
      : {}),
    interface: interfaceName,
  };
}

function nameProtocol(protocol: number): Probe["protocol"] {
  if (protocol === PROTOCOL.tcp) return "tcp";
  if (protocol === PROTOCOL.udp) return "udp";
  if (protocol === PROTOCOL.sctp) return "sctp";
  return protocol === PROTOCOL.icmp || protocol === PROTOCOL.icmp6 ? "icmp" : "ip";
}
