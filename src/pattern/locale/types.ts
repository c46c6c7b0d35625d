// The two locales this room knows, and the names POSIX gives to classes of characters (XBD 7.3.1).

/** `C`: every byte is a character. `C.UTF-8`: characters are UTF-8 sequences, classes are those of glibc's C.UTF-8. */
export type Locale = "C" | "C.UTF-8";

export const CLASS_NAMES = [
  "alpha",
  "digit",
  "alnum",
  "upper",
  "lower",
  "punct",
  "print",
  "graph",
  "space",
  "cntrl",
  "xdigit",
  "blank",
] as const;

export type ClassName = (typeof CLASS_NAMES)[number];

export function isClassName(name: string): name is ClassName {
  return (CLASS_NAMES as readonly string[]).includes(name);
}
