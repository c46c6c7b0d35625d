// Reads and writes recorded packets: pcap in all its four dialects (the Internet draft draft-ietf-opsawg-pcap) and pcapng
// (draft-ietf-opsawg-pcapng). A file is read in chunks; no length in it is believed before it is compared with a bound.
import { closeSync, openSync, readSync, writeSync } from "node:fs";

/** One recorded packet. */
export type Recorded = {
  /** LINKTYPE_ number: 1 Ethernet, 101 raw IP, 113 and 276 Linux cooked. */
  readonly linkType: number;
  readonly atMs: number;
  readonly bytes: Uint8Array;
  /** Length on the wire; more than `bytes.length` when the recorder cut. */
  readonly wireLength: number;
  /** Index of the interface within the file, 0 for pcap. */
  readonly interfaceIndex: number;
};

/** A recording that cannot be read (any further); `offset` is where. */
export class RecordingError extends Error {
  readonly file: string;
  readonly offset: number;

  constructor(file: string, offset: number, message: string) {
    super(`${file}: at byte ${offset}: ${message}`);
    this.name = "RecordingError";
    this.file = file;
    this.offset = offset;
  }
}

const CHUNK_BYTES = 1 << 18;
// tcpdump's own limit; blocks of pcapng may carry options beside.
const MAX_PACKET_BYTES = 262_144;
const MAX_BLOCK_BYTES = 1 << 20;
const MAX_INTERFACES = 4_096;
// What a date of this runtime can hold (ECMA-262, Time Values).
const MAX_TIME_MS = 8.64e15;

/** Bytes of a file from a moving offset. */
class Reader {
  readonly path: string;
  readonly #fd: number;
  #chunk = new Uint8Array(CHUNK_BYTES + MAX_BLOCK_BYTES);
  #from = 0;
  #until = 0;
  offset = 0;

  constructor(path: string) {
    this.path = path;
    this.#fd = openSync(path, "r");
  }

