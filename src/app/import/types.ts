// What an import finds: each directive of the old configuration with its fate, and the settings that come of them.
import type { KeyName } from "../../config/keys.ts";

export const PEERS = ["logrotate", "logcheck", "portsentry", "fail2ban"] as const;
export type Peer = (typeof PEERS)[number];

/** `honoured`: telltale does the same; `changed`: something near it, named; `unsupported`: nothing, with the reason. */
export type Fate = "honoured" | "changed" | "unsupported";

export type Directive = {
  readonly peer: Peer;
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  readonly name: string;
  readonly value: string;
  readonly fate: Fate;
  readonly because: string;
};

/** A key of telltale.toml that a directive asks for. */
export type Wish = { readonly key: KeyName; readonly value: unknown };

/** What becomes of a directive, why, and the settings it asks for. */
export type Ruling = readonly [fate: Fate, because: string, ...wishes: readonly Wish[]];

/** A ruling as an expression. */
export function rule(...ruling: Ruling): Ruling {
  return ruling;
}

/** Takes down one directive. */
export type Note = (
  at: { readonly file: string; readonly line: number; readonly name: string; readonly value: string },
  ...ruling: Ruling
) => void;

export type Imported = {
  readonly directives: readonly Directive[];
  /** In the order of the table of keys; each with the directives it came from. */
  readonly settings: readonly (Wish & { readonly from: readonly Directive[] })[];
  /** Files that could not be read, or not to their end. */
  readonly troubles: readonly string[];
};
