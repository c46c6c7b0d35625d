// Which of the two locales a command runs in, from the environment that grep, sort and sed would obey.
import type { Locale } from "./types.ts";

/**
 * `C.UTF-8` when the environment names any UTF-8 locale for characters, else `C` (setlocale(3): LC_ALL before LC_CTYPE
 * before LANG). The order of lines is by bytes in both; a language's own collation is not imitated.
 */
export function localeOf(env: Readonly<Record<string, string | undefined>>): Locale {
  const name = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "C";
  return /utf-?8/i.test(name) ? "C.UTF-8" : "C";
}