  /** The next `count` bytes, valid until the next call; fewer at the end of the file. */
  peek(count: number): Uint8Array {
    while (this.#until - this.#from < count) {
      this.#chunk.copyWithin(0, this.#from, this.#until);
      this.#until -= this.#from;
      this.#from = 0;
      const got = readSync(this.#fd, this.#chunk, this.#until, CHUNK_BYTES, null);
      if (got === 0) break;
      this.#until += got;
    }
    return this.#chunk.subarray(this.#from, Math.min(this.#until, this.#from + count));
  }

  take(count: number): Uint8Array {
    const bytes = this.peek(count);
    if (bytes.length < count)
      throw new RecordingError(this.path, this.offset, "the recording ends within a packet");
    this.#from += count;
    this.offset += count;
    return bytes;
  }

  skip(count: number): void {
    for (let left = count; left > 0; left -= CHUNK_BYTES) this.take(Math.min(left, CHUNK_BYTES));
  }

  fail(message: string): never {
    throw new RecordingError(this.path, this.offset, message);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/**
 * The packets of a recording, in its order. Bytes are valid until the next packet.
 * @throws RecordingError for what is no recording, or no longer one; the system's error when the file does not open
 */
export function* readRecording(path: string): Generator<Recorded> {
  const reader = new Reader(path);
  try {
    const magic = reader.peek(4);
    if (magic.length === 0) reader.fail("wants a recording, found an empty file");
    if (magic.length < 4) reader.fail("wants pcap or pcapng, found a file too short to be one");
    const word = viewOf(magic).getUint32(0, true);
    if (word === 0x0a0d_0d0a) yield* readNg(reader);
    else yield* readClassic(reader, word);
  } finally {
    reader.close();
  }
}

function* readClassic(reader: Reader, magic: number): Generator<Recorded> {
  const dialect = new Map([
    [0xa1b2_c3d4, [true, 1e3]],
    [0xd4c3_b2a1, [false, 1e3]],
    [0xa1b2_3c4d, [true, 1e6]],
    [0x4d3c_b2a1, [false, 1e6]],
  ] as const).get(magic as 0xa1b2_c3d4);
  if (dialect === undefined) reader.fail("wants pcap or pcapng, found neither's first four bytes");
  const [little, perMs] = dialect!;
  const linkType = viewOf(reader.take(24)).getUint32(20, little) & 0xffff;
  while (reader.peek(16).length > 0) {
    const header = viewOf(reader.take(16));
    const seconds = header.getUint32(0, little);
    const fraction = header.getUint32(4, little);
    const kept = header.getUint32(8, little);
    const wireLength = header.getUint32(12, little);
    if (kept > MAX_PACKET_BYTES) reader.fail(`a packet of ${kept} bytes; the most is ${MAX_PACKET_BYTES}`);
    const atMs = seconds * 1_000 + fraction / perMs;
    yield { linkType, atMs, bytes: reader.take(kept), wireLength, interfaceIndex: 0 };
  }
}

type Interface = { linkType: number; ticksPerMs: number; offsetMs: number };

const SECTION = 0x0a0d_0d0a;
const INTERFACE = 1;
// What the enhanced block replaced: drops in two bytes beside a shorter interface number.
const OLD_PACKET = 2;
const SIMPLE_PACKET = 3;
const PACKET = 6;
const READ: readonly number[] = [SECTION, INTERFACE, OLD_PACKET, SIMPLE_PACKET, PACKET];

function* readNg(reader: Reader): Generator<Recorded> {
  let little = true;
  let interfaces: Interface[] = [];
  while (reader.peek(12).length > 0) {
    if (reader.peek(12).length < 12) reader.fail("the recording ends within a packet");
    if (viewOf(reader.peek(12)).getUint32(0, true) === SECTION) {
      little = isLittle(reader);
      interfaces = [];
    }
    const heading = viewOf(reader.peek(12));
    const type = heading.getUint32(0, little);
    const length = heading.getUint32(4, little);
    if (length < 12 || length % 4 !== 0) reader.fail(`a block of ${length} bytes`);
    if (length > MAX_BLOCK_BYTES) {
      if (READ.includes(type)) reader.fail(`a block of ${length} bytes; the most is ${MAX_BLOCK_BYTES}`);
      // Keys and names that belong to the packets may be long.
      reader.skip(length);
      continue;
    }
    const block = viewOf(reader.take(length));
    if (type === INTERFACE && length >= 20) {
      if (interfaces.length === MAX_INTERFACES) reader.fail(`more than ${MAX_INTERFACES} interfaces`);
      interfaces.push({ linkType: block.getUint16(8, little), ...timesOf(block, little) });
    } else if ((type === PACKET || type === OLD_PACKET) && length >= 32) {
      const index = type === PACKET ? block.getUint32(8, little) : block.getUint16(8, little);
      const { linkType, ticksPerMs, offsetMs } = interfaces[index] ?? reader.fail(`no interface ${index}`);
      const stamp = block.getUint32(12, little) * 2 ** 32 + block.getUint32(16, little);
      const atMs = offsetMs + stamp / ticksPerMs;
      if (Math.abs(atMs) > MAX_TIME_MS) reader.fail(`a time of ${atMs / 1e3} s since 1970`);
      const kept = block.getUint32(20, little);
      if (28 + kept + 4 > length) reader.fail(`a packet of ${kept} bytes in a block of ${length}`);
      const bytes = bytesOf(block, 28, kept);
      const wireLength = block.getUint32(24, little);
      yield { linkType, atMs, bytes, wireLength, interfaceIndex: index };
    } else if (type === SIMPLE_PACKET && length >= 16) {
      const { linkType } = interfaces[0] ?? reader.fail("no interface 0");
      const wireLength = block.getUint32(8, little);
      const bytes = bytesOf(block, 12, Math.min(wireLength, length - 16));
      // The simple block has no time of its own.
      yield { linkType, atMs: 0, bytes, wireLength, interfaceIndex: 0 };
    }
  }
}

/** The byte order of the section that begins here. */
function isLittle(reader: Reader): boolean {
  const mark = viewOf(reader.peek(12)).getUint32(8, true);
  if (mark !== 0x1a2b_3c4d && mark !== 0x4d3c_2b1a)
    reader.fail("a section without the mark of its byte order");
  return mark === 0x1a2b_3c4d;
}

/**
 * Options if_tsresol (9): a power of ten, or of two with the high bit; microseconds when it is missing. if_tsoffset (14):
 * whole seconds to be added.
 */
function timesOf(block: DataView, little: boolean): Pick<Interface, "ticksPerMs" | "offsetMs"> {
  let ticksPerMs = 1e3;
  let offsetMs = 0;
  for (let at = 16; at + 4 <= block.byteLength - 4; ) {
    const code = block.getUint16(at, little);
    const length = block.getUint16(at + 2, little);
    if (code === 0 || at + 4 + length > block.byteLength - 4) break;
    if (code === 9 && length === 1) {
      const value = block.getUint8(at + 4);
      ticksPerMs = (value & 0x80) === 0 ? 10 ** value / 1e3 : 2 ** (value & 0x7f) / 1e3;
    } else if (code === 14 && length === 8) offsetMs = Number(block.getBigInt64(at + 4, little)) * 1e3;
    at += 4 + ((length + 3) & ~3);
  }
  return { ticksPerMs, offsetMs };
}

/** Writes packets of one link type as pcap with nanoseconds. */
export class RecordingWriter {
  readonly #fd: number;

  /** Makes the file anew, readable by its owner only: packets are somebody's traffic. */
  constructor(path: string, linkType: number) {
    this.#fd = openSync(path, "w", 0o600);
    const header = new DataView(new ArrayBuffer(24));
    header.setUint32(0, 0xa1b2_3c4d, true);
    header.setUint16(4, 2, true);
    header.setUint16(6, 4, true);
    header.setUint32(16, MAX_PACKET_BYTES, true);
    header.setUint32(20, linkType, true);
    writeSync(this.#fd, header);
  }

  write(atMs: number, bytes: Uint8Array, wireLength: number): void {
    const record = new Uint8Array(16 + bytes.length);
    const header = viewOf(record);
    const seconds = Math.floor(atMs / 1_000);
    header.setUint32(0, seconds, true);
    header.setUint32(4, Math.round((atMs - seconds * 1_000) * 1e6) % 1e9, true);
    header.setUint32(8, bytes.length, true);
    header.setUint32(12, wireLength, true);
    record.set(bytes, 16);
    writeSync(this.#fd, record);
  }

  close(): void {
    closeSync(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function bytesOf(view: DataView, at: number, length: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, length);
}
