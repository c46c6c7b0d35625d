// An assembler for classic BPF (struct sock_filter, linux/filter.h; the machine of McCanne and Jacobson, 1993), so that
// filters are written with labels. Jumps go forward only, and a conditional one reaches 255 instructions: farther
// targets get an unconditional jump of their own.

const RETURN = 0x06;
const LOAD_WORD = 0x20;
const LOAD_HALF = 0x28;
const LOAD_BYTE = 0x30;
const LOAD_HALF_X = 0x48;
const LOAD_BYTE_X = 0x50;
const LOAD_X_HEADER_LENGTH = 0xb1;
const AND = 0x54;
const SUBTRACT_X = 0x1c;
const JUMP = 0x05;
const IF_EQUAL = 0x15;
const IF_GREATER = 0x25;
const IF_AT_LEAST = 0x35;
const IF_ANY_BIT = 0x45;

/** The kernel's limit (BPF_MAXINSNS). */
export const MAX_INSTRUCTIONS = 4_096;

/** Ancillary loads (linux/filter.h, SKF_AD_OFF plus the field). */
export const ANCILLARY = {
  protocol: 0xffff_f000,
  packetType: 0xffff_f004,
  interfaceIndex: 0xffff_f008,
  hardware: 0xffff_f01c,
  random: 0xffff_f038,
} as const;

type Line =
  | { at: "label"; name: string }
  | { at: "plain"; code: number; k: number }
  | { at: "jump"; to: string }
  | { at: "if"; code: number; k: number; then: string | null; otherwise: string | null };

/** A program under construction. `null` as a target means "go on below". */
export class BpfProgram {
  readonly #lines: Line[] = [];
  #labels = 0;

  /** A label name that is used nowhere else. */
  fresh(): string {
    return `.${this.#labels++}`;
  }

  label(name: string): void {
    this.#lines.push({ at: "label", name });
  }

  loadByte(offset: number): void {
    this.#plain(LOAD_BYTE, offset);
  }

  loadHalf(offset: number): void {
    this.#plain(LOAD_HALF, offset);
  }

  loadWord(offset: number): void {
    this.#plain(LOAD_WORD, offset);
  }

  /** The byte at X + `offset`. */
  loadByteX(offset: number): void {
    this.#plain(LOAD_BYTE_X, offset);
  }

  /** The half word at X + `offset`. */
  loadHalfX(offset: number): void {
    this.#plain(LOAD_HALF_X, offset);
  }

  /** X becomes four times the low half of the byte at `offset`: the length of an IPv4 header. */
  loadXHeaderLength(offset: number): void {
    this.#plain(LOAD_X_HEADER_LENGTH, offset);
  }

  and(mask: number): void {
    this.#plain(AND, mask);
  }

  subtractX(): void {
    this.#plain(SUBTRACT_X, 0);
  }

  /** Ends with the number of bytes to keep; 0 drops the packet. */
  accept(keepBytes: number): void {
    this.#plain(RETURN, keepBytes);
  }

  jump(to: string): void {
    this.#lines.push({ at: "jump", to });
  }

  ifEqual(value: number, then: string | null, otherwise: string | null): void {
    this.#if(IF_EQUAL, value, then, otherwise);
  }

  ifGreater(value: number, then: string | null, otherwise: string | null): void {
    this.#if(IF_GREATER, value, then, otherwise);
  }

  ifAtLeast(value: number, then: string | null, otherwise: string | null): void {
    this.#if(IF_AT_LEAST, value, then, otherwise);
  }

  ifAnyBit(mask: number, then: string | null, otherwise: string | null): void {
    this.#if(IF_ANY_BIT, mask, then, otherwise);
  }

  /** The instructions, 8 bytes each, in this machine's byte order (little-endian on every supported one). */
  assemble(): Uint8Array {
    const far = new Set<string>();
    for (;;) {
      const { places, starts, length } = this.#layOut(far);
      if (length > MAX_INSTRUCTIONS) {
        throw new RangeError(`BPF program of ${length} instructions; the kernel takes ${MAX_INSTRUCTIONS}`);
      }
      if (!this.#markFar(places, starts, far)) return this.#write(places, starts, length, far);
    }
  }

  #plain(code: number, k: number): void {
    this.#lines.push({ at: "plain", code, k });
  }

  #if(code: number, k: number, then: string | null, otherwise: string | null): void {
    this.#lines.push({ at: "if", code, k, then, otherwise });
  }

  /** Where each line and label stands, given which branches take an island. */
  #layOut(far: ReadonlySet<string>): { places: Map<string, number>; starts: number[]; length: number } {
    const places = new Map<string, number>();
    const starts: number[] = [];
    let at = 0;
    for (const [index, line] of this.#lines.entries()) {
      starts.push(at);
      if (line.at === "label") places.set(line.name, at);
      else if (line.at === "if") {
        at += 1 + (far.has(`${index}t`) ? 1 : 0) + (far.has(`${index}f`) ? 1 : 0);
      } else at += 1;
    }
    return { places, starts, length: at };
  }

  /** Adds the branches that reach too far; true when there were any. */
  #markFar(places: ReadonlyMap<string, number>, starts: readonly number[], far: Set<string>): boolean {
    const before = far.size;
    for (const [index, line] of this.#lines.entries()) {
      if (line.at !== "if") continue;
      // Two more for islands that this very step may add.
      const reach = starts[index]! + 1 + 255 - 2;
      if (line.then !== null && placeOf(places, line.then) > reach) far.add(`${index}t`);
      if (line.otherwise !== null && placeOf(places, line.otherwise) > reach) far.add(`${index}f`);
    }
    return far.size > before;
  }

  #write(
    places: ReadonlyMap<string, number>,
    starts: readonly number[],
    length: number,
    far: ReadonlySet<string>,
  ): Uint8Array {
    const out = new Uint8Array(length * 8);
    const view = new DataView(out.buffer);
    const put = (at: number, code: number, jt: number, jf: number, k: number): void => {
      if (jt < 0 || jf < 0 || k < 0) throw new RangeError("BPF jumps go forward only");
      view.setUint16(at * 8, code, true);
      view.setUint8(at * 8 + 2, jt);
      view.setUint8(at * 8 + 3, jf);
      view.setUint32(at * 8 + 4, k, true);
    };
    for (const [index, line] of this.#lines.entries()) {
      const at = starts[index]!;
      if (line.at === "plain") put(at, line.code, 0, 0, line.k);
      else if (line.at === "jump") put(at, JUMP, 0, 0, placeOf(places, line.to) - at - 1);
      else if (line.at === "if") {
        let islands = 0;
        const branch = (target: string | null, key: string): number => {
          if (target === null) return -1;
          if (!far.has(key)) return placeOf(places, target) - at - 1;
          const island = at + 1 + islands;
          put(island, JUMP, 0, 0, placeOf(places, target) - island - 1);
          return islands++;
        };
        const then = branch(line.then, `${index}t`);
        const otherwise = branch(line.otherwise, `${index}f`);
        put(at, line.code, then < 0 ? islands : then, otherwise < 0 ? islands : otherwise, line.k);
      }
    }
    return out;
  }
}

function placeOf(places: ReadonlyMap<string, number>, label: string): number {
  const place = places.get(label);
  if (place === undefined) throw new RangeError(`BPF label ${label} is never placed`);
  return place;
}
