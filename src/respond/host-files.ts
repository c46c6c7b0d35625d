// The small files that say whom this host relies on, wherever its file system begins: read whole, and told when one of them
// has changed. What cannot be read is named.
import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { describeError } from "../core/errors.ts";

/** What could not be read, and why. */
export type Unread = { readonly what: string; readonly why: string };

// A table longer than this is cut: 4 MB is about 27,000 connections or 30,000 routes, read in some 30 ms.
const MAX_FILE_BYTES = 4 * 1024 * 1024;
const CHUNK_BYTES = 65_536;
const MAX_NAMES = 100_000;
// Of a folder with more files than this, the rest is noticed with its folder only.
const MAX_STAMPS = 256;

export class HostFiles {
  readonly #root: string;
  readonly #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);

  /** @param root where the file system begins; tests give a folder of their own */
  constructor(root: string) {
    this.#root = root;
  }

  /** Where a path of the host lies. */
  at(path: string): string {
    return join(this.#root, path);
  }

  /** Paths of what is in a folder, in order; none for a folder that is not there. */
  in(folder: string): string[] {
    try {
      return readdirSync(this.at(folder))
        .sort()
        .slice(0, MAX_NAMES)
        .map((name) => `${folder}/${name}`);
    } catch {
      return []; // Optional on every host: a folder that is not there names nobody.
    }
  }

  /** A file's text, one character a byte; "" for one that is not there, which is a fault when it must be. */
  read(path: string, wanted: "must" | "may", unread: Unread[]): string {
    try {
      const { text, cut } = this.#readUpTo(this.at(path), MAX_FILE_BYTES);
      if (cut)
        unread.push({ what: path, why: `longer than ${MAX_FILE_BYTES} bytes; only the beginning counts` });
      return text;
    } catch (error) {
      const absent =
        error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
      if (wanted === "must" || !absent) unread.push({ what: path, why: describeError(error) });
      return "";
    }
  }

  /** A text that is the same as long as none of these files and folders has changed: 3 µs a path. */
  stamp(paths: readonly string[]): string {
    let stamps = "";
    for (const path of paths.slice(0, MAX_STAMPS)) {
      try {
        const found = statSync(this.at(path), { throwIfNoEntry: false });
        stamps += found === undefined ? "-;" : `${found.ino} ${found.size} ${found.mtimeMs};`;
      } catch {
        stamps += "?;"; // Not ours to look at; reading it says why.
      }
    }
    return stamps;
  }

  #readUpTo(path: string, maxBytes: number): { text: string; cut: boolean } {
    const fd = openSync(path, "r");
    try {
      let text = "";
      while (text.length < maxBytes) {
        const got = readSync(fd, this.#chunk);
        if (got === 0) return { text, cut: false };
        text += this.#chunk.toString("latin1", 0, got);
      }
      return { text, cut: true };
    } finally {
      closeSync(fd);
    }
  }
}
