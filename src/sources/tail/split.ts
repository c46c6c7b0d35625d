// Bytes of a log become lines, with every line bounded: whoever writes a log may write ten megabytes without a
// newline, and a writer without O_APPEND leaves a hole of NULs where a log was truncated under it.

const NEWLINE = 10;

export type SplitState = {
  /** Inside an over-long line whose beginning was handed out: skip to its newline. */
  readonly cut: boolean;
};

export type Split = {
  /** Views into the chunk, without their newlines. */
  readonly lines: Uint8Array[];
  /** Bytes of the chunk that need not be read again. */
  readonly consumed: number;
  readonly cut: boolean;
  /** Lines handed out that are not whole. */
  readonly cutLines: number;
  /** NUL bytes before lines, left out. */
  readonly nulBytes: number;
};

export type SplitOptions = {
  /** A line is handed out up to this length; must be smaller than a full chunk. */
  readonly maxLineBytes: number;
  readonly maxLines: number;
  /** Nothing more will come: a last line without newline is a line. */
  readonly final: boolean;
};

/** Cuts a chunk that begins at the start of a line (or, with `cut`, inside one) into lines. */
export function splitLines(chunk: Buffer, state: SplitState, options: SplitOptions): Split {
  const { maxLineBytes, maxLines, final } = options;
  const lines: Uint8Array[] = [];
  let at = 0;
  let cutLines = 0;
  let nulBytes = 0;

  if (state.cut) {
    const newline = chunk.indexOf(NEWLINE);
    if (newline < 0) return { lines, consumed: chunk.length, cut: true, cutLines, nulBytes };
    at = newline + 1;
  }
  while (at < chunk.length && lines.length < maxLines) {
    if (chunk[at] === 0) {
      const start = at;
      while (at < chunk.length && chunk[at] === 0) at++;
      nulBytes += at - start;
      continue;
    }
    const newline = chunk.indexOf(NEWLINE, at);
    const end = newline < 0 ? chunk.length : newline;
    if (end - at > maxLineBytes) {
      cutLines++;
      lines.push(view(chunk, at, at + maxLineBytes));
      if (newline < 0) return { lines, consumed: chunk.length, cut: true, cutLines, nulBytes };
    } else if (newline >= 0 || final) {
      lines.push(view(chunk, at, end));
    } else {
      break;
    }
    at = newline < 0 ? end : end + 1;
  }
  return { lines, consumed: at, cut: false, cutLines, nulBytes };
}

function view(chunk: Buffer, start: number, end: number): Uint8Array {
  return new Uint8Array(chunk.buffer, chunk.byteOffset + start, end - start);
}
