// Hands an open file from one process to another over a UNIX socket (SCM_RIGHTS of unix(7)): the one way in which a
// process may read what it may not open. The layouts of msghdr and cmsghdr (recvmsg(2), cmsg(3)) on 64-bit Linux stand
// here and nowhere else.
import { koffi, lastError, libc } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x4000_0000;
// struct cmsghdr: 8 bytes of length, level, type; then one int. CMSG_LEN(4) is 20, CMSG_SPACE(4) is 24.
const CONTROL_BYTES = 24;
const CONTROL_LENGTH = 20;
const EAGAIN = 11;

type Message = { iov: unknown; iovlen: number; control: Uint8Array; controllen: number };

type Foreign = {
  socketpair(domain: number, type: number, protocol: number, pair: Int32Array): number;
  sendmsg(fd: number, message: Message, flags: number): number;
  recvmsg(fd: number, message: Message, flags: number): number;
  close(fd: number): number;
};

let foreign: Foreign | undefined;

function calls(): Foreign {
  if (foreign !== undefined) return foreign;
  const c = libc();
  const k = koffi();
  const iovec = k.struct({ base: "void *", length: "size_t" });
  const message = k.struct({
    name: "void *",
    namelen: "uint32_t",
    iov: k.pointer(iovec),
    iovlen: "size_t",
    control: "void *",
    controllen: "size_t",
    flags: "int",
  });
  foreign = {
    socketpair: c.func("int socketpair(int domain, int type, int protocol, int *pair)"),
    sendmsg: c.func("sendmsg", "int64_t", ["int", k.pointer(message), "int"]),
    recvmsg: c.func("recvmsg", "int64_t", ["int", k.pointer(message), "int"]),
    close: c.func("int close(int fd)"),
  };
  return foreign;
}

/** Two connected sockets over which descriptors can be handed; message boundaries are kept. Throws SystemCallError. */
export function descriptorChannel(): [here: number, there: number] {
  const pair = new Int32Array(2);
  if (calls().socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
    throw lastError("socketpair", "AF_UNIX");
  return [pair[0]!, pair[1]!];
}

/**
 * Puts a copy of `fd` into the channel; the caller's own stays open. Never waits.
 * @throws SystemCallError EAGAIN when the other side has let too many lie, EPIPE when it has gone
 */
export function sendDescriptor(channel: number, fd: number): void {
  const control = new Uint8Array(CONTROL_BYTES);
  const view = new DataView(control.buffer);
  view.setBigUint64(0, BigInt(CONTROL_LENGTH), true);
  view.setInt32(8, SOL_SOCKET, true);
  view.setInt32(12, SCM_RIGHTS, true);
  view.setInt32(16, fd, true);
  // One byte goes along: a message of nothing but a descriptor is not delivered.
  if (calls().sendmsg(channel, messageWith(control), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
    throw lastError("sendmsg", "SCM_RIGHTS");
}

/**
 * Takes the next descriptor out of the channel; null when none lies there. It is closed in programs that are started.
 * @throws SystemCallError
 */
export function receiveDescriptor(channel: number): number | null {
  const control = new Uint8Array(CONTROL_BYTES);
  const got = calls().recvmsg(channel, messageWith(control), MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) {
    if (koffi().errno() === EAGAIN) return null;
    throw lastError("recvmsg", "SCM_RIGHTS");
  }
  const view = new DataView(control.buffer);
  const whole = view.getBigUint64(0, true) === BigInt(CONTROL_LENGTH);
  if (!whole || view.getInt32(8, true) !== SOL_SOCKET || view.getInt32(12, true) !== SCM_RIGHTS) return null;
  return view.getInt32(16, true);
}

/** Closes a descriptor of this file's making, or one that was received and is not wanted. */
export function closeDescriptor(fd: number): void {
  calls().close(fd);
}

function messageWith(control: Uint8Array): Message {
  return { iov: [{ base: new Uint8Array(1), length: 1 }], iovlen: 1, control, controllen: CONTROL_BYTES };
}
