// Which logrotate judges the tests: Debian's, or a newer one built by hand. Since 3.22 a prerotate comes before anything is
// renumbered, ages are whole days, and patterns lose the blanks behind them; telltale does so too.
import { spawnSync } from "node:child_process";

/** The program, by name or path. */
export const LOGROTATE = process.env["TELLTALE_LOGROTATE"] ?? "logrotate";

/** Whether it is older than 3.22; null when there is none. */
export function judgeIsBefore322(): boolean | null {
  const { error, stdout, stderr } = spawnSync(LOGROTATE, ["--version"], { encoding: "utf8" });
  if (error !== undefined) return null;
  const [, major, minor] = /logrotate (\d+)\.(\d+)/.exec(stdout + stderr) ?? [];
  return Number(major) * 1000 + Number(minor) < 3022;
}
