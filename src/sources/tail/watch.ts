// Tells that something happened in a folder, by inotify; a folder that cannot be watched, or that is replaced by
// another under the same name, is noticed, and the caller's slow poll stands in.
import { type FSWatcher, watch } from "node:fs";
import { stat, statfs } from "node:fs/promises";
import { basename } from "node:path";
import { describeError } from "../../core/errors.ts";
import type { Emit } from "../../core/events.ts";
import { isSilent } from "../../sys/silent-filesystems.ts";

type Watched = { watcher: FSWatcher; device: number; inode: number; hears: boolean };

export class FolderWatch {
  readonly #happened: (folder: string, name: string | null) => void;
  readonly #moved: () => void;
  readonly #emit: Emit;
  readonly #watched = new Map<string, Watched>();
  #told = false;

  /**
   * @param happened something in one of the folders; null where it is not known to what
   * @param moved a folder itself may have been renamed or removed: cover it again
   */
  constructor(happened: (folder: string, name: string | null) => void, moved: () => void, emit: Emit) {
    this.#happened = happened;
    this.#moved = moved;
    this.#emit = emit;
  }

  /** Watches exactly these folders from now on; those that do not exist are tried again at the next call. */
  async cover(folders: Iterable<string>): Promise<void> {
    const wanted = new Set(folders);
    for (const folder of this.#watched.keys()) if (!wanted.has(folder)) this.#drop(folder);
    for (const folder of wanted) await this.#coverOne(folder);
  }

  /** Whether whatever is written in this folder is told. */
  hears(folder: string): boolean {
    return this.#watched.get(folder)?.hears === true;
  }

  close(): void {
    for (const folder of [...this.#watched.keys()]) this.#drop(folder);
  }

  async #coverOne(folder: string): Promise<void> {
    const here = await stat(folder).catch(() => null); // Not there (yet): asked again by the next poll.
    const known = this.#watched.get(folder);
    if (known !== undefined) {
      if (here !== null && here.ino === known.inode && here.dev === known.device) return;
      this.#drop(folder);
    }
    if (here === null) return;
    const type = await statfs(folder).then(
      (found) => found.type,
      () => null, // It has gone again.
    );
    const hears = type !== null && !isSilent(type);
    try {
      const own = basename(folder);
      const watcher = watch(folder, { persistent: true }, (event, name) => {
        // What happens to the folder itself comes under its own name.
        if (event === "rename" && name === own) this.#moved();
        this.#happened(folder, name);
      });
      watcher.on("error", () => this.#drop(folder)); // The next poll arms it again, or says why not.
      this.#watched.set(folder, { watcher, device: here.dev, inode: here.ino, hears });
      // What happened before was not heard.
      this.#happened(folder, null);
    } catch (error) {
      this.#tell(folder, error);
    }
  }

  #drop(folder: string): void {
    this.#watched.get(folder)?.watcher.close();
    this.#watched.delete(folder);
  }

  #tell(folder: string, error: unknown): void {
    if (this.#told) return;
    this.#told = true;
    this.#emit({
      type: "part.failed",
      part: "check",
      why: `${folder} cannot be watched: ${describeError(error)}`,
      mend: "raise fs.inotify.max_user_watches and fs.inotify.max_user_instances with sysctl",
      stillRuns: "its logs are looked at every few seconds instead",
    });
  }
}
