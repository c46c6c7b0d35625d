// Makes the history the listener's: the folder stays root's, so that what root keeps in it (the brake of `telltale
// panic`, rotation's state) can neither be removed nor planted by the listener.
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Account } from "./account.ts";

// Sticky: in it everybody removes only what is his own.
const FOLDER_MODE = 0o1770;
const MAX_FILES = 100_000;

/**
 * Prepares the folder of the history and hands over what an earlier, unsplit guard left there. No link is followed.
 * Throws what the file system throws.
 * @param storeFile the history itself; what begins with its name belongs to it
 * @param ownFolders folders in it that are the listener's alone
 */
export function handOverStore(storeFile: string, ownFolders: readonly string[], account: Account): void {
  const folder = dirname(storeFile);
  mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
  mustBeFolder(folder);
  chownSync(folder, 0, account.gid);
  chmodSync(folder, FOLDER_MODE);
  keepForRoot(folder);
  for (const name of ownFolders) handOverFolder(join(folder, name), account);
  const name = basename(storeFile);
  for (const each of readdirSync(folder)) {
    if (each === name || each.startsWith(`${name}-`) || each.startsWith(`${name}.`))
      handOverFile(join(folder, each), account);
  }
}

/**
 * The other way round, for a guard that is one process again: the listener's folders become root's. What lies in them may
 * stay whose it is. Throws what the file system throws.
 */
export function takeBackFolders(storeFile: string, folders: readonly string[]): void {
  for (const name of folders) {
    const folder = join(dirname(storeFile), name);
    if (lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) continue;
    const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      fchownSync(fd, 0, 0);
    } finally {
      closeSync(fd);
    }
  }
}

// What rotation notes down, it obeys after a crash: as root. So it lies where the listener cannot write.
function keepForRoot(folder: string): void {
  const own = join(folder, "rotate");
  if (!existsSync(own)) mkdirSync(own, { mode: 0o700 });
  const { uid, mode } = lstatSync(own);
  mustBeFolder(own);
  if (uid !== 0 || (mode & 0o022) !== 0) throw new Error(`${own} is not root's alone`);
  for (const [old, now] of [
    ["rotate.state", "state"],
    ["rotate.state.journal", "state.journal"],
  ] as const) {
    const facts = lstatSync(join(folder, old), { throwIfNoEntry: false });
    if (facts?.isFile() && facts.uid === 0 && facts.nlink === 1 && !existsSync(join(own, now)))
      renameSync(join(folder, old), join(own, now));
  }
}

function handOverFolder(folder: string, account: Account): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  mustBeFolder(folder);
  const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    // One that is the listener's already holds what the listener put there, and links of its making.
    if (fstatSync(fd).uid !== 0) return;
    for (const name of readdirSync(folder).slice(0, MAX_FILES)) handOverFile(join(folder, name), account);
    fchmodSync(fd, 0o700);
    fchownSync(fd, account.uid, account.gid);
  } finally {
    closeSync(fd);
  }
}

// Only a plain file of root's with a single name: whatever else stands there is left as it is.
function handOverFile(path: string, { uid, gid }: Account): void {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (/^(ELOOP|ENOENT|ENXIO)$/.test((error as NodeJS.ErrnoException).code ?? "")) return;
    throw error;
  }
  try {
    const { uid: owner, nlink } = fstatSync(fd);
    if (fstatSync(fd).isFile() && owner === 0 && nlink === 1) fchownSync(fd, uid, gid);
  } finally {
    closeSync(fd);
  }
}

function mustBeFolder(path: string): void {
  if (!lstatSync(path).isDirectory()) throw new Error(`${path} is no folder`);
}
