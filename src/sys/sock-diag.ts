// The kernel's socket tables over netlink (sock_diag(7)). On a host with much memory, /proc/net/tcp takes 4 to 10 ms to
// read however few sockets there are; the same question here takes 0.02 ms for listeners, 0.3 ms for connections.
import { koffi, lastError } from "./libc.ts";
import { type SocketCalls, socketCalls } from "./socket-calls.ts";

/** One socket. Addresses are 32-bit words in host order; an IPv4-mapped IPv6 address comes as IPv4. */
export type DiagSocket = {
  family: 4 | 6;
  local0: number;
  local1: number;
  local2: number;
  local3: number;
  localPort: number;
  remote0: number;
  remote1: number;
  remote2: number;
  remote3: number;
  remotePort: number;
  /** TCP_ESTABLISHED 1 … TCP_LISTEN 10 (net/tcp_states.h). */
  state: number;
  inode: number;
  /** The socket is an IPv6 one, whatever family its addresses are of. */
  wide: boolean;
};

export type DiagQuery = {
  readonly protocol: "tcp" | "udp";
  /** Which of the two tables. */
  readonly wide: boolean;
  /** Bit per state: `1 << LISTEN`. */
  readonly states: number;
  /** Only sockets whose other end lies in this prefix; the kernel does the choosing. Words in host order. */
  readonly remote?: {
    readonly family: 4 | 6;
    readonly words: readonly [number, number, number, number];
    readonly bits: number;
  };
};

export const ESTABLISHED = 1;
export const LISTEN = 10;
export const ALL_STATES = 0xfff;

// linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h
const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_SOCK_DIAG = 4;
const SOCK_DIAG_BY_FAMILY = 20;
const NLM_F_REQUEST_DUMP = 0x301;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const HEADER_BYTES = 16;
const REQUEST_BYTES = 56;
const MESSAGE_BYTES = 72;
// struct inet_diag_bc_op and struct inet_diag_hostcond: a program of one instruction.
const INET_DIAG_REQ_BYTECODE = 1;
const INET_DIAG_BC_D_COND = 8;
const ATTRIBUTE_BYTES = 4;
const INSTRUCTION_BYTES = 4;
const CONDITION_BYTES = 8;
const ANY_PORT = -1;
const IPPROTO = { tcp: 6, udp: 17 } as const;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
// The kernel fills pieces of up to 32 kB.
const READ_BYTES = 65_536;
const EINTR = 4;

const buffer = new Uint8Array(READ_BYTES);
const view = new DataView(buffer.buffer);

/**
 * Calls `take` for each socket with one object that is filled again and again; `take` returns false to end.
 * Needs no privilege; sees the network namespace of this process.
 * @throws SystemCallError when the kernel has no sock_diag for this protocol
 */
export function dumpSockets(query: DiagQuery, take: (socket: DiagSocket) => boolean): void {
  const c = socketCalls();
  const fd = c.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) throw lastError("socket", "NETLINK_SOCK_DIAG");
  try {
    // The kernel answers within the call; a second is for a kernel that does not.
    if (c.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, BigInt64Array.of(1n, 0n), 16) < 0)
      throw lastError("setsockopt", "SO_RCVTIMEO");
    const request = requestFor(query);
    if (c.send(fd, request, request.length, 0) < 0) throw lastError("send", "sock_diag");
    receive(c, fd, query.wide, take);
  } finally {
    c.close(fd);
  }
}

function requestFor({ protocol, wide, states, remote }: DiagQuery): Uint8Array {
  const fixedBytes = HEADER_BYTES + REQUEST_BYTES;
  const program = remote === undefined ? new Uint8Array(0) : programFor(remote);
  const request = new Uint8Array(fixedBytes + (program.length === 0 ? 0 : ATTRIBUTE_BYTES + program.length));
  if (program.length > 0) {
    const attribute = new DataView(request.buffer, fixedBytes);
    attribute.setUint16(0, ATTRIBUTE_BYTES + program.length, true);
    attribute.setUint16(2, INET_DIAG_REQ_BYTECODE, true);
    request.set(program, fixedBytes + ATTRIBUTE_BYTES);
  }
  const words = new DataView(request.buffer);
  words.setUint32(0, request.length, true);
  words.setUint16(4, SOCK_DIAG_BY_FAMILY, true);
  words.setUint16(6, NLM_F_REQUEST_DUMP, true);
  request[16] = wide ? AF_INET6 : AF_INET;
  request[17] = IPPROTO[protocol];
  words.setUint32(20, states, true);
  return request;
}

