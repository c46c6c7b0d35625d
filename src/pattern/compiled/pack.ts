// Named arrays in one block of bytes, laid out so that they can be used where they lie: what was compiled once is read
// back without being taken apart.

// Read as a number in the machine's own byte order: a block from a machine of the other order is none.
const MAGIC = 0x54_54_50_31;
const HEAD_BYTES = 8;
// Every array begins at a multiple of this, so that any element type fits.
const ALIGN = 8;

const TYPES = { Uint8Array, Int32Array } as const;
type TypeName = keyof typeof TYPES;

/** Arrays by name. */
export type Arrays = Readonly<Record<string, Uint8Array | Int32Array>>;

type Header = {
  readonly facts: unknown;
  readonly arrays: readonly {
    readonly name: string;
    readonly type: TypeName;
    readonly at: number;
    readonly length: number;
  }[];
};

/** One block of the arrays and of `facts`, which JSON must be able to hold. */
export function pack(facts: unknown, arrays: Arrays): Uint8Array {
  let at = 0;
  const entries = Object.entries(arrays).map(([name, array]) => {
    const entry = { name, type: typeOf(array), at, length: array.length };
    at = aligned(at + array.byteLength);
    return entry;
  });
  const header = new TextEncoder().encode(JSON.stringify({ facts, arrays: entries } satisfies Header));
  const base = aligned(HEAD_BYTES + header.length);
  const block = new Uint8Array(base + at);
  new Uint32Array(block.buffer, 0, 2).set([MAGIC, header.length]);
  block.set(header, HEAD_BYTES);
  Object.values(arrays).forEach((array, index) => {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    block.set(bytes, base + entries[index]!.at);
  });
  return block;
}

/** What `pack` was given, or null for a block that is none. The arrays are views: they share the block's memory. */
export function unpack(block: Uint8Array): { facts: unknown; arrays: Arrays } | null {
  const whole = block.byteOffset % ALIGN === 0 ? block : block.slice();
  if (whole.length < HEAD_BYTES) return null;
  const [magic, headerLength] = new Uint32Array(whole.buffer, whole.byteOffset, 2);
  if (magic !== MAGIC || HEAD_BYTES + headerLength! > whole.length) return null;
  const header = readHeader(whole.subarray(HEAD_BYTES, HEAD_BYTES + headerLength!));
  if (header === null) return null;
  const base = whole.byteOffset + aligned(HEAD_BYTES + headerLength!);
  const end = whole.byteOffset + whole.length;
  const arrays: Record<string, Uint8Array | Int32Array> = {};
  for (const { name, type, at, length } of header.arrays) {
    const Type = TYPES[type];
    if (base + at + length * Type.BYTES_PER_ELEMENT > end) return null;
    arrays[name] = new Type(whole.buffer as ArrayBuffer, base + at, length);
  }
  return { facts: header.facts, arrays };
}

function readHeader(bytes: Uint8Array): Header | null {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Header;
  } catch {
    return null; // no JSON: not a block of ours
  }
}

function typeOf(array: Uint8Array | Int32Array): TypeName {
  return array instanceof Int32Array ? "Int32Array" : "Uint8Array";
}

function aligned(at: number): number {
  return Math.ceil(at / ALIGN) * ALIGN;
}
