// Names files through descriptors of their directories, so that nobody who can rename a directory under a rotation, or put
// a link in its place, can send root elsewhere. A link on the way is followed only where root alone could have put it.
import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, type Stats } from "node:fs";
import { SystemCallError } from "../core/errors.ts";
import { baseOf, directoryOf } from "./names/match.ts";

// O_PATH (open(2)): a handle to walk through, for which reading rights are not needed. Node names it not.
const O_PATH = 0o10000000;
const WALK = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const MAX_LINKS = 40;
// Logs of one stanza lie in few directories; past this the oldest handle is closed and walked again when needed.
const MAX_OPEN = 64;

/** Open directories. Close it when the rotation is over. */
export class Directories {
  readonly #open = new Map<string, number>();

  /**
   * The path of a file for use in the very next call, resolved through its directory's descriptor.
   * Throws SystemCallError ELOOP for a link that somebody else could have placed, and what open(2) throws.
   */
  at(path: string): string {
    return `/proc/self/fd/${this.#directory(directoryOf(path))}/${baseOf(path)}`;
  }

  [Symbol.dispose](): void {
    for (const fd of this.#open.values()) closeSync(fd);
    this.#open.clear();
  }

  #directory(path: string): number {
    const known = this.#open.get(path);
    if (known !== undefined) return known;
    const fd = walk(path);
    if (this.#open.size >= MAX_OPEN) {
      const [oldest, oldFd] = this.#open.entries().next().value!;
      closeSync(oldFd);
      this.#open.delete(oldest);
    }
    this.#open.set(path, fd);
    return fd;
  }

  /** Forgets a directory, after it was made or replaced. */
  forget(path: string): void {
    const fd = this.#open.get(path);
    if (fd !== undefined) closeSync(fd);
    this.#open.delete(path);
  }
}

function walk(path: string): number {
  let todo = path.split("/").filter((part) => part !== "" && part !== ".");
  let links = 0;
  let fd = openSync("/", WALK);
  try {
    while (todo.length > 0) {
      const name = todo.shift()!;
      const child = `/proc/self/fd/${fd}/${name}`;
      const next = step(child);
      if (typeof next === "number") {
        closeSync(fd);
        fd = next;
        continue;
      }
      if (++links > MAX_LINKS) throw new SystemCallError("open", 40, "ELOOP", path);
      if (!trusted(lstatSync(child), fstatSync(fd))) {
        throw new SystemCallError(
          "open",
          40,
          "ELOOP",
          `${path}: ${name} is a symbolic link that others than root could have placed`,
        );
      }
      todo = [...next.split("/").filter((part) => part !== "" && part !== "."), ...todo];
      if (next.startsWith("/")) {
        closeSync(fd);
        fd = openSync("/", WALK);
      }
    }
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

// A descriptor of the directory, or what the link there says.
function step(child: string): number | string {
  try {
    return openSync(child, WALK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "ELOOP" && code !== "ENOTDIR") throw error;
    const stat = lstatSync(child);
    if (!stat.isSymbolicLink()) throw error;
    return readlinkSync(child);
  }
}

// Root's or our own link, in a directory where only its owner can put things.
function trusted(link: Stats, holder: Stats): boolean {
  const own = process.geteuid?.() ?? 0;
  const ours = (uid: number): boolean => uid === 0 || uid === own;
  return ours(link.uid) && ours(holder.uid) && (holder.mode & 0o022) === 0;
}
