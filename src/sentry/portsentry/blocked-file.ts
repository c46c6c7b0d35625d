// The file of hosts that were dealt with. 2.x keeps binary records, address family in two bytes of this machine's order
// and the raw address; 1.x a line of text for each, in a file per mode that is begun anew at every start.
import { appendFileSync, closeSync, constants, fstatSync, openSync, readFileSync, writeSync } from "node:fs";
import { type Address, addressFromBytes, bytesOfAddress, familyOf } from "../../core/address.ts";
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
  readonly #hosts = new Set<Address>();

  /**
   * @param path "" to keep nothing: every sighting is dealt with
   * @throws the system's error when the file is there and cannot be read
   */
  constructor(path: string, wording: Wording) {
    this.#path = path;
    this.#wording = wording;
    if (path === "") return;
    if (wording === 1) {
      // What 1.x does: blocks did not survive a reboot, and the file must not say they did.
      append(path, new Uint8Array(0), constants.O_TRUNC);
      return;
    }
    for (const host of readRecords(path)) this.#hosts.add(host);
  }

  has(host: Address): boolean {
    return this.#path !== "" && this.#hosts.has(host);
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
    append(this.#path, this.#wording === 1 ? Buffer.from(`${line}\n`) : recordOf(host));
  }
}

function recordOf(host: Address): Uint8Array {
  const bytes = bytesOfAddress(host);
  const record = new Uint8Array(2 + bytes.length);
  new DataView(record.buffer).setUint16(0, familyOf(host) === 4 ? AF_INET : AF_INET6, true);
  record.set(bytes, 2);
  return record;
}

function readRecords(path: string): Address[] {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  const out: Address[] = [];
  if (bytes.length > MAX_FILE_BYTES) return out;
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

/** Appends to a regular file; the default path lies in /tmp, where somebody may have put a link or a pipe. */
function append(path: string, bytes: Uint8Array, also = 0): void {
  const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = openSync(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | also, 0o600);
  try {
    if (!fstatSync(file).isFile()) throw new Error(`${path} is no regular file`);
    writeSync(file, bytes);
  } finally {
    closeSync(file);
  }
}

/** Appends a line to the history file; "" keeps none. */
export function appendHistory(path: string, line: string): void {
  if (path !== "") appendFileSync(path, `${line}\n`, { mode: 0o600 });
}
