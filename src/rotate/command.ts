// Runs the administrator's commands: rotation scripts, mailers, compressors. Arguments are passed as arguments, never pasted
// into shell text, so a log may be called anything.
import { spawn } from "node:child_process";
import { constants, setPriority } from "node:os";
import type { Identity } from "./types.ts";

export type CommandResult = {
  readonly ok: boolean;
  /** `exit status 3`, `killed by SIGTERM`, `cannot run: ENOENT`. */
  readonly why: string;
  /** The end of what it wrote, when it was collected. */
  readonly output: string;
};

/** A descriptor, or a way to throw away or collect. */
export type Stream = number | "ignore" | "inherit";

export type CommandOptions = {
  readonly stdin?: Stream;
  readonly stdout?: Stream;
  /** Whether stdout (unless given) and stderr go where ours go; otherwise their end is collected. */
  readonly inherit?: boolean;
  /** Whether it yields the processor to everything else (nice 19). */
  readonly background?: boolean;
  /** Variables it gets besides ours. */
  readonly env?: Readonly<Record<string, string>>;
  /** What it gets as descriptor 3. */
  readonly extra?: number | undefined;
  /** Whose rights it has; null for ours. */
  readonly identity?: Identity | null;
  readonly signal?: AbortSignal | undefined;
};

// A script in a loop must not fill the memory; the end of what it says is what explains a failure.
const MAX_OUTPUT = 8 * 1024;

/** Runs a command to its end. Never throws: what went wrong is in the result. */
export function runCommand(
  argv: readonly [string, ...string[]],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const {
    stdin = "ignore",
    stdout,
    inherit = false,
    identity = null,
    background = false,
    env,
    extra,
    signal,
  } = options;
  const sink = inherit ? "inherit" : "pipe";
  return new Promise((resolve) => {
    const child = spawn(argv[0], argv.slice(1), {
      stdio: [stdin, stdout ?? sink, sink, ...(extra === undefined ? [] : [extra])],
      ...(identity === null ? {} : { uid: identity.uid, gid: identity.gid }),
      ...(env === undefined ? {} : { env: { ...process.env, ...env } }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (background && child.pid !== undefined) yieldProcessor(child.pid);
    let output = "";
    const collect = (chunk: Buffer): void => {
      output = (output + chunk.toString("utf8")).slice(-MAX_OUTPUT);
    };
    child.stdout?.on("data", collect);
    child.stderr?.on("data", collect);
    child.on("error", (error: NodeJS.ErrnoException) => {
      resolve({ ok: false, why: `cannot run ${argv[0]}: ${error.code ?? error.message}`, output });
    });
    child.on("close", (status, killedBy) => {
      const why = killedBy !== null ? `killed by ${killedBy}` : `exit status ${status}`;
      resolve({ ok: status === 0, why, output });
    });
  });
}

function yieldProcessor(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_LOW);
  } catch {
    // It has ended already, or may not be reniced here: it does its work all the same.
  }
}
