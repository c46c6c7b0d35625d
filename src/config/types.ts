// The shape of a configuration, derived from the table of keys.
import type { ConfigFault } from "../core/errors.ts";
import type { Schedule } from "../core/schedule.ts";
import type { KEYS, KeyKind } from "./keys.ts";

type ValueOf<Kind extends KeyKind> = Kind extends { is: "choice"; of: readonly (infer Choice)[] }
  ? Choice
  : Kind extends { is: "switch" }
    ? boolean
    : Kind extends { is: "count" | "duration" | "size" }
      ? number
      : Kind extends { is: "schedule" }
        ? Schedule
        : Kind extends { is: "ports" }
          ? readonly number[]
          : Kind extends { is: "texts" | "prefixes" | "hosts" }
            ? readonly string[]
            : string;

type Definition = (typeof KEYS)[number];
type SectionOf<Name extends string> = Name extends `${infer Section}.${string}` ? Section : never;
type KeyOf<Name extends string, Section extends string> = Name extends `${Section}.${infer Key}`
  ? Key
  : never;

/** One `[retention.NAME]` section. A limit of 0 is none. */
export type RetentionGroup = {
  readonly name: string;
  readonly paths: readonly string[];
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  readonly maxFiles: number;
  readonly minKeep: number;
  readonly compressAfterMs: number;
};

/** One `[webhook.NAME]` section. */
export type WebhookGroup = {
  readonly name: string;
  readonly url: string;
  readonly shape: Config["report"]["webhook_shape"];
  readonly tokenFile: string;
};

/** `config.respond.block_for` and so on; durations in milliseconds. */
export type Config = Groups & {
  readonly [Section in SectionOf<Definition["name"]>]: {
    readonly [D in Definition as KeyOf<D["name"], Section>]: ValueOf<D["kind"]>;
  };
};

/** The sections that have names of their own. */
export type Groups = {
  readonly retention: readonly RetentionGroup[];
  readonly webhook: readonly WebhookGroup[];
};

/** One file: its name for faults, its text for their line numbers, and what the TOML parser made of it. */
export type ConfigText = {
  readonly file: string;
  readonly text: string;
  readonly table: Readonly<Record<string, unknown>>;
};

/** Where a key was written and what, but for bad items of a list; the line is 1-based, 0 when it was not found. */
export type KeyPlace = { readonly file: string; readonly line: number; readonly written: unknown };

/** What reading gave: always a usable configuration, and every fault. */
export type ReadConfig = {
  readonly config: Config;
  readonly faults: readonly ConfigFault[];
  /** A file as a whole could not be used (bad syntax, unreadable): nothing it says holds. */
  readonly broken: boolean;
  /** Where each key was written, by full name; the place in force comes last. */
  readonly places: ReadonlyMap<string, readonly KeyPlace[]>;
  /** The files that were read, in order. */
  readonly files: readonly string[];
};
