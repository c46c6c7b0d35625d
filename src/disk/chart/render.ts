// Small charts for a terminal: how full a file system is, and how that went. Pure.
const BARS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/** `███████░░░` for a share from 0 to 1, so many columns wide. */
export function gauge(share: number, columns: number): string {
  const full = Math.max(0, Math.min(columns, Math.round(share * columns)));
  return "█".repeat(full) + "░".repeat(columns - full);
}

/** A block of eight heights for each value, from the least of them to the greatest. */
export function trend(values: readonly number[]): string {
  const least = Math.min(...values);
  const range = Math.max(...values) - least;
  return values
    .map((value) => BARS[range === 0 ? 0 : Math.min(7, Math.floor((8 * (value - least)) / range))])
    .join("");
}
