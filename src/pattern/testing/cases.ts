// What every engine of this room must answer. grep answers the same: engines.test.ts asks it too.
import type { Locale } from "../locale/types.ts";

export type Case = {
  readonly pattern: string;
  readonly matches: readonly (string | readonly number[])[];
  readonly differs: readonly (string | readonly number[])[];
  /** Both when left out. */
  readonly locale?: Locale;
};

export const CASES: readonly Case[] = [
  // Plain text and sets.
  { pattern: "abc", matches: ["abc", "xabcx"], differs: ["", "ab", "acb"] },
  { pattern: "", matches: ["", "x"], differs: [] },
  { pattern: "a.c", matches: ["abc", "a.c", [0x61, 0, 0x63]], differs: ["ac", "a"] },
  { pattern: "[]a]", matches: ["]", "a"], differs: ["b", "["] },
  { pattern: "[^]a]", matches: ["b", "["], differs: ["]", "a", ""] },
  { pattern: "[a-]", matches: ["a", "-"], differs: ["b"] },
  { pattern: "[%--]", matches: ["%", "-", "+"], differs: ["."] },
  { pattern: "[a\\]x", matches: ["\\x", "ax"], differs: ["]x", "x"] },
  { pattern: "[[:digit:][:upper:]_]", matches: ["7", "Q", "_"], differs: ["q", " "] },
  { pattern: "[[=a=][.-.]]", matches: ["a", "-"], differs: ["b", "="] },
  { pattern: "[[.a.]-c]", matches: ["b"], differs: ["d"] },
  // Repeats.
  { pattern: "^a*$", matches: ["", "a", "aaa"], differs: ["b", "ab"] },
  { pattern: "^a+b?$", matches: ["a", "aab"], differs: ["", "b", "abb"] },
  { pattern: "^a{2}$", matches: ["aa"], differs: ["a", "aaa"] },
  { pattern: "^a{2,}$", matches: ["aa", "aaaa"], differs: ["a"] },
  { pattern: "^a{,2}$", matches: ["", "aa"], differs: ["aaa"] },
  { pattern: "^(ab){1,3}$", matches: ["ab", "ababab"], differs: ["", "abababab"] },
  { pattern: "^(a{2}){2}$", matches: ["aaaa"], differs: ["aaa", "aaaaa"] },
  { pattern: "^xa{0}y$", matches: ["xy"], differs: ["xay"] },
  { pattern: "^(a|b*)*c$", matches: ["c", "abbac"], differs: ["abd"] },
  { pattern: "^()*$", matches: [""], differs: ["a"] },
  { pattern: "^((a*)*)*b$", matches: ["b", "aab"], differs: ["aa"] },
  // Branches.
  { pattern: "^(foo|bar|)$", matches: ["foo", "bar", ""], differs: ["baz"] },
  { pattern: "a||b", matches: ["", "z"], differs: [] },
  { pattern: "^x|y$", matches: ["xq", "qy"], differs: ["qxq", "yq"] },
  // Anchors anywhere.
  { pattern: "(^| )b", matches: ["b", "a b"], differs: ["ab"] },
  { pattern: "a($| )", matches: ["ba", "a b"], differs: ["ab"] },
  { pattern: "a^b", matches: [], differs: ["ab", "a^b"] },
  { pattern: "$a|x", matches: ["x"], differs: ["a", "$a"] },
  { pattern: "^$", matches: [""], differs: ["a"] },
  { pattern: "\\`a\\'", matches: ["a"], differs: ["ab", "ba"] },
  // Words.
  { pattern: "\\bcat\\b", matches: ["cat", "a cat.", "-cat-"], differs: ["cats", "concat", "cat_"] },
  { pattern: "\\Bcat\\B", matches: ["scats"], differs: ["cat", "cats", "a cat"] },
  { pattern: "\\<cat", matches: ["cat", "a cats"], differs: ["concat", "_cat"] },
  { pattern: "cat\\>", matches: ["cat", "concat!"], differs: ["cats"] },
  { pattern: "\\<\\>", matches: [], differs: ["", "a", "a b"] },
  { pattern: "\\B", matches: ["", "ab", "-"], differs: ["a"] },
  { pattern: "^\\w+\\W\\s\\S$", matches: ["ab1_- x"], differs: ["ab x", "a--x"] },
  // What POSIX leaves open, as GNU reads it.
  { pattern: "*a", matches: ["a"], differs: ["*"] },
  { pattern: "a|*b", matches: ["a", "b"], differs: ["*"] },
  { pattern: "a{1", matches: ["a{1"], differs: ["a"] },
  { pattern: "a{x}", matches: ["a{x}"], differs: ["a"] },
  { pattern: "{1}a", matches: ["a"], differs: ["{1}"] },
  { pattern: "a)", matches: ["a)"], differs: ["a"] },
  { pattern: "}", matches: ["}"], differs: ["{"] },
  { pattern: "\\d\\.\\{", matches: ["d.{"], differs: ["1.{", "dx{"] },
  // A collating element gives the matcher the last word, and it drops an interval with nothing to repeat.
  { pattern: "{|[[.-.]]", matches: ["", "{", "a", "-"], differs: [], locale: "C" },
  { pattern: "one\ntwo", matches: ["one", "two!"], differs: ["onto"] },
  { pattern: "^a\n\nb", matches: ["", "zzz"], differs: [] },
  // Back-references.
  { pattern: "^(a*)b\\1$", matches: ["b", "aba", "aabaa"], differs: ["aab", "abaa"] },
  { pattern: "(.)\\1", matches: ["xaax", "  "], differs: ["", "xyxy"] },
  { pattern: "^(.*)-(.*)-\\2-\\1$", matches: ["a-b-b-a", "---"], differs: ["a-b-a-b"] },
  { pattern: "^(a|b)*\\1$", matches: ["aa", "abb", "babb"], differs: ["ab", "aba", "b"] },
  { pattern: "\\b(\\w+) \\1\\b", matches: ["the the", "so the the."], differs: ["the then", "he the t"] },
  { pattern: "^(x(y?))\\2\\1$", matches: ["xyyxy", "xx"], differs: ["xyxy", "xyyx"] },
  // Characters against bytes.
  { pattern: "^.$", matches: ["a"], differs: ["é", [0xc3, 0xa9]], locale: "C" },
  { pattern: "^..$", matches: ["é", [0xff, 0xfe]], differs: ["a"], locale: "C" },
  {
    pattern: "^.$",
    matches: ["é", "€", "😀"],
    differs: [[0xe9], [0xed, 0xa0, 0x80], "éé"],
    locale: "C.UTF-8",
  },
  {
    pattern: "^[^a]$",
    matches: ["é", "😀", [0xf5, 0x80, 0x80, 0x80]],
    differs: ["a", [0xff]],
    locale: "C.UTF-8",
  },
  { pattern: "^[é😀]$", matches: ["é", "😀"], differs: ["è", [0xc3], [0xa9]], locale: "C.UTF-8" },
  { pattern: "^[[:alpha:]]+$", matches: ["éж", "straße"], differs: ["é1", "€"], locale: "C.UTF-8" },
  { pattern: "^[[:alpha:]]+$", matches: ["ab"], differs: ["é"], locale: "C" },
  { pattern: "^\\w\\W$", matches: ["é€", "ж "], differs: ["€é", [0xe9, 0x20]], locale: "C.UTF-8" },
  { pattern: "\\bж", matches: ["ж", " жук"], differs: ["уж", "éж"], locale: "C.UTF-8" },
  { pattern: "e\\>", matches: ["e€"], differs: ["eé"], locale: "C.UTF-8" },
  { pattern: "(é)\\1", matches: ["éé"], differs: ["éè", "é"], locale: "C.UTF-8" },
  { pattern: "\u00a0", matches: ["a\u00a0b"], differs: ["a b", [0xa0]] },
];
