// Lists the files under the log directories, in short stretches: links are not followed, and a huge tree is looked at in part.
import { lstatSync, readdirSync, type Stats } from "node:fs";

export type FoundFile = { readonly path: string; readonly stat: Stats };
export type Walked = { readonly files: readonly FoundFile[]; readonly cut: boolean };

const MAX_DEPTH = 8;
const MAX_FILES = 100_000;
const SLICE_MS = 10;

/** Regular files below the directories. A directory that is not ours to read is the log checker's to report. */
export async function filesUnder(roots: readonly string[]): Promise<Walked> {
  const files: FoundFile[] = [];
  const todo = roots.map((path) => ({ path, depth: 0 }));
  let until = performance.now() + SLICE_MS;
  let seen = 0;
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    for (const name of namesIn(next.path)) {
      if (++seen > MAX_FILES) return { files, cut: true };
      const path = `${next.path}/${name}`;
      const stat = lookQuietly(path);
      if (stat?.isDirectory() && next.depth < MAX_DEPTH) todo.push({ path, depth: next.depth + 1 });
      else if (stat?.isFile()) files.push({ path, stat });
      if (seen % 32 === 0 && performance.now() > until) {
        await new Promise(setImmediate);
        until = performance.now() + SLICE_MS;
      }
    }
  }
  return { files, cut: false };
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // gone, or not ours to read
  }
}

/** lstat, or null for what is not there or not to be reached. */
export function lookQuietly(path: string): Stats | null {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) ?? null;
  } catch {
    return null; // A directory on the way is closed to us, or the file system is broken: nothing can be said of it.
  }
}
