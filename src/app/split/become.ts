// Lets a command that root has called work on with the rights of the store's owner: in folders that are the listener's,
// root must not write, since the names in them are the listener's to choose.
import { statSync } from "node:fs";

/** Becomes the owner of the history for good; stays what it is where that is root, or where it may not. */
export function becomeOwnerOf(storeFile: string): void {
  if (process.geteuid?.() !== 0) return;
  const { uid, gid } = statSync(storeFile);
  if (uid === 0) return;
  process.setgroups?.([gid]);
  process.setgid?.(gid);
  process.setuid?.(uid);
}
