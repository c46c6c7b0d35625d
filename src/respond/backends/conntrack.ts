// Forgets the tracked connections of a blocked source. Its packets are dropped before they reach tracking, but an entry
// that stays keeps a translated connection's other half open for up to five days and its place in the table taken.
import { readFileSync } from "node:fs";
import { type Address, bytesOfAddress, familyOf, type Prefix } from "../../core/address.ts";
import {
  attribute,
  attributes,
  joined,
  NetfilterSocket,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLMSG_DONE,
  NLMSG_ERROR,
  nested,
  nfgenmsg,
  SUBSYSTEM,
} from "../../sys/netfilter-netlink.ts";

// linux/netfilter/nfnetlink_conntrack.h
const MSG_NEW = 0;
const MSG_GET = 1;
const MSG_DELETE = 2;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_IP = 1;
const CTA_IP_V4_SRC = 1;
const CTA_IP_V6_SRC = 3;
const CTA_ID = 12;
const CTA_FILTER = 25;
const CTA_FILTER_ORIG_FLAGS = 1;
/** Of a filter's tuple only the source address counts; kernel 5.8 on. */
const BY_SOURCE = Uint8Array.of(1, 0, 0, 0);
const AF_INET = 2;
const AF_INET6 = 10;

// More sources than this wait only while a flood of blocks is being applied; their entries time out by themselves.
const MAX_WAITING = 1_000;
const ANSWER_WITHIN_MS = 2_000;
const COUNT_FILE = "/proc/sys/net/netfilter/nf_conntrack_count";

/** Works through blocked sources one after the other, behind the block itself. */
export class ConntrackSweep {
  readonly #waiting: Address[] = [];
  #socket: NetfilterSocket | undefined;
  #current: { sequence: number; done: () => void } | undefined;
  #working: Promise<void> | undefined;
  #off = false;

  /** Notes whole addresses; networks are left to time out, because the kernel filters by address only. */
  forget(targets: readonly Prefix[]): void {
    if (this.#off) return;
    for (const { base, bits } of targets) {
      if (bits === (familyOf(base) === 4 ? 32 : 128) && this.#waiting.length < MAX_WAITING)
        this.#waiting.push(base);
    }
    if (this.#waiting.length > 0) this.#working ??= this.#work();
  }

  close(): void {
    this.#off = true;
    this.#waiting.length = 0;
    this.#current?.done();
    this.#socket?.close();
  }

  async #work(): Promise<void> {
    // Not in the tick that blocks: another block may be waiting for it.
    await new Promise(setImmediate);
    try {
      // Asking would load the module into a kernel that tracks nothing.
      while (this.#waiting.length > 0 && tracked() > 0 && !this.#off) await this.#ask(this.#waiting.shift()!);
      this.#waiting.length = 0;
    } catch {
      // No socket, no permission: entries time out by themselves, and the block does not depend on it.
      this.#off = true;
    } finally {
      this.#working = undefined;
    }
  }

  async #ask(source: Address): Promise<void> {
    this.#socket ??= new NetfilterSocket({
      onMessage: (message) => this.#hear(message),
      onOverrun: () => this.#current?.done(),
    });
    const four = familyOf(source) === 4;
    const tuple = nested(
      CTA_TUPLE_ORIG,
      nested(CTA_TUPLE_IP, attribute(four ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, bytesOfAddress(source))),
    );
    const filter = nested(CTA_FILTER, attribute(CTA_FILTER_ORIG_FLAGS, BY_SOURCE));
    const body = joined(nfgenmsg(four ? AF_INET : AF_INET6), tuple, filter);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ANSWER_WITHIN_MS);
      timer.unref();
      const sequence = this.#socket!.send((SUBSYSTEM.ctnetlink << 8) | MSG_GET, NLM_F_DUMP, body);
      this.#current = {
        sequence,
        done: () => {
          clearTimeout(timer);
          resolve();
        },
      };
    });
    this.#current = undefined;
  }

  #hear({ type, sequence, payload }: NetlinkMessage): void {
    if (this.#current?.sequence !== sequence) return;
    if (type === NLMSG_DONE || type === NLMSG_ERROR) {
      this.#current.done();
      return;
    }
    if (type !== ((SUBSYSTEM.ctnetlink << 8) | MSG_NEW)) return;
    const found = attributes(payload);
    const tuple = found.get(CTA_TUPLE_ORIG);
    const id = found.get(CTA_ID);
    if (tuple === undefined || id === undefined) return;
    // The id keeps a new connection with the same ports from being taken for the old one.
    const body = joined(
      nfgenmsg(payload[0]!),
      attribute(CTA_TUPLE_ORIG | 0x8000, tuple),
      attribute(CTA_ID, id),
    );
    this.#socket!.send((SUBSYSTEM.ctnetlink << 8) | MSG_DELETE, NLM_F_ACK, body);
  }
}

function tracked(): number {
  try {
    return Number(readFileSync(COUNT_FILE, "latin1"));
  } catch {
    return 0; // Not loaded: nothing is tracked.
  }
}
