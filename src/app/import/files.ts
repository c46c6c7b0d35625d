// Reads the files of other programs under a root folder. They may be anything: no more than a bounded piece of each is
// read, and nothing but regular files.
import { closeSync, constants, fstatSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { describeError } from "../../core/errors.ts";

// Configuration is written by people; a file of this size is something else.
const MAX_BYTES = 1_000_000;
const MAX_FILES = 2_000;

export class Files {
  readonly troubles: string[] = [];
  readonly #root: string;
  #opened = 0;

  /** @param root "/" or the folder that stands for it */
  constructor(root: string) {
    this.#root = root;
  }

  /** The text of the file at this path inside the root; null when it is not there or cannot be used. */
  read(path: string): string | null {
    if (++this.#opened > MAX_FILES) {
      if (this.#opened === MAX_FILES + 1)
        this.troubles.push(`more than ${MAX_FILES} files; the rest is not read`);
      return null;
    }
    let fd: number;
    try {
      fd = openSync(join(this.#root, path), constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT")
        this.troubles.push(`${path}: ${describeError(error)}`);
      return null;
    }
    try {
      if (!fstatSync(fd).isFile()) return null;
      const bytes = Buffer.alloc(MAX_BYTES + 1);
      const length = readSync(fd, bytes, 0, bytes.length, 0);
      if (length > MAX_BYTES) {
        this.troubles.push(`${path}: larger than ${MAX_BYTES} bytes; not read`);
        return null;
      }
      return bytes.subarray(0, length).toString("utf8");
    } catch (error) {
      this.troubles.push(`${path}: ${describeError(error)}`);
      return null;
    } finally {
      closeSync(fd);
    }
  }

  /** The paths of what lies in a folder, by name; none when it is no folder. */
  list(folder: string): string[] {
    try {
      return readdirSync(join(this.#root, folder))
        .sort()
        .slice(0, MAX_FILES)
        .map((name) => join(folder, name));
    } catch {
      return []; // not there, or a file
    }
  }
}
