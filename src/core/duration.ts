// Durations as people write them in configuration files and read them in reports.

const UNIT_MS: Record<string, number> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/**
 * Reads `90s`, `10m`, `1h30m`, `7d`, `1w`, or a bare number of seconds. Returns milliseconds, or null when
 * the text is no duration.
 */
export function parseDurationMs(text: string): number | null {
  const trimmed = text.trim();
  if (/^\d{1,12}$/.test(trimmed)) return Number(trimmed) * 1_000;
  if (!/^(\d{1,12}\s*(ms|s|m|h|d|w)\s*)+$/.test(trimmed)) return null;
  let totalMs = 0;
  for (const [, count, unit] of trimmed.matchAll(/(\d{1,12})\s*(ms|s|m|h|d|w)/g)) {
    totalMs += Number(count) * UNIT_MS[unit!]!;
  }
  return totalMs;
}

/** `850ms`, `42s`, `10m`, `1h 30m`, `2d 4h`: the two largest units that are not zero. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1_000) return `${Math.max(0, Math.round(durationMs))}ms`;
  let rest = Math.round(durationMs / 1_000) * 1_000;
  const parts: string[] = [];
  for (const unit of ["w", "d", "h", "m", "s"]) {
    const count = Math.floor(rest / UNIT_MS[unit]!);
    if (count > 0) parts.push(`${count}${unit}`);
    rest -= count * UNIT_MS[unit]!;
    if (parts.length === 2) break;
  }
  return parts.join(" ");
}
