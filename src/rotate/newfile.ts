// Makes files whose owner and mode are right from the first instant, and gives a file its name only once it is whole: a name
// that ends a rotation never stands for half a file.
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  openSync,
  type PathLike,
  renameSync,
  type Stats,
  unlinkSync,
} from "node:fs";
import { carryAccess, labelledLike } from "../sys/files.ts";
import type { Directories } from "./directories.ts";
import { actingIdentity } from "./identity.ts";
import { baseOf, directoryOf, joinPath } from "./names/match.ts";

const NEW = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

export type Likeness = Pick<Stats, "mode" | "uid" | "gid">;

/** The hidden name under which a file is written until it is whole. */
export function partName(path: string): string {
  return joinPath(directoryOf(path), `.${baseOf(path)}.telltale`);
}

/**
 * Makes a new file with the owner and mode of another, never readable wider than that for an instant. Returns its
 * descriptor. Throws EEXIST when something has the name.
 * @param source descriptor of a file whose access control list and label it gets, too; null for none
 * @param carry what it gets of `source`, when not both
 */
export function createLike(
  path: string,
  like: Likeness,
  source: number | null,
  directories: Directories,
  carry = carryAccess,
): number {
  const at = directories.at(path);
  const mode = like.mode & 0o7777;
  // Its group and others may read it only once it is theirs.
  const { uid, gid } = actingIdentity();
  const mine = like.uid === uid && like.gid === gid;
  const make = (): number => openSync(at, NEW, mine ? mode : mode & 0o600);
  const fd = source === null ? make() : labelledLike(source, make);
  try {
    const made = fstatSync(fd);
    if (made.uid !== like.uid || made.gid !== like.gid) giveAway(fd, like);
    // A right that may not be given is not given: the file is then readable by fewer, never by more.
    if (source !== null) carry(source, fd);
    if ((made.mode & 0o7777) !== mode) fchmodSync(fd, mode);
    return fd;
  } catch (error) {
    closeSync(fd);
    unlinkSync(at);
    throw error;
  }
}

// Only root may give a file away. The user that `su` names keeps it, and it could read what is in it anyway.
function giveAway(fd: number, like: Likeness): void {
  try {
    fchownSync(fd, like.uid, like.gid);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM" || process.geteuid?.() === 0) throw error;
  }
}

/** As `createLike`, for a name from `partName`: what an interrupted run left there goes first. */
export function createPart(part: string, like: Likeness, source: number, directories: Directories): number {
  try {
    return createLike(part, like, source, directories);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    unlinkSync(directories.at(part));
    return createLike(part, like, source, directories);
  }
}

/** Gives a whole file its name. What stands in its way is moved aside to `NAME-STAMP.backup`, as logrotate does. */
export function finishPart(part: string, path: string, stamp: string, directories: Directories): void {
  const at = directories.at(path);
  if (exists(at)) {
    const backup = `${path}-${stamp}.backup`;
    const taken = exists(directories.at(backup));
    renameSync(at, directories.at(taken ? `${backup}.${process.pid}` : backup));
  }
  renameSync(directories.at(part), at);
}

export function removeIfThere(at: PathLike): void {
  try {
    unlinkSync(at);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/** Whether anything has this name, a dangling link included. */
export function exists(at: PathLike): boolean {
  return lstatSync(at, { throwIfNoEntry: false }) !== undefined;
}
