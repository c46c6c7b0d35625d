// The sockets of this host in one state, of both families: asked of the kernel by netlink; read from its tables as text where
// there is a root other than "/", or a kernel without sock_diag.
import { endianness } from "node:os";
import type { HostFiles, Unread } from "./host-files.ts";
import { parseSockets, type SocketRow } from "./parse.ts";
import { askKernel, type KeepPorts } from "./sockets.ts";

// More connections to the ports of SSH servers than this are cut: some milliseconds of reading.
const MOST = 4_096;

export class HostSockets {
  readonly #root: string;
  readonly #files: HostFiles;

  constructor(root: string, files: HostFiles) {
    this.#root = root;
    this.#files = files;
  }

  /** @param state as in /proc/net/tcp: `01` */
  list(protocol: "tcp" | "udp", state: string, keep: KeepPorts, unread: Unread[]): SocketRow[] {
    const rows: SocketRow[] = [];
    for (const wide of [false, true]) {
      if (this.#root === "/" && askKernel(protocol, wide, state, keep, rows, MOST)) continue;
      const path = `/proc/net/${protocol}${wide ? "6" : ""}`;
      const text = this.#files.read(path, protocol === "tcp" && !wide ? "must" : "may", unread);
      const wanted = (found: string, local: number, remote: number) => found === state && keep(local, remote);
      rows.push(...parseSockets(text, endianness() === "LE", wanted));
    }
    return rows;
  }
}
