// Asks the kernel over netlink (netlink(7)) and waits for the answer: what it holds, read piece by piece, so that whoever asks
// for a hundred thousand elements can let others work in between.
import { SystemCallError } from "../core/errors.ts";
import { koffi, lastError } from "./libc.ts";
import { NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR } from "./netfilter-netlink.ts";
import { socketCalls } from "./socket-calls.ts";

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
/** linux/netlink.h */
export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const HEADER_BYTES = 16;
// The kernel fills pieces of up to 32 kB.
const READ_BYTES = 65_536;
const EINTR = 4;
const NLM_F_DUMP_INTR = 0x10;

/** A piece of an answer: the bodies of its messages, valid until the next piece is asked for. */
export type Piece = {
  readonly bodies: readonly Uint8Array[];
  /** What is listed has changed since the first piece. */
  readonly interrupted: boolean;
};

/** One socket for questions that are asked one after the other. Throws SystemCallError when it cannot be had. */
export class NetlinkQuestions {
  readonly fd: number;
  readonly #buffer = new Uint8Array(READ_BYTES);
  readonly #view = new DataView(this.#buffer.buffer);
  #sequence = 0;
  #open = true;

  /** @param protocol NETLINK_… */
  constructor(protocol: number) {
    const c = socketCalls();
    this.fd = c.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, protocol);
    if (this.fd < 0) throw lastError("socket", `AF_NETLINK ${protocol}`);
    // An answer that refuses something need not repeat all of it; where it does (before Linux 4.3), answers are longer.
    c.setsockopt(this.fd, SOL_NETLINK, NETLINK_CAP_ACK, Uint32Array.of(1), 4);
    // The kernel answers within the call; a second (struct timeval) is for a kernel that does not.
    if (c.setsockopt(this.fd, SOL_SOCKET, SO_RCVTIMEO, Uint32Array.of(1, 0, 0, 0), 16) < 0) {
      this[Symbol.dispose]();
      throw lastError("setsockopt", "SO_RCVTIMEO");
    }
  }

  /**
   * Asks, and gives the answer piece by piece until it is whole.
   * @param type the message; of netfilter `subsystem << 8 | message`
   * @param flags NLM_F_DUMP for everything, NLM_F_ACK for one thing
   * @throws SystemCallError with the kernel's own errno
   */
  *ask(type: number, flags: number, body: Uint8Array): Generator<Piece, void, undefined> {
    const sequence = ++this.#sequence;
    const request = new Uint8Array(HEADER_BYTES + body.length);
    const head = new DataView(request.buffer);
    head.setUint32(0, request.length, true);
    head.setUint16(4, type, true);
    head.setUint16(6, flags | NLM_F_REQUEST, true);
    head.setUint32(8, sequence, true);
    request.set(body, HEADER_BYTES);
    if (socketCalls().send(this.fd, request, request.length, 0) < 0) throw lastError("send", "netlink");
    for (let over = false; !over; ) {
      const bodies: Uint8Array[] = [];
      let interrupted = false;
      const size = this.#receive();
      const view = this.#view;
      for (let at = 0; at + HEADER_BYTES <= size && !over; ) {
        const length = view.getUint32(at, true);
        if (length < HEADER_BYTES || at + length > size) break;
        const kind = view.getUint16(at + 4, true);
        // An answer to an earlier question that was not read to its end.
        const ours = view.getUint32(at + 8, true) === sequence;
        if (ours && kind === NLMSG_ERROR) throwUnlessZero(view.getInt32(at + HEADER_BYTES, true));
        if (ours && (kind === NLMSG_DONE || kind === NLMSG_ERROR)) over = true;
        else if (ours) bodies.push(this.#buffer.subarray(at + HEADER_BYTES, at + length));
        interrupted ||= ours && (view.getUint16(at + 6, true) & NLM_F_DUMP_INTR) !== 0;
        at += (length + 3) & ~3;
      }
      yield { bodies, interrupted };
    }
  }

  /** The number of the first message of the next transaction. */
  get nextSequence(): number {
    return this.#sequence + 1;
  }

  /**
   * Sends messages that belong together, and reads until the last of them that asks for it is acknowledged.
   * @param count of the messages; they are numbered from `nextSequence` on
   * @throws SystemCallError with the errno of the first that the kernel refused
   */
  carryOut(messages: Uint8Array, count: number): void {
    const first = this.nextSequence;
    this.#sequence += count;
    if (socketCalls().send(this.fd, messages, messages.length, 0) < 0) throw lastError("send", "netlink");
    for (;;) {
      const size = this.#receive();
      const view = this.#view;
      for (let at = 0; at + HEADER_BYTES + 4 <= size; ) {
        const length = view.getUint32(at, true);
        if (length < HEADER_BYTES) break;
        // One below is an answer to an earlier transaction, of which the first refusal was enough.
        if (view.getUint32(at + 8, true) >= first && view.getUint16(at + 4, true) === NLMSG_ERROR) {
          throwUnlessZero(view.getInt32(at + HEADER_BYTES, true));
          return;
        }
        at += (length + 3) & ~3;
      }
    }
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    socketCalls().close(this.fd);
  }

  #receive(): number {
    for (;;) {
      const size = Number(socketCalls().recv(this.fd, this.#buffer, READ_BYTES, 0));
      if (size > 0) return size;
      if (size < 0 && koffi().errno() === EINTR) continue;
      throw lastError("recv", "netlink");
    }
  }
}

function throwUnlessZero(negatedErrno: number): void {
  if (negatedErrno === 0) return;
  // It stands where the errno of a call does, so that it becomes the same kind of error.
  koffi().errno(-negatedErrno);
  throw lastError("netlink");
}

/** Whether the kernel says that there is no such thing. */
export function isAbsent(error: unknown): boolean {
  return error instanceof SystemCallError && error.code === "ENOENT";
}
