// The calls that every socket of ours begins, talks and ends with (socket(2), setsockopt(2), bind(2), send(2), recv(2), close(2)): declared
// once, and only when somebody opens a socket.
import { libc } from "./libc.ts";

/** As in the C library: -1 and errno for failure; lengths in bytes. */
export type SocketCalls = {
  socket(domain: number, type: number, protocol: number): number;
  setsockopt(fd: number, level: number, name: number, value: ArrayBufferView, length: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  send(fd: number, bytes: Uint8Array, length: number, flags: number): number;
  recv(fd: number, bytes: Uint8Array, length: number, flags: number): number;
  close(fd: number): number;
};

let declared: SocketCalls | undefined;

/** Throws when koffi does not load here. */
export function socketCalls(): SocketCalls {
  if (declared !== undefined) return declared;
  const c = libc();
  declared = {
    socket: c.func("int socket(int domain, int type, int protocol)"),
    setsockopt: c.func("int setsockopt(int fd, int level, int name, const void *value, uint32_t length)"),
    bind: c.func("int bind(int fd, const void *address, uint32_t length)"),
    send: c.func("int64_t send(int fd, const void *bytes, size_t length, int flags)"),
    recv: c.func("int64_t recv(int fd, void *bytes, size_t length, int flags)"),
    close: c.func("int close(int fd)"),
  };
  return declared;
}
