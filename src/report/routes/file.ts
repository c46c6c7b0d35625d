// Appends a report to a file. The file may lie in a directory where others can write: no link is followed, and a
// pipe or a device that somebody put there is refused instead of waited for.
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { Message, Route } from "../types.ts";
import { codeOf, DeliveryError } from "./refusal.ts";

const FLAGS =
  constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Appends subject and text, for the owner's eyes only, and waits until they are on the disk.
 * @throws DeliveryError when the file cannot be opened or written
 */
export async function appendToFile(message: Message, route: Extract<Route, { via: "file" }>): Promise<void> {
  try {
    await using file = await open(route.path, FLAGS, 0o600);
    if (!(await file.stat()).isFile()) {
      throw new DeliveryError(`${route.path} is no plain file`, "name another file in report.file", false);
    }
    await file.appendFile(`${message.subject}\n\n${message.text}\n`);
    await file.sync();
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
