// Adds and deletes elements of sets in one nftables table, as one transaction in one system call. libnftables reads sets and
// chains before it changes anything: two milliseconds for one element on a busy machine, where the kernel needs ten
// microseconds, and a scanner asks forty ports a millisecond.

import { NETLINK_NETFILTER, NetlinkQuestions } from "./netlink-questions.ts";
import { type ElementStep, TransactionText } from "./nftables-transaction.ts";
import { socketCalls } from "./socket-calls.ts";

// A limit, not an allocation: 2,000 changes are some 400 kB.
const SEND_BYTES = 4 << 20;
const SOL_SOCKET = 1;
const SO_SNDBUFFORCE = 32;

/** The sets of a table of family `inet` in this process's network namespace. */
export class NftablesElements {
  readonly #text: TransactionText;
  #socket: NetlinkQuestions | undefined;

  constructor(table: string) {
    this.#text = new TransactionText(table);
  }

  /**
   * Does all steps, or none, within this call.
   * @throws SystemCallError with the kernel's errno: ENOENT without the table, the set, or what was to be deleted; ENFILE when
   *   the set is full; EPERM without CAP_NET_ADMIN
   */
  change(steps: readonly ElementStep[]): void {
    this.#socket ??= openSocket();
    const messages = this.#text.write(steps, this.#socket.nextSequence);
    if (messages > 0) this.#socket.carryOut(this.#text.bytes, messages);
  }

  close(): void {
    this.#socket?.[Symbol.dispose]();
    this.#socket = undefined;
  }
}

function openSocket(): NetlinkQuestions {
  const socket = new NetlinkQuestions(NETLINK_NETFILTER);
  // Refused without CAP_NET_ADMIN, and so is every change then.
  socketCalls().setsockopt(socket.fd, SOL_SOCKET, SO_SNDBUFFORCE, Uint32Array.of(SEND_BYTES), 4);
  return socket;
}
