// The C library through koffi, loaded once and only when somebody calls it: a rotation that needs no
// foreign call does not pay for it.
import { createRequire } from "node:module";
import type Koffi from "koffi";
import { SystemCallError } from "../core/errors.ts";

type KoffiModule = typeof Koffi;
type Library = ReturnType<KoffiModule["load"]>;

let koffiModule: KoffiModule | undefined;
let libcLibrary: Library | undefined;

/** koffi itself. Throws when its prebuilt library does not load here (an unknown processor or C library). */
export function koffi(): KoffiModule {
  koffiModule ??= createRequire(import.meta.url)("koffi") as KoffiModule;
  return koffiModule;
}

/** libc.so.6, for declaring functions on. */
export function libc(): Library {
  libcLibrary ??= koffi().load("libc.so.6");
  return libcLibrary;
}

/** The errno of the last foreign call on this thread as a typed error. */
export function lastError(call: string, detail = ""): SystemCallError {
  const errno = koffi().errno();
  return new SystemCallError(call, errno, errnoName(errno), detail);
}

/** `EPERM` for 1; `errno 4095` for a number this system has no name for. */
export function errnoName(errno: number): string {
  if (names === undefined) {
    names = new Map();
    // Of two names for one number the first.
    for (const [name, number] of Object.entries(koffi().os.errno))
      if (!names.has(number)) names.set(number, name);
  }
  return names.get(errno) ?? `errno ${errno}`;
}

// Asking for them takes longer than most system calls, and ENOENT may be said a hundred thousand times.
let names: Map<number, string> | undefined;
