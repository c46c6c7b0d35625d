// Reads the text of one rule file: which of its lines are rules. Pure, so that the property tests can hold it
// against the very grep command that logcheck uses.
import { showableBytes } from "../core/hostile.ts";
import { isBlank } from "./blanks/match.ts";
import type { Locale, Rule } from "./types.ts";

/**
 * The rules of a file: every line that is neither blank nor begins with `#`, unchanged (a blank at its end
 * belongs to the rule). What `grep -E --text -v '^[[:space:]]*$|^#'` keeps.
 * @param file the path as it should be named in reports
 */
export function parseRuleFile(text: Uint8Array, file: string, locale: Locale): Rule[] {
  const rules: Rule[] = [];
  let line = 0;
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf(0x0a, start);
    const end = newline < 0 ? text.length : newline;
    line++;
    if (text[start] !== 0x23 && !isBlank(text, start, end, locale)) {
      const bytes = text.slice(start, end);
      // Most rules are never shown: their text is made when somebody asks for it.
      rules.push({
        place: {
          file,
          line,
          get text() {
            return showableBytes(bytes);
          },
        },
        bytes,
      });
    }
    start = end + 1;
  }
  return rules;
}
