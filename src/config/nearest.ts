// Finds the word somebody probably meant.

/** The candidate with the smallest edit distance (Levenshtein 1966) to `word`. */
export function nearest(word: string, candidates: readonly string[]): string {
  let best = candidates[0] ?? "";
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const distance = editDistance(word.slice(0, 64), candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** The candidate that `word` is a slip or the beginning of; null when none is near enough to ask "did you mean". */
export function meant(word: string, candidates: readonly string[]): string | null {
  if (word.length < 2) return null;
  const begun = candidates.filter((candidate) => candidate.startsWith(word));
  const near = nearest(word, begun.length > 0 ? begun : candidates);
  return begun.length > 0 || editDistance(word.slice(0, 64), near) <= Math.max(1, Math.floor(word.length / 3))
    ? near
    : null;
}

/** The nearest ones, best first: those that hold the word before those that are merely spelled like it. */
export function nearestFew(word: string, candidates: readonly string[], most: number): string[] {
  const near = candidates.map((candidate) => {
    const distance = editDistance(word.slice(0, 64), candidate);
    const holds = word !== "" && candidate.includes(word);
    return { candidate, holds, distance: holds ? candidate.length - word.length : distance };
  });
  const held = near.filter(({ holds }) => holds);
  const best = Math.min(...near.map(({ distance }) => distance));
  // A word that nothing holds has its own kind of neighbours: those that are equally near.
  return (held.length > 0 ? held : near.filter(({ distance }) => distance === best))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, most)
    .map(({ candidate }) => candidate);
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
