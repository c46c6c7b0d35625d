// Asks the kernel which single socket a packet would go to (sock_diag(7) without NLM_F_DUMP): its own lookup, with
// devices, families and SO_REUSEPORT as they are at this moment, in 4 microseconds.
import { SystemCallError } from "../core/errors.ts";
import { errnoName, lastError } from "./libc.ts";
import { socketCalls } from "./socket-calls.ts";

/** One end of a conversation: an address as words in host order, IPv4 in the first, and a port. */
export type End = readonly [w0: number, w1: number, w2: number, w3: number, port: number];

const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_SOCK_DIAG = 4;
const SOCK_DIAG_BY_FAMILY = 20;
const NLM_F_REQUEST = 1;
const NLMSG_ERROR = 2;
const MSG_DONTWAIT = 0x40;
const UDP = 17;
const ENOENT = 2;

// struct nlmsghdr, struct inet_diag_req_v2 with its struct inet_diag_sockid, and the answer's struct inet_diag_msg
// (linux/netlink.h, linux/inet_diag.h).
const HEADER_BYTES = 16;
const REQUEST_BYTES = HEADER_BYTES + 56;
const FAMILY = HEADER_BYTES;
const PROTOCOL = HEADER_BYTES + 1;
const STATES = HEADER_BYTES + 4;
const FIRST_PORT = HEADER_BYTES + 8;
const SECOND_PORT = FIRST_PORT + 2;
const FIRST_ADDRESS = FIRST_PORT + 4;
const SECOND_ADDRESS = FIRST_ADDRESS + 16;
const INTERFACE = FIRST_ADDRESS + 32;
const COOKIE = FIRST_ADDRESS + 36;
const ANSWER_STATE = HEADER_BYTES + 1;
const ANSWER_BYTES = 4_096;

/** A conversation with the kernel, in the network namespace in which it was begun. Needs no privilege. */
export class SocketLookup {
  readonly #fd: number;
  readonly #request = new Uint8Array(REQUEST_BYTES);
  readonly #asked = new DataView(this.#request.buffer);
  readonly #answer = new Uint8Array(ANSWER_BYTES);
  readonly #answered = new DataView(this.#answer.buffer);
  #sequence = 0;
  #closed = false;

  /** Throws SystemCallError where the kernel has no sock_diag. */
  constructor() {
    this.#fd = socketCalls().socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (this.#fd < 0) throw lastError("socket", "NETLINK_SOCK_DIAG");
  }

  /**
   * The state of the socket (TCP_ESTABLISHED 1 … TCP_LISTEN 10; 7 for an unconnected UDP socket), 0 for none. A remote
   * port of 0 finds listening sockets only.
   * @param interfaceIndex where the packet came in; 0 leaves out sockets that are bound to a device
   * @throws SystemCallError for anything but "no such socket"
   */
  find(family: 4 | 6, protocol: number, local: End, remote: End, interfaceIndex: number): number {
    const asked = this.#asked;
    this.#sequence = (this.#sequence + 1) >>> 0;
    asked.setUint32(0, REQUEST_BYTES, true);
    asked.setUint16(4, SOCK_DIAG_BY_FAMILY, true);
    asked.setUint16(6, NLM_F_REQUEST, true);
    asked.setUint32(8, this.#sequence, true);
    asked.setUint8(FAMILY, family === 4 ? AF_INET : AF_INET6);
    asked.setUint8(PROTOCOL, protocol);
    asked.setUint32(STATES, 0xffff_ffff, true);
    // For UDP the kernel reads the two ends the other way round, for historical reasons (net/ipv4/udp_diag.c).
    const [first, second] = protocol === UDP ? [remote, local] : [local, remote];
    asked.setUint16(FIRST_PORT, first[4], false);
    asked.setUint16(SECOND_PORT, second[4], false);
    for (let word = 0; word < 4; word++) {
      asked.setUint32(FIRST_ADDRESS + word * 4, first[word]!, false);
      asked.setUint32(SECOND_ADDRESS + word * 4, second[word]!, false);
    }
    asked.setUint32(INTERFACE, interfaceIndex, true);
    asked.setUint32(COOKIE, 0xffff_ffff, true);
    asked.setUint32(COOKIE + 4, 0xffff_ffff, true);
    if (socketCalls().send(this.#fd, this.#request, REQUEST_BYTES, 0) < 0)
      throw lastError("send", "sock_diag");
    for (;;) {
      // The kernel answers while it is asked, so there is nothing to wait for.
      const length = Number(socketCalls().recv(this.#fd, this.#answer, ANSWER_BYTES, MSG_DONTWAIT));
      if (length < 0) throw lastError("recv", "sock_diag");
      const isOurs = length >= HEADER_BYTES + 4 && this.#answered.getUint32(8, true) === this.#sequence;
      if (!isOurs) continue;
      if (this.#answered.getUint16(4, true) !== NLMSG_ERROR) return this.#answer[ANSWER_STATE]!;
      const errno = -this.#answered.getInt32(HEADER_BYTES, true);
      if (errno === ENOENT) return 0;
      throw new SystemCallError("sock_diag", errno, errnoName(errno));
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    socketCalls().close(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
