// The bytes of a compressed generation, as a stream: zlib and zstd in this process, xz and bzip2 by their own
// programs, given an open file and no shell.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { pipeline, type Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { MissingPartError } from "../../core/errors.ts";
import type { Compression } from "./generations.ts";
import type { LogHandle } from "./open-log.ts";

/**
 * What the file holds, piece by piece; the handle stays open. Throws when the data is damaged, and MissingPartError
 * when its program is not installed.
 */
export async function* decompressed(
  handle: LogHandle,
  compression: Compression,
): AsyncGenerator<Buffer, void, undefined> {
  if (compression === "xz" || compression === "bzip2") {
    yield* byProgram(handle, compression);
    return;
  }
  const input = handle.createReadStream({ start: 0, autoClose: false, highWaterMark: 256 * 1024 });
  const inflate = compression === "gzip" ? createGunzip() : createZstdDecompress();
  // The error reaches the reader through `inflate` itself; pipeline only makes sure that both ends are closed.
  pipeline(input, inflate, () => {});
  try {
    yield* inflate as Readable & AsyncIterable<Buffer>;
  } finally {
    input.destroy();
    inflate.destroy();
  }
}

async function* byProgram(
  handle: LogHandle,
  program: "xz" | "bzip2",
): AsyncGenerator<Buffer, void, undefined> {
  const child = spawn(program, ["-dc"], { stdio: [handle.fd, "pipe", "pipe"] });
  let complaint = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(0, 1_000);
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(signal === null ? (code ?? 1) : 128));
  });
  ended.catch(() => {}); // It is awaited below, unless the reader stops early.
  try {
    yield* child.stdout as Readable & AsyncIterable<Buffer>;
    const status = await ended.catch((error: NodeJS.ErrnoException) => {
      throw error.code === "ENOENT" ? notInstalled(program) : error;
    });
    if (status !== 0) throw new Error(`${program} -dc: ${complaint.trim() || `exit status ${status}`}`);
  } finally {
    if (child.exitCode === null && child.pid !== undefined && child.kill("SIGKILL"))
      await once(child, "close");
  }
}

function notInstalled(program: string): MissingPartError {
  const name = program === "xz" ? "xz-utils" : program;
  return new MissingPartError("check", `${program} is not installed`, `apt install ${name}`);
}
