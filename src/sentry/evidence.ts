// Puts findings into the words in which they are told: what the engine keeps in numbers becomes addresses and names.
import type { Address } from "../core/address.ts";
import type { DistributedScan, Probe, Scan } from "../core/events.ts";
import { HIDDEN_FLAGS, nameFlags } from "./classify.ts";
import { commonHint } from "./hints.ts";
import { addressOfWords, type LocalAddresses } from "./local.ts";
import { estimate, type Record } from "./scanners.ts";
import type { SpreadFinding } from "./spread.ts";
import type { Contact, Suspects } from "./suspects.ts";
import { KIND, KINDS, type Packet, PROTOCOL } from "./types.ts";

type NameOf = (interfaceIndex: number) => string;

/** A known scanner with what is kept of it. */
export function scanOf(
  suspects: Suspects,
  entry: number,
  record: Record,
  told: { readonly source: Address; readonly reason: string; readonly lastAtMs: number },
  locals: LocalAddresses,
  nameOf: NameOf,
): Scan {
  const { source, reason, lastAtMs } = told;
  const contacts = suspects.contacts(entry);
  const interfaceName = nameOf(suspects.interfaceIndex(entry));
  const hint = commonHint(contacts);
  return {
    source,
    shape: record.shape,
    grade: record.proven ? "proven" : "spoofable",
    firstAt: new Date(suspects.firstAtMs(entry)).toISOString(),
    lastAt: new Date(lastAtMs).toISOString(),
    distinct: Math.max(contacts.length, estimate(record)),
    reason,
    ...(hint !== "" && { hint }),
    probes: contacts.map((contact) =>
      probeOf(source, locals.addressOf(contact.target), contact, interfaceName),
    ),
  };
}

/** Why a scanner who is known is told once more. */
export function knownBy(record: Record): string {
  return `known scanner: about ${estimate(record)} different contacts in ${record.probes} probes`;
}

/** For an IPv6 source the address that probed last: the block covers its /64 anyway. */
export function sourceOf(suspects: Suspects, entry: number, last: Packet): Address {
  const { family, words } = suspects.source(entry);
  if (family === 4) return addressOfWords(4, words[0], 0, 0, 0);
  return addressOfWords(6, last.source0, last.source1, last.source2, last.source3);
}

/** A pattern of many sources with the last of its contacts. */
export function distributedScanOf(
  { ports, sources, contacts, firstAtMs, sample }: SpreadFinding,
  lastAtMs: number,
  locals: LocalAddresses,
  nameOf: NameOf,
): DistributedScan {
  const hint = commonHint(sample);
  return {
    firstAt: new Date(firstAtMs).toISOString(),
    lastAt: new Date(lastAtMs).toISOString(),
    sources,
    ports,
    contacts,
    reason: `${contacts} first contacts of about ${sources} sources went to ${ports} different ports`,
    ...(hint !== "" && { hint }),
    probes: sample.map((contact) =>
      probeOf(
        addressOfWords(contact.family, ...contact.source),
        locals.addressOf(contact.target),
        contact,
        nameOf(contact.interfaceIndex),
      ),
    ),
  };
}

/** The probe as events carry it. */
function probeOf(
  source: Address,
  target: Address,
  contact: Pick<Contact, "port" | "protocol" | "kind" | "flags" | "atMs">,
  interfaceName: string,
): Probe {
  const kind = KINDS[contact.kind] || "protocol";
  return {
    at: new Date(contact.atMs).toISOString(),
    source,
    target,
    protocol: nameProtocol(contact.protocol),
    port: kind === "ping" ? 0 : contact.port,
    kind,
    ...(contact.protocol === PROTOCOL.tcp && contact.kind === KIND.flags
      ? { flags: (contact.flags & 0x3f) === 0 ? HIDDEN_FLAGS : nameFlags(contact.flags & 0x3f) }
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
