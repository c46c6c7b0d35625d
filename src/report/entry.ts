// One thing that happened, as it stands in a digest. Here every stranger's text is made fit to be shown, so that no later step
// can forget it.
import { showable } from "../core/hostile.ts";
import { cut, syslogStamp } from "./figures/render.ts";
import type { Entry } from "./types.ts";

// One text of ours with a stranger's part in it: long enough for a path and an error, short enough for a screen.
const MAX_TEXT = 500;

/** An entry of one line with its time in front. */
export function oneEntry(at: string, text: string, notes: readonly string[]): Entry {
  return {
    lines: [`${syslogStamp(at)} ${shown(text)}`],
    notes: notes.filter((note) => note !== "").map(shown),
    count: 1,
    firstAt: at,
    lastAt: at,
  };
}

/** A note that says what to do; "" for nothing. */
export function mend(text: string): string {
  return text === "" ? "" : `mend: ${text}`;
}

/** A text without what a terminal or mail program would act upon, cut to a length. */
export function shown(text: string): string {
  return cut(showable(text.slice(0, MAX_TEXT * 4)), MAX_TEXT);
}
