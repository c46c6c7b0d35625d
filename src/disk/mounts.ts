// Looks at the file systems that logs lie on. A network file system whose server is gone would hold whoever asks, so each
// answer is waited for only so long.
import { realpath, stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { DiskSample } from "./types.ts";

const PATIENCE_MS = 2_000;
const AT_ONCE = 4;
const MAX_MOUNT_POINTS = 256;

/** One file system, by its mount point. */
export type Room = Omit<DiskSample, "at"> & { readonly dev: number };

/**
 * The room on each file system that one of the paths lies on. A path that is not there, or a file system that does not answer, is
 * left out: its log has its own event.
 */
export async function lookAtRooms(paths: readonly string[]): Promise<Room[]> {
  const byDevice = new Map<number, Room>();
  // A few at once: each look is some hand-overs to a thread and back, which then share their wake-ups.
  for (let at = 0; at < paths.length; at += AT_ONCE) {
    const rooms = await Promise.all(
      paths.slice(at, at + AT_ONCE).map((path) => withPatience(lookAtRoom(path))),
    );
    for (const room of rooms) {
      if (room !== null && !byDevice.has(room.dev)) byDevice.set(room.dev, room);
    }
  }
  return [...byDevice.values()];
}

/** The room on the file system of one path; null when it is not there. */
async function lookAtRoom(path: string): Promise<Room | null> {
  try {
    const { dev } = await stat(path);
    const { bsize, blocks, bfree, bavail, files, ffree } = await statfs(path);
    return {
      dev,
      mount: await mountPointOf(path, dev),
      // What only root may still use counts as used: daemons write as somebody else (statfs(2), f_bavail).
      sizeBytes: bsize * (blocks - bfree + bavail),
      freeBytes: bsize * bavail,
      sizeFiles: files,
      freeFiles: ffree,
    };
  } catch {
    return null; // Not there, or it refuses: nothing can be said of it.
  }
}

// Where a file system is mounted, by the path it was asked for and its device: the walk there is longer than the look itself.
const mountPoints = new Map<string, string>();

async function mountPointOf(path: string, dev: number): Promise<string> {
  const key = `${dev} ${path}`;
  const known = mountPoints.get(key);
  if (known !== undefined) return known;
  const mount = await walkToMountPoint(path, dev);
  if (mountPoints.size >= MAX_MOUNT_POINTS) mountPoints.clear();
  mountPoints.set(key, mount);
  return mount;
}

// Up as long as it is the same file system.
async function walkToMountPoint(path: string, dev: number): Promise<string> {
  let at = await realpath(path);
  while (at !== "/") {
    const parent = dirname(at);
    if ((await stat(parent)).dev !== dev) return at;
    at = parent;
  }
  return at;
}

async function withPatience<T>(work: Promise<T | null>): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const tired = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), PATIENCE_MS);
  });
  try {
    return await Promise.race([work, tired]);
  } finally {
    clearTimeout(timer);
  }
}
