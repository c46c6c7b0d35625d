// Whether a TCP connection can have come about since somebody last asked. The kernel counts each one it opens or accepts, of
// IPv4 and IPv6 together, for each network namespace (RFC 4022: ActiveOpens, PassiveOpens); reading the two numbers takes
// 0.02 ms, while listing the connections walks a table that is sized by the host's memory.
import { closeSync, openSync, readSync } from "node:fs";

// The protocols before TCP take some 900 bytes.
const READ_BYTES = 8_192;
// Each protocol has a line of names and a line of values; of these the fifth and sixth (net/ipv4/proc.c).
const TCP_LINE = /^Tcp: -?\d+ -?\d+ -?\d+ -?\d+ (\d+) (\d+) /m;

/** The counters of this process's network namespace. */
export class TcpCounters {
  readonly #path: string;
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES);

  /** @param path `/proc/net/snmp`, wherever /proc is */
  constructor(path = "/proc/net/snmp") {
    this.#path = path;
  }

  /** What was opened and accepted so far, as a text to compare with an earlier one; null where the kernel does not tell. */
  made(): string | null {
    let fd: number | null = null;
    try {
      fd = openSync(this.#path, "r");
      const size = readSync(fd, this.#buffer, 0, READ_BYTES, 0);
      const [, active, passive] = TCP_LINE.exec(this.#buffer.toString("latin1", 0, size)) ?? [];
      return active === undefined ? null : `${active} ${passive}`;
    } catch {
      return null; // No /proc, or one that hides this file: whoever asks has to look for themselves.
    } finally {
      if (fd !== null) closeSync(fd);
    }
  }
}
