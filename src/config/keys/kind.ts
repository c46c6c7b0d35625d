// What a key of telltale.toml is: its name, how its value is read, what holds without it, and why.

/** How a value is read. `duration` becomes milliseconds, `size` bytes, `prefixes` and `hosts` (which may be names too) stay text. */
export type KeyKind =
  | { is: "text" }
  /** An address of http or https, or nothing. */
  | { is: "url" }
  | { is: "choice"; of: readonly string[] }
  | { is: "switch" }
  | { is: "count"; min: number; max: number }
  | { is: "duration"; minMs: number; maxMs: number }
  | { is: "schedule"; minMs: number; maxMs: number }
  | { is: "size" }
  /** A size, or a share of a file system: `10%`. */
  | { is: "room" }
  | { is: "texts" }
  | { is: "ports" }
  | { is: "prefixes" }
  | { is: "hosts" };

export type KeyDefinition = {
  /** `section.key`. */
  readonly name: string;
  readonly kind: KeyKind;
  /** As somebody would write it in the file. */
  readonly fallback: string | number | boolean | readonly string[] | readonly number[];
  readonly summary: string;
  /** Why this default, or what goes wrong with another. */
  readonly reason: string;
};
