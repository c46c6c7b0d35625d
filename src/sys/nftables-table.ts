// Reads one nftables table from the kernel itself. libnftables reads everything a table holds before it answers anything:
// at 100,000 elements a second for one counter, where the kernel needs some microseconds.

import {
  attribute,
  attributes,
  joined,
  NLM_F_ACK,
  NLM_F_DUMP,
  nested,
  nfgenmsg,
  SUBSYSTEM,
} from "./netfilter-netlink.ts";
import { isAbsent, NETLINK_NETFILTER, NetlinkQuestions, type Piece } from "./netlink-questions.ts";

// linux/netfilter/nf_tables.h: enum nf_tables_msg_types and the attributes of each object. Numbers are in network order.
const GETCHAIN = 4;
const GETRULE = 7;
const GETSET = 10;
const GETSETELEM = 13;
const NFPROTO_INET = 1;
const TABLE = 1;
const RULE_CHAIN = 2;
const CHAIN_NAME = 3;
const SET_NAME = 2;
const ELEMENTS_SET = 2;
const ELEMENTS = 3;
const LIST_ELEMENT = 1;
const KEY = 1;
const KEY_VALUE = 1;
const TIME_LEFT = 5;
const EXPRESSION = 7;
const EXPRESSIONS = 11;
const EXPRESSION_NAME = 1;
const EXPRESSION_DATA = 2;
const COUNTER_PACKETS = 2;
const TYPE_MASK = 0x3fff;

// Each element is answered by a message of its own, of some 800 bytes by the kernel's reckoning, and all of them wait in the socket
// (net.core.rmem_default, 208 kB) until they are read.
const KEYS_PER_QUESTION = 128;

/** One element of a set. */
export type TableElement = {
  /** In network order. */
  readonly key: Uint8Array;
  /** Time until the kernel removes it, in milliseconds; null when it never does. */
  readonly leftMs: number | null;
  /** Packets that its counter has seen. */
  readonly packets: number;
};

/** A table of family `inet` in this process's network namespace. Everything throws SystemCallError when the kernel refuses. */
export class NftablesTable {
  readonly name: string;
  // Kept open: closing one waits until the kernel has freed what was deleted before, some 15 ms (measured, Linux 6.18).
  #questions: NetlinkQuestions | undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** The names of its sets; none when there is no such table. */
  sets(): string[] {
    return this.#all(GETSET, attribute(TABLE, text(this.name))).map((body) => nameIn(body, SET_NAME));
  }

  /**
   * A fingerprint of these chains and their rules: another one, when anybody has changed one of them, also when it was
   * changed back.
   */
  fingerprint(chains: readonly string[]): string {
    const of = (message: number, chainName: number) =>
      this.#all(message, attribute(TABLE, text(this.name)))
        .filter((body) => nameIn(body, TABLE) === this.name && chains.includes(nameIn(body, chainName)))
        // The first four bytes count changes to nftables as a whole.
        .map((body) => Buffer.from(body.subarray(4)).toString("latin1"));
    return [...of(GETCHAIN, CHAIN_NAME), ...of(GETRULE, RULE_CHAIN)].join("\0");
  }

