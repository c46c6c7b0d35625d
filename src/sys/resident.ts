// A program that has started needs little of the code that started it. The runtime's file stays mapped in whole, though, and
// counts against this process page by page; giving the pages back halves what a guard that waits occupies.
import { readFileSync, realpathSync } from "node:fs";
import { libc } from "./libc.ts";

// madvise(2): the pages of a private file mapping that were never written to are read again from the page cache when
// they are touched, at the price of a minor fault.
const MADV_DONTNEED = 4;

// One mapping of proc_pid_smaps(5): addresses, rights, offset, device, inode, path; then a line a figure.
const MAPPING =
  /^([0-9a-f]+)-([0-9a-f]+) r-[x-]p [0-9a-f]+ \S+ [1-9]\d* +(.+)\n(?:[A-Z]\w*: .*\n)*?Private_Dirty: +(\d+) kB$/gm;

/**
 * Gives the unwritten pages of the runtime's own file back to the page cache. Mappings that hold a changed page (relocated
 * constants) are left alone: their changes would be lost.
 * @returns how many bytes of mappings were let go; 0 where the kernel does not show them
 */
export function releaseRuntimePages(): number {
  let smaps: string;
  try {
    smaps = readFileSync("/proc/self/smaps", "latin1");
  } catch {
    return 0; // A kernel without it: nothing is known to be unwritten.
  }
  const runtime = realpathSync(process.execPath);
  const madvise = libc().func("int madvise(uintptr_t address, size_t length, int advice)");
  let released = 0;
  for (const [, from, to, path, dirtyKb] of smaps.matchAll(MAPPING)) {
    if (path !== runtime || dirtyKb !== "0") continue;
    const address = BigInt(`0x${from}`);
    const length = Number(BigInt(`0x${to}`) - address);
    if (madvise(address, length, MADV_DONTNEED) === 0) released += length;
  }
  return released;
}
