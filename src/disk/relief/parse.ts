// Reads what `disk.min_free` says. Pure.

/** `10%` of a file system of this size, or a size (powers of 1024), in bytes; 0 for what is neither. */
export function parseRoom(text: string, sizeBytes: number): number {
  const share = /^(\d{1,2}(?:\.\d+)?)\s*%$/.exec(text.trim());
  if (share !== null) return (Number(share[1]) / 100) * sizeBytes;
  const size = /^(\d{1,12})\s*([kMGT]?)$/.exec(text.trim());
  return size === null ? 0 : Number(size[1]) * 1024 ** " kMGT".indexOf(size[2] || " ");
}
