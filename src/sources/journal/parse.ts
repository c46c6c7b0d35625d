// Entries out of the journal's export format (https://systemd.io/JOURNAL_EXPORT_FORMATS), piece by piece as they
// arrive. A field may claim any length: only the beginning of the few fields we read is ever kept.

/** The fields of one entry that make its syslog line, as bytes; all optional, whoever logs chooses what to send. */
export type JournalEntry = {
  readonly cursor: string;
  readonly fields: ReadonlyMap<FieldName, JournalField>;
};

export type JournalField = {
  /** The beginning of the value. */
  readonly bytes: Uint8Array;
  /** Of the whole value. */
  readonly length: number;
};

/** What to ask journalctl for; `__CURSOR` and `__REALTIME_TIMESTAMP` come unasked. */
export const FIELDS = [
  "MESSAGE",
  "_HOSTNAME",
  "SYSLOG_IDENTIFIER",
  "_COMM",
  "_PID",
  "SYSLOG_PID",
  "_SOURCE_REALTIME_TIMESTAMP",
] as const;

export type FieldName = (typeof FIELDS)[number] | "__REALTIME_TIMESTAMP";

const KEPT = new Set<string>([...FIELDS, "__REALTIME_TIMESTAMP"]);
const CURSOR = "__CURSOR";
const NEWLINE = 10;
const EQUALS = 61;

// Names of fields have at most 64 characters; a cursor is about 130.
const NAME_ROOM = 256;

type Phase = "line" | "size" | "data" | "after data";

/** One stream of entries. Feed it pieces in order. */
export class ExportParser {
  readonly #maxFieldBytes: number;
  #phase: Phase = "line";
  /** The beginning of the line, size or value in hand, and how long it is so far. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #seenBytes = 0;
  #name = "";
  #wantedBytes = 0;
  #cursor = "";
  #fields = new Map<FieldName, JournalField>();

  /** @param maxFieldBytes how much of a value is kept */
  constructor(maxFieldBytes: number) {
    this.#maxFieldBytes = maxFieldBytes;
  }

  /** The entries that end in this piece. */
  push(piece: Uint8Array): JournalEntry[] {
    const entries: JournalEntry[] = [];
    for (let at = 0; at < piece.length; ) {
      if (this.#phase === "line") {
        const newline = piece.indexOf(NEWLINE, at);
        const end = newline < 0 ? piece.length : newline;
        if (newline < 0 || this.#seenBytes > 0) {
          this.#hold(piece.subarray(at, end), this.#maxFieldBytes + NAME_ROOM);
          if (newline >= 0) {
            const length = this.#seenBytes;
            this.#lineEnds(this.#release(), length, entries);
          }
        } else {
          // Nearly always the whole line is here: no need to gather it.
          this.#lineEnds(piece.subarray(at, end), end - at, entries);
        }
        at = end + 1;
      } else if (this.#phase === "after data") {
        at++;
        this.#phase = "line";
      } else {
        const end = Math.min(piece.length, at + this.#wantedBytes - this.#seenBytes);
        this.#hold(piece.subarray(at, end), this.#phase === "size" ? 8 : this.#maxFieldBytes);
        at = end;
        if (this.#seenBytes === this.#wantedBytes) this.#countedEnds();
      }
    }
    return entries;
  }

  /** @param length of the whole line, of which `line` may be the beginning */
  #lineEnds(line: Uint8Array, length: number, entries: JournalEntry[]): void {
    if (length === 0) {
      if (this.#cursor !== "") entries.push({ cursor: this.#cursor, fields: this.#fields });
      this.#cursor = "";
      this.#fields = new Map();
      return;
    }
    const equals = line.indexOf(EQUALS);
    if (equals >= 0) {
      const name = text(line.subarray(0, equals));
      this.#keep(name, line.subarray(equals + 1), length - equals - 1);
      return;
    }
    // A name alone: the value follows, counted, because it holds bytes that a line cannot.
    this.#name = text(line.subarray(0, NAME_ROOM));
    this.#phase = "size";
    this.#wantedBytes = 8;
  }

  #countedEnds(): void {
    const length = this.#seenBytes;
    const bytes = this.#release();
    if (this.#phase === "data") {
      this.#keep(this.#name, bytes, length);
      this.#phase = "after data";
      return;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
    this.#wantedBytes = Number(view.getBigUint64(0, true));
    this.#phase = "data";
    if (this.#wantedBytes === 0) this.#countedEnds();
  }

  #keep(name: string, bytes: Uint8Array, length: number): void {
    if (name === CURSOR) this.#cursor = text(bytes.subarray(0, NAME_ROOM));
    if (!KEPT.has(name)) return;
    this.#fields.set(name as FieldName, { bytes: bytes.slice(0, this.#maxFieldBytes), length });
  }

  #hold(bytes: Uint8Array, room: number): void {
    this.#seenBytes += bytes.length;
    const kept = bytes.subarray(0, Math.max(0, room - this.#heldBytes));
    if (kept.length === 0) return;
    // A copy: the piece belongs to the stream it came from.
    this.#held.push(kept.slice());
    this.#heldBytes += kept.length;
  }

  #release(): Uint8Array {
    const whole = new Uint8Array(this.#heldBytes);
    let at = 0;
    for (const part of this.#held) {
      whole.set(part, at);
      at += part.length;
    }
    this.#held = [];
    this.#heldBytes = 0;
    this.#seenBytes = 0;
    return whole;
  }
}

const latin1 = new TextDecoder("latin1");

function text(bytes: Uint8Array): string {
  return latin1.decode(bytes);
}
