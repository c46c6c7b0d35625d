// Writes a transaction of nftables as the kernel reads it: netlink messages between a beginning and an end, each with the
// elements of one set. Bytes only, so that it can be held against what nft(8) itself makes of the same.
import { NLM_F_ACK, NLM_F_REQUEST, SUBSYSTEM } from "./netfilter-netlink.ts";

// linux/netfilter/nfnetlink.h and nf_tables.h. Numbers inside attributes are in network order, all others in the host's.
const BATCH_BEGIN = 16;
const BATCH_END = 17;
const NEWSETELEM = (SUBSYSTEM.nftables << 8) | 12;
const DELSETELEM = (SUBSYSTEM.nftables << 8) | 14;
const NLM_F_CREATE = 0x400;
const NFPROTO_INET = 1;
const NESTED = 0x8000;
const LIST_TABLE = 1;
const LIST_SET = 2;
const LIST_ELEMENTS = 3;
const LIST_ELEMENT = 1;
const KEY = 1;
const TIMEOUT = 4;
const EXPRESSION = 7;
const EXPRESSIONS = 11;
const DATA_VALUE = 1;
const EXPRESSION_NAME = 1;
const EXPRESSION_DATA = 2;
const COUNTER_BYTES = 1;
const COUNTER_PACKETS = 2;
const LIMIT_RATE = 1;
const LIMIT_UNIT = 2;
const LIMIT_BURST = 3;
const LIMIT_FLAGS = 5;
const LIMIT_OVER = 1;
const SECONDS_PER_MINUTE = 60;

// The length of an attribute has 16 bits; an element takes some 200 bytes at the most.
const MAX_LIST_BYTES = 60_000;
const START_BYTES = 1_024;
// The buffer of a large transaction is let go of after it.
const KEPT_BYTES = 65_536;

/** `limit rate over PER_MINUTE/minute burst BURST packets`. */
export type OverRate = { readonly perMinute: number; readonly burst: number };

export type SetElement = {
  /** In network order. */
  readonly key: Uint8Array;
  /** Until the kernel removes it, milliseconds; left out: what the set says. */
  readonly forMs?: number;
  /** Where its counter begins; left out: it carries what the set gives each of its elements, from zero on. */
  readonly packets?: number;
  /** What the elements of this set carry in front of their counter; needed only beside `packets`. */
  readonly over?: OverRate | undefined;
};

/** One step of a transaction. What is added and there already stays as it is; deleting what is not there fails. */
export type ElementStep = {
  readonly do: "add" | "delete";
  readonly set: string;
  readonly elements: readonly SetElement[];
};

/** A transaction being written; used again for the next. */
export class TransactionText {
  readonly #table: Buffer;
  #buffer = Buffer.allocUnsafe(START_BYTES);
  #at = 0;

  /** @param table of family `inet` */
  constructor(table: string) {
    this.#table = Buffer.from(`${table}\0`, "latin1");
  }

  /** What was written last; valid until the next `write`. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#at);
  }

  /**
   * Writes the transaction. The last message before its end asks to be acknowledged.
   * @param sequence of the first message, its beginning
   * @returns how many messages there are; 0 when there is nothing to do
   */
  write(steps: readonly ElementStep[], sequence: number): number {
    this.#at = 0;
    if (this.#buffer.length > KEPT_BYTES) this.#buffer = Buffer.allocUnsafe(START_BYTES);
    let next = sequence;
    this.#frame(BATCH_BEGIN, next++);
    let last = -1;
    for (const step of steps) {
      for (let from = 0; from < step.elements.length; ) {
        last = this.#at;
        from = this.#message(step, from, next++);
      }
    }
    if (last < 0) return 0;
    this.#buffer.writeUInt16LE(this.#buffer.readUInt16LE(last + 6) | NLM_F_ACK, last + 6);
    this.#frame(BATCH_END, next++);
    return next - sequence;
  }

  // struct nlmsghdr and struct nfgenmsg, which name the subsystem.
  #frame(type: number, sequence: number): void {
    const at = this.#head(type, NLM_F_REQUEST, sequence, 0, SUBSYSTEM.nftables);
    this.#buffer.writeUInt32LE(this.#at - at, at);
  }

