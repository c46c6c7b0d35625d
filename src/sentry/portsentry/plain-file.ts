// Reads and appends to the files of a portsentry.conf, whose default paths lie where a stranger may have been faster: what
// is found in their place is refused or used, and never waited for, as a plain open(2) of a pipe would.
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  type Stats,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

const { O_RDONLY, O_WRONLY, O_CREAT, O_APPEND, O_TRUNC, O_NOFOLLOW, O_NONBLOCK } = constants;

export type AppendOptions = {
  /** Begins the file anew. */
  readonly truncate?: boolean;
  /** A link may stand in its place, or a pipe or device: `/dev/stdout`. */
  readonly anything?: boolean;
};

/**
 * Appends to a file, which is made if it is not there. Nothing is left behind of what does not fit on the disk.
 * @returns the file as it is then
 * @throws the system's error
 */
export function appendTo(path: string, bytes: Uint8Array, options: AppendOptions = {}): Stats {
  const how = (options.truncate === true ? O_TRUNC : 0) | (options.anything === true ? 0 : O_NOFOLLOW);
  const file = openSync(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | how, 0o600);
  try {
    const before = fstatSync(file);
    if (options.anything !== true) mustBeRegular(path, before);
    for (let at = 0; at < bytes.length; ) {
      try {
        at += writeSync(file, bytes, at);
      } catch (error) {
        if (at > 0 && before.isFile()) ftruncateSync(file, before.size);
        throw error;
      }
    }
    return fstatSync(file);
  } finally {
    closeSync(file);
  }
}

/**
 * The bytes of a regular file.
 * @throws the system's error, also when the file is larger than `maxBytes`
 */
export function readPlain(path: string, maxBytes: number): Buffer {
  const file = openSync(path, O_RDONLY | O_NONBLOCK);
  try {
    const found = fstatSync(file);
    mustBeRegular(path, found);
    const { size } = found;
    if (size > maxBytes) throw new Error(`${path} has ${size} bytes, where ${maxBytes} are read`);
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

/**
 * Makes sure that a file can be appended to, and its folders with it, as 2.x does at its start.
 * @throws the system's error
 */
export function prepareFile(path: string, options: AppendOptions = {}): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  appendTo(path, new Uint8Array(0), options);
}

function mustBeRegular(path: string, found: Stats): void {
  if (!found.isFile()) throw new Error(`${path} is no regular file`);
}
