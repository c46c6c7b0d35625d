// What Node's file calls leave out: access control lists and SELinux labels, which are extended attributes of a file.
// See getxattr(2) and acl(5).
import { closeSync, existsSync, openSync, writeSync } from "node:fs";
import { libc } from "./libc.ts";

type Calls = {
  get(fd: number, name: string, value: Uint8Array, size: number): number;
  set(fd: number, name: string, value: Uint8Array, size: number, flags: number): number;
};

let calls: Calls | null | undefined;

// null when the library does not load here: then no attribute can be carried over, and none is looked for.
function attributeCalls(): Calls | null {
  if (calls !== undefined) return calls;
  let library: ReturnType<typeof libc>;
  try {
    library = libc();
  } catch {
    calls = null; // An unknown processor or C library; file modes still hold.
    return calls;
  }
  calls = {
    get: library.func("int64_t fgetxattr(int fd, const char *name, void *value, size_t size)"),
    set: library.func("int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)"),
  };
  return calls;
}

// What decides who may read a file, besides its mode. Labels are looked for only where the kernel enforces them.
const LABEL = "security.selinux";
const LABELS = existsSync("/sys/fs/selinux/enforce") ? [LABEL] : [];
const CARRIED = ["system.posix_acl_access", ...LABELS];

// The kernel's own limit for one value (XATTR_SIZE_MAX).
const buffer = new Uint8Array(65_536);

/**
 * Gives a file the access control list and SELinux label of another, where that has any. An attribute that may not be set
 * (no such right, no such file system) is left as it is.
 * @returns the names of attributes that could not be carried over
 */
export function carryAccess(fromFd: number, toFd: number): string[] {
  return carry(CARRIED, fromFd, toFd);
}

/** As `carryAccess`, but for the SELinux label alone; does nothing where the kernel has no labels. */
export function carryLabel(fromFd: number, toFd: number): string[] {
  return LABELS.length === 0 ? [] : carry(LABELS, fromFd, toFd);
}

/** Whether files here have labels that decide who may use them. */
export function hasLabels(): boolean {
  return LABELS.length > 0;
}

// Where a thread says which label the files that it makes are to have, until it says otherwise (proc_pid_attr(5)).
const LABEL_OF_NEW = "/proc/thread-self/attr/fscreate";
const USUAL = Buffer.from("\n");

/**
 * Runs `work`, which must not be async, with every file that it makes labelled as the given one from its first instant. Where the
 * kernel has no labels, or lets us choose none, it is only run: `carryAccess` then still does what it can.
 */
export function labelledLike<T>(fromFd: number, work: () => T): T {
  const size = LABELS.length === 0 ? 0 : (attributeCalls()?.get(fromFd, LABEL, buffer, buffer.length) ?? 0);
  if (size <= 0 || !chooseLabel(buffer.slice(0, size))) return work();
  try {
    return work();
  } finally {
    chooseLabel(USUAL);
  }
}

// Whether that label may be chosen; the kernel wants it in one write.
function chooseLabel(label: Uint8Array): boolean {
  let fd = -1;
  try {
    fd = openSync(LABEL_OF_NEW, "r+");
    return writeSync(fd, label) === label.length;
  } catch {
    return false; // Not in this policy.
  } finally {
    if (fd >= 0) closeSync(fd);
  }
}

function carry(names: readonly string[], fromFd: number, toFd: number): string[] {
  const { get, set } = attributeCalls() ?? {};
  if (get === undefined || set === undefined) return [];
  const lost: string[] = [];
  for (const name of names) {
    const size = get(fromFd, name, buffer, buffer.length);
    if (size <= 0) continue;
    // A label that the new file has by inheritance already need not be set, and often may not.
    const value = buffer.slice(0, size);
    const had = get(toFd, name, buffer, buffer.length);
    if (had === size && value.every((byte, i) => byte === buffer[i])) continue;
    if (set(toFd, name, value, size, 0) !== 0) lost.push(name);
  }
  return lost;
}

/** Whether `carryAccess` can do anything here. */
export function canCarryAccess(): boolean {
  return attributeCalls() !== null;
}
