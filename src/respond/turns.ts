// Long lists are worked off in turns of a few milliseconds: whoever waits for the event loop meanwhile gets his turn in between.

const PER_TURN = 200;

/** Works a long list off, some at a time. */
export async function inTurns<T>(all: readonly T[], work: (some: readonly T[]) => void): Promise<void> {
  for (let at = 0; at < all.length; at += PER_TURN) {
    if (at > 0) await nextTurn();
    work(all.slice(at, at + PER_TURN));
  }
}

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
