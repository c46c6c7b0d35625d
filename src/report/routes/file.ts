// Appends a report to a file. The file may lie in a directory where others can write: no link is followed, and a
// pipe or a device that somebody put there is refused instead of waited for.
import { closeSync, constants, fstatSync, fsync, open, write } from "node:fs";
import { promisify } from "node:util";
import type { Message, Route } from "../types.ts";
import { codeOf, DeliveryError } from "./refusal.ts";

const FLAGS =
  constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;

const openFd = promisify(open);
const sync = promisify(fsync);
const writeFd = promisify(write) as (fd: number, bytes: Uint8Array) => Promise<{ bytesWritten: number }>;

/** Opens the file of a route for appending. Throws what the file system throws. */
export function openReportFile(path: string): Promise<number> {
  return openFd(path, FLAGS, 0o600);
}

async function append(fd: number, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await writeFd(fd, bytes.subarray(at))).bytesWritten;
}

/**
 * Appends subject and text, for the owner's eyes only, and waits until they are on the disk.
 * @throws DeliveryError when the file cannot be opened or written
 */
export async function appendToFile(message: Message, route: Extract<Route, { via: "file" }>): Promise<void> {
  try {
    const fd = await (route.open ?? (() => openReportFile(route.path)))();
    try {
      if (!fstatSync(fd).isFile()) {
        throw new DeliveryError(`${route.path} is no plain file`, "name another file in report.file", false);
      }
      await append(fd, Buffer.from(`${message.subject}\n\n${message.text}\n`));
      await sync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof DeliveryError) throw error;
    throw new DeliveryError(
      `${route.path}: ${codeOf(error) || String(error)}`,
      mendFor(codeOf(error), route.path),
      true,
      error,
    );
  }
}

function mendFor(code: string, path: string): string {
  if (code === "ELOOP") return `${path} is a symbolic link: name the file itself in report.file`;
  if (code === "ENXIO") return `${path} is a pipe that nobody reads: name a plain file in report.file`;
  if (code === "ENOENT") return `make the directory of ${path}`;
  if (code === "ENOSPC") return "free some space on its disk";
  return `see whether telltale may write ${path}`;
}
