// Names files through descriptors of their directories, so that nobody who can rename a directory under a rotation, or put
// a link in its place, can send root elsewhere. A link on the way is followed only where root alone could have put it.
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  type PathLike,
  readlinkSync,
  type Stats,
  statfsSync,
} from "node:fs";
import { SystemCallError } from "../core/errors.ts";
import { bytesOf, textOf } from "./names/bytes.ts";
import { baseOf, directoryOf } from "./names/match.ts";

// O_PATH (open(2)): a handle to walk through, for which reading rights are not needed. Node names it not.
const O_PATH = 0o10000000;
const WALK = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const DESCRIPTORS = "/proc/self/fd";
const MAX_LINKS = 40;
// statfs(2).
const TMPFS_MAGIC = 0x0102_1994;
// In a directory with this bit only the owner of an entry may rename or remove it.
const STICKY = 0o1000;
// Logs of one stanza lie in few directories; past this the oldest handle is closed and walked again when needed.
const MAX_OPEN = 64;

type Place = {
  /** What stands before a name in it: a descriptor's path, or the plain path where nobody else can change it. */
  readonly prefix: string;
  /** -1 for a plain path. */
  readonly fd: number;
  /** Its files are in memory: nothing on it survives a power cut, and waiting for its disk is for nothing. */
  readonly volatile: boolean;
};

/** Open directories. Dispose of it when the rotation is over. */
export class Directories {
  readonly #places = new Map<string, Place>();
  #latest: { readonly directory: string; readonly place: Place | null } = { directory: "", place: null };

  /**
   * The path of a file for use in the very next call, resolved through its directory's descriptor.
   * Throws SystemCallError ELOOP for a link that somebody else could have placed, and what open(2) throws.
   */
  at(path: string): PathLike {
    const { prefix } = this.#placeOf(path);
    const slash = path.lastIndexOf("/");
    // Most often the path is its own: no new text is made for it then.
    const isItself = prefix.length === slash + 1 && path.startsWith(prefix);
    return bytesOf(isItself ? path : prefix + baseOf(path));
  }

  /** Whether a file there can be made durable at all. */
  isDurable(path: string): boolean {
    return !this.#placeOf(path).volatile;
  }

  [Symbol.dispose](): void {
    for (const { fd } of this.#places.values()) if (fd >= 0) closeSync(fd);
    this.#places.clear();
    this.#latest = { directory: "", place: null };
  }

  // The steps of a log, and of the logs after it, mostly stay in one directory.
  #placeOf(path: string): Place {
    const { directory, place } = this.#latest;
    if (place !== null && path.lastIndexOf("/") === directory.length && path.startsWith(directory))
      return place;
    const asked = directoryOf(path);
    const found = this.#place(asked);
    this.#latest = { directory: asked, place: found };
    return found;
  }

  #place(path: string): Place {
    const known = this.#places.get(path);
    if (known !== undefined) return known;
    const place = walk(path);
    if (this.#places.size >= MAX_OPEN) {
      const [oldest, { fd }] = this.#places.entries().next().value!;
      if (fd >= 0) closeSync(fd);
      this.#places.delete(oldest);
    }
    this.#places.set(path, place);
    return place;
  }
}

// Goes down from the root, one component at a time. Where every step was one that only root or we could change, the plain path
// will do, and costs the kernel half as much as a descriptor's.
function walk(path: string): Place {
  let todo = components(path);
  let links = 0;
  let fixed = true;
  let plain = "/";
  let fd = openSync("/", WALK);
  try {
    while (todo.length > 0) {
      const name = todo.shift()!;
      const child = `/proc/self/fd/${fd}/${name}`;
      const holder = fstatSync(fd);
      const next = step(child);
      if (typeof next === "number") {
        closeSync(fd);
        fd = next;
        fixed &&= name !== ".." && settled(holder, fstatSync(fd));
        plain += `${name}/`;
        continue;
      }
      if (++links > MAX_LINKS) throw new SystemCallError("open", 40, "ELOOP", path);
      if (!trusted(lstatSync(bytesOf(child)), holder)) {
        const why = `${path}: ${name} is a symbolic link that others than root could have placed`;
        throw new SystemCallError("open", 40, "ELOOP", why);
      }
      todo = [...components(next), ...todo];
      if (next.startsWith("/")) {
        closeSync(fd);
        fd = openSync("/", WALK);
        plain = "/";
      }
    }
  } catch (error) {
    closeSync(fd);
    if (existsSync(DESCRIPTORS)) throw error;
    throw new Error(
      `${DESCRIPTORS} is not there, through which directories are walked: mount -t proc proc /proc`,
    );
  }
  const volatile = statfsSync(`/proc/self/fd/${fd}/.`).type === TMPFS_MAGIC;
  if (!fixed) return { prefix: `/proc/self/fd/${fd}/`, fd, volatile };
  closeSync(fd);
  return { prefix: plain, fd: -1, volatile };
}

function components(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

// Whether nobody but root and us can put something else where this directory stands in its holder.
function settled(holder: Stats, directory: Stats): boolean {
  if (!ours(holder.uid)) return false;
  const shared = (holder.mode & 0o022) !== 0;
  return !shared || ((holder.mode & STICKY) !== 0 && ours(directory.uid));
}

// A descriptor of the directory, or what the link there says.
function step(child: string): number | string {
  try {
    return openSync(bytesOf(child), WALK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "ELOOP" && code !== "ENOTDIR") throw error;
    const stat = lstatSync(bytesOf(child));
    if (!stat.isSymbolicLink()) throw error;
    return textOf(readlinkSync(bytesOf(child), { encoding: "buffer" }));
  }
}

// Root's or our own link, in a directory where only its owner can put things.
function trusted(link: Stats, holder: Stats): boolean {
  return ours(link.uid) && ours(holder.uid) && (holder.mode & 0o022) === 0;
}

function ours(uid: number): boolean {
  return uid === 0 || uid === process.geteuid?.();
}
