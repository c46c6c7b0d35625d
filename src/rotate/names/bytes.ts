// A file's name is bytes (path_resolution(7)), and a log may be called anything. Names travel as text that keeps every byte: what
// is UTF-8 is that text, and each other byte stands as the lone surrogate U+DC00 + byte, which no UTF-8 holds (PEP 383).
import { isUtf8 } from "node:buffer";

const ESCAPE = 0xdc00;

/** Bytes as text that `bytesOf` turns back into them. */
export function textOf(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString("utf8");
  let out = "";
  for (let at = 0; at < bytes.length; ) {
    const size = [1, 2, 3, 4].find((count) => isUtf8(bytes.subarray(at, at + count)));
    if (size === undefined || at + size > bytes.length) out += String.fromCharCode(ESCAPE + bytes[at++]!);
    else {
      out += bytes.toString("utf8", at, at + size);
      at += size;
    }
  }
  return out;
}

/** The bytes of a text from `textOf`; the text itself where it is plain UTF-8, since Node takes that faster. */
export function bytesOf(text: string): string | Buffer {
  if (text.isWellFormed()) return text;
  const parts: Buffer[] = [];
  for (const char of text) {
    const code = char.codePointAt(0)!;
    const escaped = code >= ESCAPE + 0x80 && code <= ESCAPE + 0xff;
    parts.push(escaped ? Buffer.from([code - ESCAPE]) : Buffer.from(char));
  }
  return Buffer.concat(parts);
}
