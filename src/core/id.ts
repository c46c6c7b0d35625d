// Time-ordered unique ids: UUID version 7, RFC 9562 section 5.7.
import { randomFillSync } from "node:crypto";

const ID_BYTES = 16;
// Asking for random bytes costs ten times as much as using them, and every event has an id: they are asked for in stock.
const stock = Buffer.allocUnsafeSlow(4_096);
let used = stock.length;

/** A new id for something that happened at `at`; ids of later milliseconds sort after earlier ones. */
export function newId(at: Date): string {
  if (used === stock.length) {
    randomFillSync(stock);
    used = 0;
  }
  const bytes = stock.subarray(used, (used += ID_BYTES));
  bytes.writeUIntBE(at.getTime(), 0, 6);
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  const hex = bytes.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