/** Matches when its end is reached exactly: "no" jumps beyond it (net/ipv4/inet_diag.c, inet_diag_bc_run). */
function programFor({ family, words, bits }: NonNullable<DiagQuery["remote"]>): Uint8Array {
  const addressBytes = family === 4 ? 4 : 16;
  const program = new Uint8Array(INSTRUCTION_BYTES + CONDITION_BYTES + addressBytes);
  const view = new DataView(program.buffer);
  program[0] = INET_DIAG_BC_D_COND;
  program[1] = program.length;
  view.setUint16(2, program.length + 4, true);
  program[4] = family === 4 ? AF_INET : AF_INET6;
  program[5] = bits;
  view.setInt32(8, ANY_PORT, true);
  for (let word = 0; word < addressBytes / 4; word++) view.setUint32(12 + word * 4, words[word]!, false);
  return program;
}

function receive(c: SocketCalls, fd: number, wide: boolean, take: (socket: DiagSocket) => boolean): void {
  const socket = emptySocket(wide);
  for (;;) {
    const size = Number(c.recv(fd, buffer, READ_BYTES, 0));
    if (size < 0) {
      if (koffi().errno() === EINTR) continue;
      throw lastError("recv", "sock_diag");
    }
    if (size === 0) return;
    for (let at = 0; at + HEADER_BYTES <= size; ) {
      const length = view.getUint32(at, true);
      const type = view.getUint16(at + 4, true);
      if (length < HEADER_BYTES || at + length > size) return;
      if (type === NLMSG_DONE) return;
      if (type === NLMSG_ERROR) {
        // The negated errno stands where errors of calls do, so that it becomes the same kind of error.
        koffi().errno(-view.getInt32(at + HEADER_BYTES, true));
        throw lastError("sock_diag");
      }
      if (length >= HEADER_BYTES + MESSAGE_BYTES) {
        fill(socket, at + HEADER_BYTES, wide);
        if (!take(socket)) return;
      }
      at += (length + 3) & ~3;
    }
  }
}

// struct inet_diag_msg: family, state, timer, retrans, then inet_diag_sockid (ports and addresses in network order).
function fill(socket: DiagSocket, at: number, wide: boolean): void {
  socket.state = buffer[at + 1]!;
  socket.localPort = view.getUint16(at + 4);
  socket.remotePort = view.getUint16(at + 6);
  socket.inode = view.getUint32(at + 68, true);
  const local = at + 8;
  const remote = at + 24;
  const isMapped = (base: number) =>
    view.getUint32(base) === 0 && view.getUint32(base + 4) === 0 && view.getUint32(base + 8) === 0xffff;
  const narrow = !wide || isMapped(local) || isMapped(remote);
  socket.family = narrow ? 4 : 6;
  const first = wide && narrow ? 12 : 0;
  socket.local0 = view.getUint32(local + first);
  socket.remote0 = view.getUint32(remote + first);
  socket.local1 = narrow ? 0 : view.getUint32(local + 4);
  socket.local2 = narrow ? 0 : view.getUint32(local + 8);
  socket.local3 = narrow ? 0 : view.getUint32(local + 12);
  socket.remote1 = narrow ? 0 : view.getUint32(remote + 4);
  socket.remote2 = narrow ? 0 : view.getUint32(remote + 8);
  socket.remote3 = narrow ? 0 : view.getUint32(remote + 12);
}

function emptySocket(wide: boolean): DiagSocket {
  return {
    family: wide ? 6 : 4,
    local0: 0,
    local1: 0,
    local2: 0,
    local3: 0,
    localPort: 0,
    remote0: 0,
    remote1: 0,
    remote2: 0,
    remote3: 0,
    remotePort: 0,
    state: 0,
    inode: 0,
    wide,
  };
}
