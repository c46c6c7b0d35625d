// Compresses one generation: into a new file that nobody may read sooner or wider than the old one, made durable before the
// old one goes. What gzip and zstd would do is done in threads of our own, everything else by the named command.
import { closeSync, constants, fstatSync, fsync, futimesSync, openSync, type Stats } from "node:fs";
import { promisify } from "node:util";
import { runCommand } from "./command.ts";
import type { Directories } from "./directories.ts";
import { withIdentity } from "./identity.ts";
import { createPart, finishPart, partName, removeIfThere } from "./newfile.ts";
import { squeezeOf } from "./squeeze/squeeze.ts";
import type { SqueezeThreads } from "./squeeze/threads.ts";
import { splitWords } from "./syntax/parse.ts";
import type { Compressor, Identity } from "./types.ts";

// A core is busy with a file of this size for a fiftieth of a second.
const LIGHT_BYTES = 2 * 1024 * 1024;

const fsyncDurably = promisify(fsync);

export type CompressWork = {
  readonly from: string;
  readonly to: string;
  readonly with: Compressor;
  readonly times: Pick<Stats, "atimeMs" | "mtimeMs"> | null;
  readonly identity: Identity | null;
  readonly stamp: string;
  readonly signal?: AbortSignal | undefined;
};

/** What stands there is a pipe or the like. The words are logrotate's, which monitoring looks for. */
export class NotCompressibleError extends Error {
  constructor(path: string) {
    super(`unable to open ${path} (read-only) for compression: Operation not supported: not a regular file`);
    this.name = "NotCompressibleError";
  }
}

export type Compressed = {
  readonly bytesIn: number;
  /** `bytesIn` when the administrator's command compressed them, or 0. */
  readonly bytesByCommand: number;
  /** What a compressor that succeeded said on its stderr, or "". */
  readonly remark: string;
};

/**
 * Compresses `from` into `to` with its owner, mode and times, and leaves `from` to be removed by the caller once this
 * returns. Throws when it cannot; then `to` is gone and `from` as it was. A file in the way of `to` is moved aside.
 */
export async function compressFile(
  work: CompressWork,
  directories: Directories,
  threads: SqueezeThreads,
): Promise<Compressed> {
  const { identity } = work;
  const source = withIdentity(identity, () =>
    openSync(directories.at(work.from), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK),
  );
  const part = partName(work.to);
  let target = -1;
  try {
    const stat = fstatSync(source);
    if (!stat.isFile()) throw new NotCompressibleError(work.from);
    target = withIdentity(identity, () => createPart(part, stat, source, directories));
    const remark = await writeCompressed(work, source, target, stat.size, threads);
    const { atimeMs, mtimeMs } = work.times ?? stat;
    withIdentity(identity, () => futimesSync(target, atimeMs / 1000, mtimeMs / 1000));
    if (directories.isDurable(work.to)) await fsyncDurably(target);
    withIdentity(identity, () => finishPart(part, work.to, work.stamp, directories));
    const bytesByCommand = squeezeOf(work.with) === null ? stat.size : 0;
    return { bytesIn: stat.size, bytesByCommand, remark };
  } catch (error) {
    if (target >= 0) withIdentity(identity, () => removeIfThere(directories.at(part)));
    throw error;
  } finally {
    closeSync(source);
    if (target >= 0) closeSync(target);
  }
}

// Returns what the compressor said.
async function writeCompressed(
  work: CompressWork,
  source: number,
  target: number,
  sizeBytes: number,
  threads: SqueezeThreads,
): Promise<string> {
  const how = squeezeOf(work.with);
  if (how !== null) {
    await threads.squeeze({ source, target, how }, sizeBytes);
    return "";
  }
  const words = splitWords(work.with.command) as [string, ...string[]];
  const result = await runCommand([...words, ...work.with.options] as [string, ...string[]], {
    stdin: source,
    stdout: target,
    identity: work.identity,
    background: true,
    // logrotate(8) promises the compressor the name of what it reads.
    env: { LOGROTATE_COMPRESSED_FILENAME: work.from },
    signal: work.signal,
  });
  if (!result.ok) {
    throw new Error(
      `${work.with.command}: ${result.why}${result.output === "" ? "" : `: ${result.output.trim()}`}`,
    );
  }
  return result.output.trim();
}

/** Whether this is soon done and by ourselves, rather than by a command or a thread that takes a core for a while. */
export function isLight(compressor: Compressor, sizeBytes: number): boolean {
  return sizeBytes <= LIGHT_BYTES && squeezeOf(compressor) !== null;
}
