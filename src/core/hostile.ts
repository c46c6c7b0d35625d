// Log text, names from DNS and file names are written by strangers. This is the one place that makes
// them fit to be shown on a terminal, in plain text mail or in one line of a log.

// C0, DEL, C1, bidi controls, line and paragraph separators, zero-width and tag characters: everything that moves a
// cursor, hides text or reverses it. And lone surrogates, which no encoding has a place for.
const UNSAFE =
  /[\ud800-\udfff\u0000-\u0008\u000a-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

/**
 * The text with every unsafe character written out as `\xNN` or `\u{N}`; a tab stays. Bytes of a file name that are not
 * UTF-8 travel as U+DC80 to U+DCFF (PEP 383), and are shown as the bytes that they are.
 */
export function showable(text: string): string {
  return text.replace(UNSAFE, (char) => {
    const point = char.codePointAt(0)!;
    const code = point >= 0xdc80 && point <= 0xdcff ? point - 0xdc00 : point;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
  });
}

/** Bytes of a log line as showable text; bytes that are not UTF-8 become `\xNN`, none is lost. */
export function showableBytes(bytes: Uint8Array): string {
  const text = decoder.decode(bytes);
  if (!text.includes("\ufffd")) return showable(text);
  let out = "";
  for (let at = 0; at < bytes.length; ) {
    const size = utf8LengthAt(bytes, at);
    if (size === 0) out += `\\x${bytes[at++]!.toString(16).padStart(2, "0")}`;
    else {
      out += showable(decoder.decode(bytes.subarray(at, at + size)));
      at += size;
    }
  }
  return out;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

// Length in bytes of the valid UTF-8 character at `at`, or 0 (RFC 3629).
function utf8LengthAt(bytes: Uint8Array, at: number): number {
  const lead = bytes[at]!;
  const size = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (size === 0 || at + size > bytes.length) return 0;
  try {
    strict.decode(bytes.subarray(at, at + size));
    return size;
  } catch {
    return 0; // TextDecoder throws for exactly the sequences that RFC 3629 forbids: they are shown byte by byte.
  }
}
