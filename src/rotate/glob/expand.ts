// Finds the paths that a pattern matches, in the order glob(3) gives them. Directories are read once per call through a
// cache that the caller may share, and one directory may not fill the memory.
import { readdirSync } from "node:fs";
import { bytesOf, textOf } from "../names/bytes.ts";
import { expandBraces, hasMagic, matchName, unescapePattern } from "./match.ts";

/** More names than this in one directory are not looked at; the listing says so. */
export const MAX_NAMES = 500_000;

export type Listing = {
  /** Sorted by code unit, as in the C locale. */
  readonly names: readonly string[];
  /** errno's name when the directory could not be read. */
  readonly trouble: string | null;
};

/** Directory listings, read once. */
export class Listings {
  readonly #kept = new Map<string, Listing>();

  of(directory: string): Listing {
    let listing = this.#kept.get(directory);
    if (listing === undefined) {
      listing = read(directory);
      if (this.#kept.size >= 256) this.#kept.clear();
      this.#kept.set(directory, listing);
    }
    return listing;
  }
}

function read(directory: string): Listing {
  try {
    const names = namesIn(directory);
    if (names.length > MAX_NAMES) return { names: [], trouble: `E2BIG: over ${MAX_NAMES} names` };
    return { names: names.sort(), trouble: null };
  } catch (error) {
    return { names: [], trouble: (error as NodeJS.ErrnoException).code ?? "EIO" };
  }
}

// Names that are not UTF-8 are rare, and asking for bytes is slow: it is done where text has lost some.
function namesIn(directory: string): string[] {
  const path = bytesOf(directory);
  const names = readdirSync(path);
  if (!names.some((name) => name.includes("\ufffd"))) return names;
  return readdirSync(path, { encoding: "buffer" }).map(textOf);
}

export type Expansion = {
  /** Matches, sorted within each brace alternative. A pattern without magic is its own match, there or not. */
  readonly paths: readonly string[];
  /** A directory that could not be read, with why: matches in it may be missing. */
  readonly trouble: string | null;
};

/** The paths a pattern matches; the pattern itself, unquoted, when it matches none (GLOB_NOCHECK). */
export function expandPattern(pattern: string, listings: Listings): Expansion {
  if (!hasMagic(pattern)) return { paths: [pattern], trouble: null };
  const paths: string[] = [];
  let trouble: string | null = null;
  for (const single of expandBraces(pattern)) {
    const parts = single.split("/").filter((part) => part !== "");
    let bases = [single.startsWith("/") ? "" : "."];
    for (const [i, part] of parts.entries()) {
      const last = i === parts.length - 1;
      const next: string[] = [];
      for (const base of bases) {
        if (!/[*?[]/.test(part)) {
          const name = unescapePattern(part);
          if (!last || listings.of(base === "" ? "/" : base).names.includes(name))
            next.push(`${base}/${name}`);
          continue;
        }
        const listing = listings.of(base === "" ? "/" : base);
        if (listing.trouble !== null && !["ENOENT", "ENOTDIR"].includes(listing.trouble)) {
          trouble = `${base}: ${listing.trouble}`;
        }
        for (const name of listing.names) if (matchName(part, name)) next.push(`${base}/${name}`);
      }
      bases = next;
    }
    paths.push(...bases);
  }
  return { paths: paths.length === 0 ? [unescapePattern(pattern)] : paths, trouble };
}
