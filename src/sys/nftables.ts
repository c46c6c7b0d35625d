// The kernel's firewall by nftables' own language. libnftables runs in this process (0.1 ms for one element; spawning
// `nft` costs 5 ms), and `nft -f -` stands in where the library cannot be loaded. Which of the two it is never shows.
import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { describeError, MissingPartError } from "../core/errors.ts";
import { koffi, lastError } from "./libc.ts";
import { socketCalls } from "./socket-calls.ts";

/** nftables refused a script; nothing of it was done (a script is one transaction). */
export class NftError extends Error {
  /** The script that was refused, cut to what fits a log line. */
  readonly script: string;

  constructor(message: string, script: string) {
    super(message);
    this.name = "NftError";
    this.script = script.length > 400 ? `${script.slice(0, 400)}…` : script;
  }
}

/** A way to talk to nftables in the network namespace of this process. */
export interface Nftables {
  readonly via: "libnftables" | "nft";
  /**
   * Runs one script of the nft(8) language as one transaction and returns what it printed.
   * Scripts run one after the other, in the order of the calls.
   * @throws NftError with nftables' own words when the kernel or the parser refuses it
   */
  run(script: string): Promise<string>;
  close(): Promise<void>;
}

export type NftablesOptions = {
  /** Take only this way; for tests. */
  readonly via?: "libnftables" | "nft";
  /** Where the library is, for a host that keeps it elsewhere. */
  readonly library?: string;
};

/**
 * Opens the library, or else finds the program.
 * @throws MissingPartError when neither is there
 */
export function openNftables(options: NftablesOptions = {}): Nftables {
  let libraryError: unknown;
  if (options.via !== "nft") {
    try {
      return openLibrary(options.library ?? "libnftables.so.1");
    } catch (error) {
      if (options.via === "libnftables") throw missing(error);
      libraryError = error;
    }
  }
  const program = findNft();
  if (program === null) throw missing(libraryError);
  return openProgram(program);
}

function missing(cause: unknown): MissingPartError {
  const detail = cause === undefined ? "" : `: ${describeError(cause)}`;
  return new MissingPartError("respond", `nftables is not here${detail}`, "apt install nftables", cause);
}

// linux/netlink.h
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_NETFILTER = 12;

// Above this a script runs on a thread of libuv's pool, so that the event loop does not stall; below it the hop to
// the thread would cost more than the call. 32 kB is about 600 elements, 2 ms.
const ON_A_THREAD_ABOVE_CHARS = 32_768;

type Context = unknown;
type Library = {
  newContext: (flags: number) => Context;
  freeContext: (context: Context) => void;
  bufferOutput: (context: Context) => number;
  bufferError: (context: Context) => number;
  output: (context: Context) => string | null;
  error: (context: Context) => string | null;
  run: {
    (context: Context, script: string): number;
    async: (context: Context, script: string, done: (error: unknown, status: number) => void) => void;
  };
};

// Signatures: <nftables/libnftables.h>, libnftables(3).
function declare(path: string): Library {
  const library = koffi().load(path);
  return {
    newContext: library.func("void *nft_ctx_new(uint32_t flags)"),
    freeContext: library.func("void nft_ctx_free(void *ctx)"),
    bufferOutput: library.func("int nft_ctx_buffer_output(void *ctx)"),
    bufferError: library.func("int nft_ctx_buffer_error(void *ctx)"),
    output: library.func("const char *nft_ctx_get_output_buffer(void *ctx)"),
    error: library.func("const char *nft_ctx_get_error_buffer(void *ctx)"),
    run: library.func("int nft_run_cmd_from_buffer(void *ctx, const char *buf)") as unknown as Library["run"],
  };
}

// Where the kernel has no netlink socket for netfilter (a sandbox, a kernel without nf_tables), the library ends the
// whole process: "mnl.c: Unable to initialize Netlink socket". So that is tried first.
function needNetlink(): void {
  const calls = socketCalls();
  const fd = calls.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_NETFILTER);
  if (fd < 0) throw new Error(`this kernel has no nf_tables (${lastError("socket").code})`);
  calls.close(fd);
}

function openLibrary(path: string): Nftables {
  const library = declare(path);
  needNetlink();
  const context = library.newContext(0);
  if (context === null) throw new Error("nft_ctx_new gave no context");
  library.bufferOutput(context);
  library.bufferError(context);
  let open = true;

  const runOnce = async (script: string): Promise<string> => {
    if (!open) throw new NftError("nftables was closed", script);
    const status =
      script.length > ON_A_THREAD_ABOVE_CHARS || script.startsWith("list ")
        ? await new Promise<number>((resolve, reject) => {
            library.run.async(context, script, (error, value) => (error ? reject(error) : resolve(value)));
          })
        : library.run(context, script);
    // Both buffers start afresh only when they are read.
    const printed = library.output(context) ?? "";
    const complaint = library.error(context) ?? "";
    if (status !== 0) throw new NftError(firstComplaint(complaint), script);
    return printed;
  };
  const inTurn = oneAtATime();
  return {
    via: "libnftables",
    run: (script) => inTurn(() => runOnce(script)),
    close: () =>
      inTurn(async () => {
        if (open) library.freeContext(context);
        open = false;
      }),
  };
}

function openProgram(path: string): Nftables {
  const inTurn = oneAtATime();
  return {
    via: "nft",
    run: (script) =>
      inTurn(
        () =>
          new Promise<string>((resolve, reject) => {
            const child = execFile(
              path,
              ["-f", "-"],
              // A listing of 100,000 elements is about 10 MB.
              {
                maxBuffer: 256 * 1024 * 1024,
                timeout: 60_000,
                env: { PATH: "/usr/sbin:/sbin:/usr/bin:/bin", LC_ALL: "C" },
              },
              (error, stdout, stderr) => {
                if (error === null) resolve(stdout);
                else reject(new NftError(stderr === "" ? error.message : firstComplaint(stderr), script));
              },
            );
            child.stdin?.on("error", () => {
              // nft ended before it read all: its exit status, above, says why.
            });
            child.stdin?.end(script);
          }),
      ),
    close: async () => {},
  };
}

// The context of libnftables is not made for two threads, and the order of changes is their meaning.
function oneAtATime(): <T>(job: () => Promise<T>) => Promise<T> {
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();
  const settled = () => {
    waiting--;
  };
  return (job) => {
    // When nobody waits the job starts now, in this very tick, because a scanner is sending.
    const result = waiting === 0 ? job() : last.then(job);
    waiting++;
    last = result.then(settled, settled);
    return result;
  };
}

/** nftables' first line of complaint, without the drawing of carets under the script. */
function firstComplaint(text: string): string {
  const line = text.split("\n").find((each) => each.includes("Error")) ?? text.trim();
  return line.replace(/^.*?Error: /, "").trim() || "nftables refused without a word";
}

function findNft(): string | null {
  const path = `${process.env["PATH"] ?? ""}${delimiter}/usr/sbin${delimiter}/sbin`;
  for (const folder of path.split(delimiter)) {
    if (!folder.startsWith("/")) continue;
    const program = join(folder, "nft");
    try {
      accessSync(program, constants.X_OK);
      return program;
    } catch {
      // Not in this folder; the next one may have it.
    }
  }
  return null;
}
