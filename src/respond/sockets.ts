// Asks the kernel by netlink which connections there are, in the form that its tables as text would be read.
import { type Address, addressFromBytes } from "../core/address.ts";
import { dumpSockets } from "../sys/sock-diag.ts";
import type { SocketRow } from "./parse.ts";

export type KeepPorts = (localPort: number, remotePort: number) => boolean;

/**
 * Adds the sockets of one state that `keep` wants; false when the kernel has no sock_diag for this protocol.
 * @param state as in /proc/net/tcp: `01`
 * @param most no more than this many
 */
export function askKernel(
  protocol: "tcp" | "udp",
  wide: boolean,
  state: string,
  keep: KeepPorts,
  into: SocketRow[],
  most: number,
): boolean {
  const found: SocketRow[] = [];
  try {
    dumpSockets({ protocol, wide, states: 1 << Number.parseInt(state, 16) }, (socket) => {
      if (found.length >= most) return false;
      if (keep(socket.localPort, socket.remotePort)) {
        found.push({
          local: addressFromWords(socket.family, socket.local0, socket.local1, socket.local2, socket.local3),
          localPort: socket.localPort,
          remote: addressFromWords(
            socket.family,
            socket.remote0,
            socket.remote1,
            socket.remote2,
            socket.remote3,
          ),
          remotePort: socket.remotePort,
          state,
          inode: String(socket.inode),
        });
      }
      return true;
    });
  } catch {
    return false; // No sock_diag for this protocol: the tables as text tell the same.
  }
  into.push(...found);
  return true;
}

function addressFromWords(family: 4 | 6, ...words: readonly number[]): Address {
  const bytes = new DataView(new ArrayBuffer(16));
  for (const [index, word] of words.entries()) bytes.setUint32(4 * index, word);
  return addressFromBytes(new Uint8Array(bytes.buffer), 0, family);
}