  /**
   * The elements of a set, some hundred at a time; none when there is no such set. While many are added or removed one may
   * come twice and another not at all.
   */
  *elements(set: string): Generator<{ elements: TableElement[]; interrupted: boolean }, void, undefined> {
    using questions = new NetlinkQuestions(NETLINK_NETFILTER);
    const body = joined(
      nfgenmsg(NFPROTO_INET),
      attribute(TABLE, text(this.name)),
      attribute(ELEMENTS_SET, text(set)),
    );
    try {
      for (const { bodies, interrupted } of questions.ask(message(GETSETELEM), NLM_F_DUMP, body)) {
        yield { elements: bodies.flatMap(elementsIn), interrupted };
      }
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  }

  /** The element of a set with this key; null where there is none. */
  element(set: string, key: Uint8Array): TableElement | null {
    return this.#untilAbsent(set, [key])[0] ?? null;
  }

  /**
   * Packets that the counters of these elements have seen; null where there is no such element. Takes as long for each however
   * many there are, while a list of all (`elements`) takes the kernel quadratic time: it is given in pieces of 32 kB, and for each
   * the kernel goes through the set from its beginning.
   */
  packets(set: string, keys: readonly Uint8Array[]): (number | null)[] {
    const out: (number | null)[] = [];
    let most = KEYS_PER_QUESTION;
    while (out.length < keys.length) {
      const some = keys.slice(out.length, out.length + most);
      const found = this.#untilAbsent(set, some);
      for (const { packets } of found) out.push(packets);
      // The kernel answers up to the first that is absent. Where one is, the next often is as well.
      if (found.length < some.length) out.push(null);
      most = found.length < some.length ? 1 : Math.min(2 * most, KEYS_PER_QUESTION);
    }
    return out;
  }

  /** Lets go of its socket; the next question opens another. */
  close(): void {
    this.#questions?.[Symbol.dispose]();
    this.#questions = undefined;
  }

  // The elements with these keys, in their order, up to the first that is not there.
  #untilAbsent(set: string, keys: readonly Uint8Array[]): TableElement[] {
    const head = [attribute(TABLE, text(this.name)), attribute(ELEMENTS_SET, text(set))];
    const question = joined(nfgenmsg(NFPROTO_INET), ...head, nested(ELEMENTS, keyList(keys)));
    const found: TableElement[] = [];
    try {
      for (const { bodies } of this.#asking(GETSETELEM, NLM_F_ACK, question))
        for (const body of bodies) found.push(...elementsIn(body));
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
    return found;
  }

  #all(kind: number, filter: Uint8Array): Uint8Array[] {
    try {
      return [...wholes(this.#asking(kind, NLM_F_DUMP, joined(nfgenmsg(NFPROTO_INET), filter)))];
    } catch (error) {
      if (isAbsent(error)) return [];
      throw error;
    }
  }

  *#asking(kind: number, flags: number, body: Uint8Array): Generator<Piece, void, undefined> {
    this.#questions ??= new NetlinkQuestions(NETLINK_NETFILTER);
    try {
      yield* this.#questions.ask(message(kind), flags, body);
    } catch (error) {
      // What is half read must not stand in the way of the next question.
      if (!isAbsent(error)) this.close();
      throw error;
    }
  }
}

const NESTED = 0x8000;
const KEY_INSIDE = [LIST_ELEMENT | NESTED, KEY | NESTED, KEY_VALUE];

// What `nested(LIST_ELEMENT, nested(KEY, attribute(KEY_VALUE, key)))` makes of each, in one piece: there may be a hundred thousand.
// A key fills its attribute: 4 or 16 bytes.
function keyList(keys: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(keys.reduce((sum, key) => sum + 12 + key.length, 0));
  const words = new DataView(bytes.buffer);
  let at = 0;
  for (const key of keys) {
    let left = 12 + key.length;
    for (const type of KEY_INSIDE) {
      words.setUint16(at, left, true);
      words.setUint16(at + 2, type, true);
      at += 4;
      left -= 4;
    }
    bytes.set(key, at);
    at += key.length;
  }
  return bytes;
}

// Copies, because a piece is overwritten by the next.
function* wholes(pieces: Iterable<Piece>): Generator<Uint8Array> {
  for (const { bodies } of pieces) for (const body of bodies) yield body.slice();
}

function message(kind: number): number {
  return (SUBSYSTEM.nftables << 8) | kind;
}

function nameIn(body: Uint8Array, type: number): string {
  const bytes = attributes(body).get(type);
  if (bytes === undefined) return "";
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString("latin1");
}

function text(value: string): Uint8Array {
  return Buffer.from(`${value}\0`, "latin1");
}

/** The elements in the body of one NEWSETELEM message; what is cut short or malformed is passed over. */
export function elementsIn(body: Uint8Array): TableElement[] {
  const out: TableElement[] = [];
  for (const [type, list] of parts(body, 4)) {
    if (type !== ELEMENTS) continue;
    for (const [, element] of parts(list)) {
      const read = elementOf(element);
      if (read !== null) out.push(read);
    }
  }
  return out;
}

function elementOf(bytes: Uint8Array): TableElement | null {
  let key: Uint8Array | undefined;
  let leftMs: number | null = null;
  let packets = 0;
  for (const [type, value] of parts(bytes)) {
    if (type === KEY) for (const [, data] of parts(value)) key = data.slice();
    else if (type === TIME_LEFT && value.length === 8) leftMs = long(value);
    else if (type === EXPRESSION) packets = counted(value) ?? packets;
    else if (type === EXPRESSIONS) for (const [, each] of parts(value)) packets = counted(each) ?? packets;
  }
  return key === undefined ? null : { key, leftMs, packets };
}

function counted(expression: Uint8Array): number | null {
  const found = attributes(expression, 0);
  const name = found.get(EXPRESSION_NAME);
  if (name === undefined || Buffer.from(name).toString("latin1") !== "counter\0") return null;
  const packets = attributes(found.get(EXPRESSION_DATA) ?? new Uint8Array(), 0).get(COUNTER_PACKETS);
  return packets?.length === 8 ? long(packets) : null;
}

// Like `attributes`, without a map: there may be hundreds of thousands, and of a list all bear one type.
function* parts(bytes: Uint8Array, offset = 0): Generator<[type: number, value: Uint8Array]> {
  for (let at = offset; at + 4 <= bytes.length; ) {
    const length = bytes[at]! | (bytes[at + 1]! << 8);
    if (length < 4 || at + length > bytes.length) return;
    yield [(bytes[at + 2]! | (bytes[at + 3]! << 8)) & TYPE_MASK, bytes.subarray(at + 4, at + length)];
    at += (length + 3) & ~3;
  }
}

function long(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  return view.getUint32(0) * 2 ** 32 + view.getUint32(4);
}
