// Faults that a user can mend: where, what was found, what to write instead, and what we did meanwhile.

/** One fault in somebody's configuration. */
export type ConfigFault = {
  readonly file: string;
  /** 1-based; 0 when the fault is the file's as a whole. */
  readonly line: number;
  /** The directive or key, or "" when the fault is not about one. */
  readonly key: string;
  /** What is wrong, with what was found: `wants a whole number, found "7d"`. */
  readonly message: string;
  /** What to write or do instead. */
  readonly mend: string;
  /** What happens meanwhile: `stanza skipped`. */
  readonly consequence?: string;
};

/** `FILE:LINE: KEY: MESSAGE (CONSEQUENCE)` and, on a second line, the mend. */
export function formatFault(fault: ConfigFault): string {
  const place = fault.line > 0 ? `${fault.file}:${fault.line}` : fault.file;
  const key = fault.key === "" ? "" : `${fault.key}: `;
  const consequence = fault.consequence === undefined ? "" : ` (${fault.consequence})`;
  const mend = fault.mend === "" ? "" : `\n    mend: ${fault.mend}`;
  return `${place}: ${key}${fault.message}${consequence}${mend}`;
}

/** Configuration that cannot be used at all; carries every fault, not the first. */
export class ConfigError extends Error {
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[]) {
    super(faults.map(formatFault).join("\n"));
    this.name = "ConfigError";
    this.faults = faults;
  }
}

/** A part of the machine that does not work here, with the way to get it. `cause` keeps the first error. */
export class MissingPartError extends Error {
  readonly part: string;
  readonly mend: string;

  constructor(part: string, message: string, mend: string, cause?: unknown) {
    super(message, { cause });
    this.name = "MissingPartError";
    this.part = part;
    this.mend = mend;
  }
}

/** A foreign or system call that failed; made once, at the edge. */
export class SystemCallError extends Error {
  readonly call: string;
  readonly errno: number;
  /** The errno's name: `EPERM`. */
  readonly code: string;

  constructor(call: string, errno: number, code: string, detail = "") {
    super(`${call}: ${code}${detail === "" ? "" : `: ${detail}`}`);
    this.name = "SystemCallError";
    this.call = call;
    this.errno = errno;
    this.code = code;
  }
}

/** One line of an unknown error, for a message; stack and cause stay on the error. */
export function describeError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
