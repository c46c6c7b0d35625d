// A small chart in a line of text: eight heights of a block.
const BARS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/** One block for a share from 0 to 1. */
export function bar(share: number): string {
  return BARS[Math.max(0, Math.min(BARS.length - 1, Math.floor(BARS.length * share)))]!;
}

/** A block for each value, from the least of them to the greatest. */
export function bars(values: readonly number[]): string {
  const least = Math.min(...values);
  const range = Math.max(...values) - least;
  return values.map((value) => bar(range === 0 ? 0 : (value - least) / range)).join("");
}

/** `███████░░░` for a share from 0 to 1, so many columns wide. */
export function gauge(share: number, columns: number): string {
  const full = Math.max(0, Math.min(columns, Math.round(share * columns)));
  return "█".repeat(full) + "░".repeat(columns - full);
}
