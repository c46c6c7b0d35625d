// A cheap look at who appends to which files, so that the thorough one is only made when something has changed.
import { openForWritingLater } from "../sys/open-files.ts";

const VIRTUAL = /^\/(proc|sys|dev|run|memfd:)(\/|$)/;

/** A text that stays the same while the same files are appended to, under the same names. */
export async function glance(): Promise<string> {
  const { files } = await openForWritingLater((path) => !VIRTUAL.test(path));
  const appended = files.filter((file) => file.append).map(({ dev, ino, path }) => `${dev}:${ino}:${path}`);
  return [...new Set(appended)].sort().join("\n");
}
