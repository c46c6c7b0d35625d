// gzip through libdeflate where the system has it: half the time of gzip(1) for the same size, on a thread of the pool. What
// it makes is one gzip member for each piece, and members in a row are a gzip file (RFC 1952, section 2.2).
import { koffi } from "./libc.ts";

type Library = ReturnType<ReturnType<typeof koffi>["load"]>;
type Foreign = ReturnType<Library["func"]>;

type Calls = { alloc: Foreign; free: Foreign; bound: Foreign; compress: Foreign };

let calls: Calls | null | undefined;

// null where the library is not installed: it is an extra, and gzip(1) does the same work.
function deflateCalls(): Calls | null {
  if (calls !== undefined) return calls;
  let library: Library;
  try {
    library = koffi().load("libdeflate.so.0");
  } catch {
    calls = null;
    return calls;
  }
  calls = {
    alloc: library.func("void *libdeflate_alloc_compressor(int level)"),
    free: library.func("void libdeflate_free_compressor(void *compressor)"),
    bound: library.func("size_t libdeflate_gzip_compress_bound(void *compressor, size_t size)"),
    compress: library.func(
      "size_t libdeflate_gzip_compress(void *compressor, const void *in, size_t size, void *out, size_t room)",
    ),
  };
  return calls;
}

/** Makes gzip members, one at a time. Dispose of it when done. */
export type GzipMaker = Disposable & {
  /** One member that holds these bytes, which must not change until it is made. Valid until the next call. */
  member(bytes: Uint8Array): Promise<Uint8Array>;
  /** As `member`, at once and on this thread: for pieces so small that a thread's turn costs more than the work. */
  memberNow(bytes: Uint8Array): Uint8Array;
};

/**
 * A maker for pieces of at most `pieceBytes`, or null where libdeflate is not installed.
 * @param level 1 to 9, as gzip(1) counts
 */
export function gzipMaker(level: number, pieceBytes: number): GzipMaker | null {
  const { alloc, free, bound, compress } = deflateCalls() ?? {};
  if (alloc === undefined || free === undefined || bound === undefined || compress === undefined) return null;
  const compressor: unknown = alloc(level);
  if (compressor === null) return null;
  const room = new Uint8Array(Number(bound(compressor, pieceBytes)));
  const check = (bytes: Uint8Array): void => {
    if (bytes.length > pieceBytes)
      throw new RangeError(`a piece of ${bytes.length} bytes, at most ${pieceBytes}`);
  };
  const made = (size: number | bigint): Uint8Array => {
    if (Number(size) === 0) throw new Error("libdeflate made nothing");
    return room.subarray(0, Number(size));
  };
  return {
    memberNow(bytes) {
      check(bytes);
      return made(compress(compressor, bytes, bytes.length, room, room.length) as number | bigint);
    },
    member(bytes) {
      check(bytes);
      return new Promise((resolve, reject) => {
        const done = (error: unknown, size: number | bigint): void => {
          if (error) reject(error);
          else if (Number(size) === 0) reject(new Error("libdeflate made nothing"));
          else resolve(made(size));
        };
        compress.async(compressor, bytes, bytes.length, room, room.length, done);
      });
    },
    [Symbol.dispose]() {
      free(compressor);
    },
  };
}
