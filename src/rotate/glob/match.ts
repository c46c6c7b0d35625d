// File name patterns as glob(7) and fnmatch(3) define them: `*`, `?`, `[set]`, `\` quoting and `{a,b}`. Matching takes time
// in the product of both lengths at worst, because names are chosen by whoever may write into a log directory.

/** Whether the pattern has anything in it that glob would expand. */
export function hasMagic(pattern: string): boolean {
  return /[*?[{\\]/.test(pattern);
}

/** The text as a pattern that matches only itself. */
export function escapePattern(text: string): string {
  return text.replace(/[*?[\]{}\\]/g, "\\$&");
}

/** The pattern without its quoting backslashes: the name it stands for when it has no magic. */
export function unescapePattern(pattern: string): string {
  return pattern.replace(/\\([\s\S])/g, "$1");
}

// What braces may grow to: more alternatives than any real configuration, far fewer than memory.
const MAX_ALTERNATIVES = 4096;

/** Expands `{a,b}` as csh does, in order; a brace that is never closed, and `{}`, stand for themselves. */
export function expandBraces(pattern: string): string[] {
  const done: string[] = [];
  const todo = [pattern];
  while (todo.length > 0 && done.length + todo.length <= MAX_ALTERNATIVES) {
    const next = todo.shift()!;
    const group = firstGroup(next);
    if (group === null) done.push(next);
    else todo.unshift(...group.parts.map((part) => next.slice(0, group.from) + part + next.slice(group.to)));
  }
  return done;
}

function firstGroup(pattern: string): { from: number; to: number; parts: string[] } | null {
  for (let from = 0; from < pattern.length; from++) {
    if (pattern[from] === "\\") from++;
    else if (pattern[from] === "{" && pattern[from + 1] !== "}") {
      const group = groupAt(pattern, from);
      if (group !== null) return group;
    }
  }
  return null;
}

function groupAt(pattern: string, from: number): { from: number; to: number; parts: string[] } | null {
  const parts: string[] = [];
  let depth = 0;
  let start = from + 1;
  for (let i = from; i < pattern.length; i++) {
    const char = pattern[i];
    if (char === "\\") i++;
    else if (char === "{") depth++;
    else if (char === "," && depth === 1) {
      parts.push(pattern.slice(start, i));
      start = i + 1;
    } else if (char === "}" && --depth === 0) {
      parts.push(pattern.slice(start, i));
      return { from, to: i + 1, parts };
    }
  }
  return null;
}

/**
 * Whether one path component matches one pattern component (no braces, no slash). A leading dot must be matched by a
 * dot, as FNM_PERIOD asks.
 */
export function matchName(pattern: string, name: string): boolean {
  if (name.startsWith(".") && !pattern.startsWith(".") && !pattern.startsWith("\\.")) return false;
  return matchText(pattern, name);
}

/** As `matchName`, without the rule about the leading dot. */
export function matchText(pattern: string, name: string): boolean {
  let p = 0;
  let n = 0;
  let starP = -1;
  let starN = 0;
  while (n < name.length) {
    const step = p < pattern.length && pattern[p] !== "*" ? matchOne(pattern, p, name[n]!) : 0;
    if (p < pattern.length && pattern[p] === "*") {
      starP = p++;
      starN = n;
    } else if (step > 0) {
      p += step;
      n++;
    } else if (starP >= 0) {
      p = starP + 1;
      n = ++starN;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

// How many characters of the pattern at `p` match this one character of the name; 0 when they do not.
function matchOne(pattern: string, p: number, char: string): number {
  const head = pattern[p]!;
  if (head === "?") return 1;
  if (head === "\\" && p + 1 < pattern.length) return pattern[p + 1] === char ? 2 : 0;
  if (head === "[") {
    const set = readSet(pattern, p);
    if (set !== null) return set.test(char) ? set.length : 0;
  }
  return head === char ? 1 : 0;
}

const CLASSES: Readonly<Record<string, RegExp>> = {
  alpha: /[A-Za-z]/,
  digit: /[0-9]/,
  alnum: /[A-Za-z0-9]/,
  upper: /[A-Z]/,
  lower: /[a-z]/,
  space: /[ \t\n\v\f\r]/,
  blank: /[ \t]/,
  punct: /[!-/:-@[-`{-~]/,
  xdigit: /[0-9A-Fa-f]/,
  print: /[ -~]/,
  graph: /[!-~]/,
  cntrl: /[\0-\x1f\x7f]/,
};

// A bracket expression; null when it is not closed, and then `[` is a plain character.
function readSet(pattern: string, from: number): { length: number; test: (char: string) => boolean } | null {
  let at = from + 1;
  const negated = pattern[at] === "!" || pattern[at] === "^";
  if (negated) at++;
  const tests: ((char: string) => boolean)[] = [];
  for (let first = true; at < pattern.length; first = false) {
    if (pattern[at] === "]" && !first) {
      return { length: at + 1 - from, test: (char) => tests.some((test) => test(char)) !== negated };
    }
    const named = /\[:([a-z]+):\]/y;
    named.lastIndex = at;
    const hit = named.exec(pattern);
    if (hit !== null) {
      const set = CLASSES[hit[1]!];
      tests.push((char) => set?.test(char) ?? false);
      at += hit[0].length;
      continue;
    }
    if (pattern[at] === "\\" && at + 1 < pattern.length) at++;
    const low = pattern[at]!;
    at++;
    if (pattern[at] === "-" && pattern[at + 1] !== undefined && pattern[at + 1] !== "]") {
      at++;
      if (pattern[at] === "\\" && at + 1 < pattern.length) at++;
      const high = pattern[at]!;
      at++;
      tests.push((char) => char >= low && char <= high);
    } else tests.push((char) => char === low);
  }
  return null;
}

/** Whether a whole path matches a whole pattern, component by component, braces included. */
export function matchPath(pattern: string, path: string): boolean {
  const parts = path.split("/").filter((part) => part !== "");
  return expandBraces(pattern).some((single) => {
    const wanted = single.split("/").filter((part) => part !== "");
    return wanted.length === parts.length && wanted.every((part, i) => matchName(part, parts[i]!));
  });
}
