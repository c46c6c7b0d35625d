// Interface names and indexes from the kernel itself (if_nametoindex(3)): right in every network namespace, whatever
// is mounted on /sys.
import { koffi, libc } from "./libc.ts";

type Foreign = {
  toIndex(name: string): number;
  toName(index: number, name: Uint8Array): unknown;
};

let foreign: Foreign | undefined;

function calls(): Foreign {
  foreign ??= {
    toIndex: libc().func("unsigned int if_nametoindex(const char *name)"),
    toName: libc().func("void *if_indextoname(unsigned int index, void *name)"),
  };
  return foreign;
}

// IFNAMSIZ, the closing NUL included.
const NAME_BYTES = 16;

/** The interface's index, or 0 when there is none of that name now. */
export function interfaceIndexOf(name: string): number {
  if (name === "" || name.includes("\0") || Buffer.byteLength(name) >= NAME_BYTES) return 0;
  return calls().toIndex(name);
}

/** The interface's name, or null when it has gone. */
export function interfaceNameOf(index: number): string | null {
  const bytes = new Uint8Array(NAME_BYTES);
  const found = calls().toName(index, bytes);
  if (found === null || koffi().address(found) === 0n) return null;
  return Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString();
}
