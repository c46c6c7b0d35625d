// The file of hosts that were dealt with. 2.x keeps binary records, address family in two bytes of this machine's order
// and the raw address; 1.x a line of text for each, in a file per mode that is begun anew at every start. Whoever removes
// the file, or a line of it, wants that host dealt with again: it is looked at before each decision, as 1.x does.
import { type Stats, statSync } from "node:fs";
import {
  type Address,
  addressFromBytes,
  bytesOfAddress,
  familyOf,
  parseAddress,
} from "../../core/address.ts";
import { describeError } from "../../core/errors.ts";
import { appendTo, readPlain } from "./plain-file.ts";
import type { Wording } from "./types.ts";

const AF_INET = 2;
const AF_INET6 = 10;
// Hosts remembered; past that the oldest are dealt with again when they come back.
const MAX_HOSTS = 100_000;
// A file larger than this is not ours.
const MAX_FILE_BYTES = 32 << 20;

export class BlockedHosts {
  readonly #path: string;
  readonly #wording: Wording;
  #hosts = new Set<Address>();
  /** The file as it was when #hosts was what it says. */
  #seen = "";

  /**
   * @param path "" or /dev/null to keep nothing: every sighting is dealt with
   * @throws the system's error when the file is there and cannot be read
   */
  constructor(path: string, wording: Wording) {
    this.#path = path === "/dev/null" ? "" : path;
    this.#wording = wording;
    if (this.#path === "") return;
    if (wording === 1) {
      // What 1.x does: blocks did not survive a reboot, and the file must not say they did.
      this.#seen = stampOfStats(appendTo(path, new Uint8Array(0), { truncate: true }));
      return;
    }
    this.#read(stampOf(path));
  }

  has(host: Address): boolean {
    return this.#hosts.has(host);
  }

  /** Reads the file again if it has changed. Throws the system's error, once, when it cannot; then its last content counts. */
  refresh(): void {
    if (this.#path === "") return;
    const stamp = stampOf(this.#path);
    if (stamp === this.#seen) return;
    this.#seen = stamp;
    this.#read(stamp);
  }

  #read(stamp: string): void {
    const found = stamp === "" ? [] : (this.#wording === 1 ? readLines : readRecords)(this.#path);
    this.#hosts = new Set(found);
    this.#seen = stamp;
  }

  /** Notes a host. Throws the system's error when the file cannot be written; the host is remembered all the same. */
  add(host: Address, line: string): void {
    if (this.#path === "") return;
    if (this.#hosts.size >= MAX_HOSTS)
      for (const oldest of this.#hosts) {
        this.#hosts.delete(oldest);
        break;
      }
    this.#hosts.add(host);
    // The stamp of what was written to: the file may be gone, or be another, a moment later.
    this.#seen = stampOfStats(
      appendTo(this.#path, this.#wording === 1 ? Buffer.from(`${line}\n`) : recordOf(host)),
    );
  }
}

/** Tells one content of a file from another; "" when there is no file. */
function stampOf(path: string): string {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    return found === undefined ? "" : stampOfStats(found);
  } catch (error) {
    // What keeps it from being looked at keeps it from being read, and is told then.
    return describeError(error);
  }
}

function stampOfStats({ ino, size, mtimeMs }: Stats): string {
  return `${ino} ${size} ${mtimeMs}`;
}

/** The hosts in lines of 1.x: `… Host: NAME/ADDRESS Port: …`. */
function readLines(path: string): Address[] {
  const hosts = [
    ...readPlain(path, MAX_FILE_BYTES)
      .toString("latin1")
      .matchAll(/ Host: \S*\/(\S+) Port: /g),
  ];
  return hosts
    .map((hit) => parseAddress(hit[1]!))
    .filter((host) => host !== null)
    .slice(-MAX_HOSTS);
}

function recordOf(host: Address): Uint8Array {
  const bytes = bytesOfAddress(host);
  const record = new Uint8Array(2 + bytes.length);
  new DataView(record.buffer).setUint16(0, familyOf(host) === 4 ? AF_INET : AF_INET6, true);
  record.set(bytes, 2);
  return record;
}

function readRecords(path: string): Address[] {
  const out: Address[] = [];
  const bytes = readPlain(path, MAX_FILE_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + 6 <= bytes.length; ) {
    const family = view.getUint16(at, true);
    const length = family === AF_INET ? 4 : 16;
    // Whatever follows a record that is none cannot be told apart any more.
    if ((family !== AF_INET && family !== AF_INET6) || at + 2 + length > bytes.length) break;
    out.push(addressFromBytes(bytes, at + 2, family === AF_INET ? 4 : 6));
    at += 2 + length;
  }
  return out.slice(-MAX_HOSTS);
}
