// Blocks by a command of the administrator's own. It gets an argument list and an environment, no shell; a shell runs
// only a string that the administrator wrote as one (PortSentry's KILL_ROUTE and KILL_RUN_CMD).
import { execFile } from "node:child_process";
import { familyOf, formatPrefix, type Prefix } from "../../core/address.ts";
import { SimpleBackend, type Way } from "./simple.ts";

/** `{target}` and `{address}` stand for the target in an argument list, `$TARGET$` in a shell string. */
export type CommandLine = { readonly argv: readonly string[] } | { readonly shell: string };

export type CommandOptions = {
  readonly block: CommandLine;
  /** Left out: a block cannot be lifted, and says so when somebody tries. */
  readonly lift?: CommandLine;
  /** A command that runs longer is ended and counts as failed; milliseconds. */
  readonly timeoutMs?: number;
};

const TIMEOUT_MS = 10_000;
// The command may be slow; a few at a time are enough for a host, and a flood of findings is capped before it comes here.
const MOST_AT_ONCE = 4;

class CommandWay implements Way {
  readonly name = "command";
  readonly mend = "run the command by hand and look at its exit status";
  readonly #options: CommandOptions;
  // The command cannot be asked what it has done: what ended with status 0 counts.
  readonly #held = new Map<string, Prefix>();

  constructor(options: CommandOptions) {
    this.#options = options;
  }

  describe(): string {
    const { block } = this.#options;
    return "argv" in block ? block.argv.join(" ") : block.shell;
  }

  async open(): Promise<void> {}

  async list(): Promise<Prefix[]> {
    return [...this.#held.values()];
  }

  forget(targets: readonly Prefix[]): void {
    for (const target of targets) this.#held.delete(formatPrefix(target));
  }

  async change(add: readonly Prefix[], remove: readonly Prefix[]): Promise<void> {
    const jobs = [
      ...remove.map((target) => ({ target, line: this.#options.lift, action: "lift" as const })),
      ...add.map((target) => ({ target, line: this.#options.block, action: "block" as const })),
      // A lift is an order also when another process made the block; a block that stands is not made twice.
    ].filter(({ target, action }) => action === "lift" || !this.#held.has(formatPrefix(target)));
    let first: unknown;
    const worker = async () => {
      for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
        const { target, line, action } = job;
        try {
          if (line === undefined) throw new Error("no command is configured that lifts a block");
          await run(line, target, action, this.#options.timeoutMs ?? TIMEOUT_MS);
          if (action === "block") this.#held.set(formatPrefix(target), target);
          else this.#held.delete(formatPrefix(target));
        } catch (error) {
          first ??= error;
        }
      }
    };
    await Promise.all(Array.from({ length: MOST_AT_ONCE }, worker));
    if (first !== undefined) throw first;
  }
}

export function commandBackend(options: CommandOptions): SimpleBackend {
  return new SimpleBackend(new CommandWay(options));
}

function run(line: CommandLine, target: Prefix, action: "block" | "lift", timeoutMs: number): Promise<void> {
  // Canonical addresses hold digits, a to f, dots, colons and a slash: nothing a shell could take for its own.
  const text = formatPrefix(target);
  const [program, ...args] =
    "argv" in line
      ? line.argv.map((each) => each.replaceAll("{target}", text).replaceAll("{address}", target.base))
      : ["/bin/sh", "-c", line.shell.replaceAll("$TARGET$", text)];
  return new Promise((resolve, reject) => {
    if (program === undefined) return reject(new Error("the command is empty"));
    const options = {
      timeout: timeoutMs,
      killSignal: "SIGKILL" as const,
      maxBuffer: 1024 * 1024,
      env: {
        PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        TELLTALE_ACTION: action,
        TELLTALE_TARGET: text,
        TELLTALE_ADDRESS: target.base,
        TELLTALE_BITS: String(target.bits),
        TELLTALE_FAMILY: String(familyOf(target.base)),
      },
    };
    execFile(program, args, options, (error, _, stderr) => {
      if (error === null) resolve();
      else {
        const how = error.killed
          ? `was ended after ${timeoutMs} ms`
          : `ended with ${error.code ?? error.signal}`;
        reject(
          new Error(`${program} ${how}${stderr === "" ? "" : `: ${stderr.trim().split("\n")[0]}`}`, {
            cause: error,
          }),
        );
      }
    });
  });
}
