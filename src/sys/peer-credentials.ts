// Who is on the other end of a Unix socket, as the kernel knows it: SO_PEERCRED of unix(7). A client cannot choose what
// is answered here.
import type { Socket } from "node:net";
import { MissingPartError } from "../core/errors.ts";
import { lastError, libc } from "./libc.ts";

export type Peer = { readonly pid: number; readonly uid: number; readonly gid: number };

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
// struct ucred: pid, uid, gid, 32 bits each.
const UCRED_BYTES = 12;

type GetSockOpt = (fd: number, level: number, name: number, value: Int32Array, length: Int32Array) => number;
let getsockopt: GetSockOpt | undefined;

/**
 * The process that called connect(2), as it was then.
 * @throws SystemCallError for what is no Unix socket, MissingPartError when Node hides the descriptor
 */
export function peerOf(socket: Socket): Peer {
  // Node keeps the descriptor in the stream's handle and gives no other way to it.
  const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd ?? -1;
  if (fd < 0)
    throw new MissingPartError("control", "the connection has no descriptor", "use Node 20 or newer");
  getsockopt ??= libc().func(
    "int getsockopt(int fd, int level, int name, _Out_ int32_t *value, _Inout_ int32_t *length)",
  );
  const value = new Int32Array(3);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, value, Int32Array.of(UCRED_BYTES)) !== 0) {
    throw lastError("getsockopt", "SO_PEERCRED");
  }
  return { pid: value[0]!, uid: value[1]! >>> 0, gid: value[2]! >>> 0 };
}
