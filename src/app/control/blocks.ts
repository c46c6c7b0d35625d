// Who is locked out, as the guard tells it: whoever asks for a few need not open the history, nor the firewall, which takes longer than
// the answer.
import type { Clock } from "../../core/clock.ts";
import type { Guard } from "../lifecycle.ts";
import { type ShownBlock, shownBlocks } from "../shown-blocks.ts";

// Read in one turn, some milliseconds: a scan must not wait behind a question.
const AT_MOST = 500;

/** The blocks in force, oldest first; null where whoever asks has to look: they are too many, or the guard does not block. */
export async function blocksOf(guard: Guard, clock: Clock): Promise<readonly ShownBlock[] | null> {
  const { packetsOf, store } = guard;
  const believed = guard.outlooks().find(({ blocksInForce }) => blocksInForce !== undefined)?.blocksInForce;
  if (packetsOf === null || believed === undefined || believed > AT_MOST) return null;
  try {
    const now = clock.now();
    const { numbers } = store.blocks.listing(now);
    return numbers.length > AT_MOST ? null : await shownBlocks(store, numbers, now, packetsOf);
  } catch {
    return null; // Whoever looks for himself is told what is wrong with the history, and does without the firewall.
  }
}