  #head(type: number, flags: number, sequence: number, family: number, resource: number): number {
    const at = this.#room(20);
    const bytes = this.#buffer;
    bytes.writeUInt16LE(type, at + 4);
    bytes.writeUInt16LE(flags, at + 6);
    bytes.writeUInt32LE(sequence, at + 8);
    bytes.writeUInt32LE(0, at + 12);
    bytes.writeUInt8(family, at + 16);
    bytes.writeUInt8(0, at + 17);
    bytes.writeUInt16BE(resource, at + 18);
    return at;
  }

  /** As many elements as fit into one message; returns the index of the first that did not. */
  #message(step: ElementStep, from: number, sequence: number): number {
    const [type, flags] =
      step.do === "add" ? [NEWSETELEM, NLM_F_REQUEST | NLM_F_CREATE] : [DELSETELEM, NLM_F_REQUEST];
    const at = this.#head(type, flags, sequence, NFPROTO_INET, 0);
    this.#attribute(LIST_TABLE, this.#table);
    this.#attribute(LIST_SET, Buffer.from(`${step.set}\0`, "latin1"));
    const list = this.#open(LIST_ELEMENTS);
    let index = from;
    while (index < step.elements.length && this.#at - list < MAX_LIST_BYTES)
      this.#element(step.elements[index++]!);
    this.#close(list);
    this.#buffer.writeUInt32LE(this.#at - at, at);
    return index;
  }

  #element({ key, forMs, packets, over }: SetElement): void {
    const element = this.#open(LIST_ELEMENT);
    const value = this.#open(KEY);
    this.#attribute(DATA_VALUE, key);
    this.#close(value);
    if (forMs !== undefined) this.#long(TIMEOUT, Math.max(1, Math.round(forMs)));
    if (packets !== undefined && over === undefined) this.#counter(EXPRESSION, packets);
    if (packets !== undefined && over !== undefined) {
      const both = this.#open(EXPRESSIONS);
      this.#limit(LIST_ELEMENT, over);
      this.#counter(LIST_ELEMENT, packets);
      this.#close(both);
    }
    this.#close(element);
  }

  #counter(type: number, packets: number): void {
    this.#expression(type, COUNTER, () => {
      this.#long(COUNTER_BYTES, 0);
      this.#long(COUNTER_PACKETS, packets);
    });
  }

  #limit(type: number, { perMinute, burst }: OverRate): void {
    this.#expression(type, LIMIT, () => {
      this.#long(LIMIT_RATE, perMinute);
      this.#long(LIMIT_UNIT, SECONDS_PER_MINUTE);
      this.#word(LIMIT_BURST, burst);
      this.#word(LIMIT_FLAGS, LIMIT_OVER);
    });
  }

  #expression(type: number, name: Buffer, data: () => void): void {
    const expression = this.#open(type);
    this.#attribute(EXPRESSION_NAME, name);
    const inside = this.#open(EXPRESSION_DATA);
    data();
    this.#close(inside);
    this.#close(expression);
  }

  #word(type: number, value: number): void {
    const at = this.#room(8);
    this.#buffer.writeUInt16LE(8, at);
    this.#buffer.writeUInt16LE(type, at + 2);
    this.#buffer.writeUInt32BE(value, at + 4);
  }

  #long(type: number, value: number): void {
    const at = this.#room(12);
    this.#buffer.writeUInt16LE(12, at);
    this.#buffer.writeUInt16LE(type, at + 2);
    this.#buffer.writeUInt32BE(Math.floor(value / 2 ** 32), at + 4);
    this.#buffer.writeUInt32BE(value % 2 ** 32, at + 8);
  }

  #attribute(type: number, value: Uint8Array): void {
    const length = 4 + value.length;
    const at = this.#room((length + 3) & ~3);
    this.#buffer.writeUInt16LE(length, at);
    this.#buffer.writeUInt16LE(type, at + 2);
    this.#buffer.set(value, at + 4);
    for (let padding = at + length; padding < this.#at; padding++) this.#buffer[padding] = 0;
  }

  /** An attribute that holds attributes, until `#close`. */
  #open(type: number): number {
    const at = this.#room(4);
    this.#buffer.writeUInt16LE(type | NESTED, at + 2);
    return at;
  }

  #close(at: number): void {
    this.#buffer.writeUInt16LE(this.#at - at, at);
  }

  /** Takes so many bytes at the end; returns where they begin. */
  #room(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    if (this.#at > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(2 * this.#at);
      larger.set(this.#buffer.subarray(0, at));
      this.#buffer = larger;
    }
    return at;
  }
}

const COUNTER = Buffer.from("counter\0", "latin1");
const LIMIT = Buffer.from("limit\0", "latin1");
