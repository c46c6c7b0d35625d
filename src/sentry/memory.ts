// What is held against sources, as text that outlives a restart: a scan of one port a day must not be forgotten because
// the machine was updated in between. The text may come from a damaged file, so nothing in it is believed unread.
import { type Address, familyOf, parseAddress } from "../core/address.ts";
import { emptyPacket } from "./decode.ts";
import { shapeOf } from "./detect.ts";
import { addressOfWords, type LocalAddresses, wordsOf } from "./local.ts";
import { contactHash, mark, type Scanners } from "./scanners.ts";
import { CALM, CONTACTS, type Contact, PAROLE, SCANNER, type Suspects } from "./suspects.ts";
import { KINDS, type Packet } from "./types.ts";

const VERSION = 1;
// The most suspect ones; 16,384 take about 6 MB of text.
const MAX_SAVED = 16_384;

type SavedContact = {
  port: number;
  protocol: number;
  kind: number;
  flags: number;
  target: string;
  atMs: number;
};

/** One source as it is written down. */
export type SavedSource = {
  source: Address;
  score: number;
  state: number;
  firstAtMs: number;
  lastAtMs: number;
  contacts: SavedContact[];
};

/** Writes down whoever has something against him, known scanners first, then by weight. */
export function saveSuspects(suspects: Suspects, locals: LocalAddresses): string {
  const rank = (entry: number): number =>
    (suspects.state(entry) === CALM ? 0 : 1_000) + suspects.score(entry);
  const worth = [...suspects.entries()].filter((entry) => rank(entry) > 0);
  if (worth.length > MAX_SAVED) worth.sort((a, b) => rank(b) - rank(a));
  const sources = worth.slice(0, MAX_SAVED).map((entry): SavedSource => {
    const { family, words } = suspects.source(entry);
    return {
      source: addressOfWords(family, ...words),
      score: suspects.score(entry),
      state: suspects.state(entry),
      firstAtMs: suspects.firstAtMs(entry),
      lastAtMs: suspects.lastAtMs(entry),
      contacts: suspects
        .contacts(entry)
        .map(({ hint: _, ...contact }) => ({ ...contact, target: locals.addressOf(contact.target) })),
    };
  });
  return JSON.stringify({ version: VERSION, sources });
}

/** What saveSuspects wrote; whatever is not understood is left out and counted. */
export function readSuspects(text: string): { sources: SavedSource[]; refused: number } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return { sources: [], refused: 1 };
  }
  if (!isObject(parsed) || parsed["version"] !== VERSION || !Array.isArray(parsed["sources"]))
    return { sources: [], refused: 1 };
  const found = parsed["sources"].slice(0, MAX_SAVED);
  const sources = found.map(readSource).filter((source) => source !== null);
  return { sources, refused: found.length - sources.length };
}

function readSource(value: unknown): SavedSource | null {
  if (!isObject(value) || !Array.isArray(value["contacts"])) return null;
  const source = typeof value["source"] === "string" ? parseAddress(value["source"]) : null;
  const { score, state, firstAtMs, lastAtMs } = value;
  if (source === null || !isWithin(score, 0, 1_000) || !isWithin(firstAtMs) || !isWithin(lastAtMs))
    return null;
  if (state !== CALM && state !== SCANNER && state !== PAROLE) return null;
  const contacts = value["contacts"].map((contact) => readContact(contact, familyOf(source)));
  if (contacts.length > CONTACTS || contacts.includes(null)) return null;
  return { source, score, state, firstAtMs, lastAtMs, contacts: contacts.filter((one) => one !== null) };
}

function readContact(value: unknown, family: 4 | 6): SavedContact | null {
  if (!isObject(value)) return null;
  const { port, protocol, kind, flags, atMs } = value;
  const target = typeof value["target"] === "string" ? parseAddress(value["target"]) : null;
  if (target === null || familyOf(target) !== family || !isWithin(atMs)) return null;
  if (!isWhole(port, 65_535) || !isWhole(protocol, 255) || !isWhole(flags, 255)) return null;
  if (!isWhole(kind, KINDS.length - 1)) return null;
  return { port, protocol, kind, flags, target, atMs };
}

/** Takes up again what was saved; returns how many sources that were. Whoever is known already stays as he is. */
export function recallSuspects(
  saved: string,
  suspects: Suspects,
  scanners: Scanners,
  locals: LocalAddresses,
): number {
  const { sources } = readSuspects(saved);
  for (const source of sources) {
    const packet: Packet = { ...emptyPacket(), family: familyOf(source.source), atMs: source.firstAtMs };
    [packet.source0, packet.source1, packet.source2, packet.source3] = wordsOf(source.source);
    if (suspects.find(packet) >= 0) continue;
    const entry = suspects.claim(packet);
    const contacts = numberContacts(source, locals);
    suspects.touch(entry, source.lastAtMs);
    suspects.setScore(entry, source.score);
    suspects.setContacts(entry, contacts);
    suspects.setState(entry, source.state);
    if (source.state !== SCANNER) continue;
    const record = scanners.add(entry, {
      probes: contacts.length,
      level: 0,
      toldAtMs: source.lastAtMs,
      visitAtMs: 0,
      proven: false,
      shape: shapeOf(contacts),
    });
    for (const { target, port, protocol } of contacts) mark(record, contactHash(target, port, protocol));
  }
  return sources.length;
}

/** The contacts with their targets numbered; those whose target finds no number any more are left out. */
function numberContacts(source: SavedSource, locals: LocalAddresses): Contact[] {
  return source.contacts.flatMap((contact) => {
    const target = locals.number(contact.target as Address);
    // Hints are told while they are fresh and not written down.
    return target < 0 ? [] : [{ ...contact, target, hint: 0 }];
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isWithin(value: unknown, low = 0, high = 8.64e15): value is number {
  return typeof value === "number" && value >= low && value <= high;
}

function isWhole(value: unknown, most: number): value is number {
  return isWithin(value, 0, most) && Number.isInteger(value);
}
