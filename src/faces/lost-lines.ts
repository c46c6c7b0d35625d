// Lines that logtail2's bookkeeping loses: what was written to a log after it was read and before it was compressed, or
// copied and truncated. An offset file knows no content, so the place is found by times and lengths.
import type { LostLines } from "../check/collect.ts";
import { decompressed } from "../sources/tail/decompress.ts";
import { byAge, type Generation } from "../sources/tail/generations.ts";
import { listGenerations } from "../sources/tail/listing.ts";
import { isOpen, openLog } from "../sources/tail/open-log.ts";

/**
 * Gives `take` the unseen bytes of the generations of a log that were written after the mark was, oldest first.
 *
 * Whatever was written since then holds unseen bytes. The oldest such generation is the one that was being read, unless
 * the one before it ends exactly at the mark: then that one was, and was read to its end.
 */
export const readLostLines: LostLines = async ({ log, offsetBytes, markedAtMs, known }, take) => {
  const generations = (await listGenerations(new Set([log]), () => false))
    .filter(({ path }) => !known.has(path))
    .sort(byAge);
  const since = generations.findIndex(({ mtimeMs }) => mtimeMs > markedAtMs - CLOCK_MARGIN_MS);
  if (since < 0) return;
  const before = since > 0 ? generations[since - 1]! : null;
  const readWhole = before !== null && (await lengthOf(before)) === offsetBytes;
  let skip = readWhole || (await lengthOf(generations[since]!)) < offsetBytes ? 0 : offsetBytes;
  for (const generation of generations.slice(since)) {
    for await (const piece of contentOf(generation)) {
      const skipped = Math.min(skip, piece.length);
      skip -= skipped;
      if (skipped < piece.length) take(piece.subarray(skipped));
    }
    skip = 0;
  }
};

// The kernel stamps files by a clock that ticks every few milliseconds: a line that was written just after the look
// may seem to be older than it.
const CLOCK_MARGIN_MS = 50;

async function lengthOf(generation: Generation): Promise<number> {
  if (generation.compression === null) return generation.sizeBytes;
  let length = 0;
  for await (const piece of contentOf(generation)) length += piece.length;
  return length;
}

async function* contentOf(generation: Generation): AsyncGenerator<Buffer, void, undefined> {
  const opened = await openLog(generation.path);
  if (!isOpen(opened)) return; // removed by a rotation meanwhile: its lines are in no file any more
  try {
    if (generation.compression !== null) yield* decompressed(opened.handle, generation.compression);
    else yield* opened.handle.createReadStream({ start: 0, autoClose: false }) as AsyncIterable<Buffer>;
  } finally {
    await opened.handle.close();
  }
}
