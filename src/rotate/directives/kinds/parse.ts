// The kinds of value that directives take: switches, counts, sizes, words, addresses. Each kind makes directives for the table.
import type { Settings } from "../../types.ts";
import { parseSizeBytes, parseWholeNumber } from "../../values/parse.ts";

/** Names that only the machine knows; null when it does not know them. */
export type Names = {
  uidOf(user: string): number | null;
  gidOf(group: string): number | null;
};

/** A value that a directive refuses. */
export type Refusal = { readonly message: string; readonly mend: string };

export type Directive = {
  /** What it wants after its name, for the reference and for faults. */
  readonly wants: string;
  /** The setting it changes, so that `rotate` and `norotate`-like twins share one origin. */
  readonly sets: keyof Settings;
  apply(settings: Settings, value: string, names: Names): Refusal | null;
};

/** A value refused, and what to write. */
export function refuse(message: string, mend: string): Refusal {
  return { message, mend };
}

/** What was found, for a refusal. */
export function found(value: string): string {
  return value === "" ? "found nothing" : `found ${JSON.stringify(value.slice(0, 80))}`;
}

type NumberKey = { [K in keyof Settings]: Settings[K] extends number ? K : never }[keyof Settings];
type FlagKey = { [K in keyof Settings]: Settings[K] extends boolean ? K : never }[keyof Settings];
type TextKey = { [K in keyof Settings]: string extends Settings[K] ? K : never }[keyof Settings];

/** A switch. */
export function flag(sets: FlagKey, to: boolean): Directive {
  return constant(sets, to);
}

/** A whole number of at least `least`. */
export function number(sets: NumberKey, least: number, mend: string): Directive {
  return {
    wants: `a whole number, ${least} or more`,
    sets,
    apply(settings, value) {
      const given = parseWholeNumber(value);
      if (given === null) return refuse(`wants a whole number, ${found(value)}`, mend);
      if (given < least) return refuse(`wants at least ${least}, found ${given}`, mend);
      settings[sets] = given;
      return null;
    },
  };
}

/** A size in bytes with k, M or G. */
export function size(sets: NumberKey, andThen: (settings: Settings) => void = () => {}): Directive {
  return {
    wants: "a size such as 100, 100k, 100M or 1G",
    sets,
    apply(settings, value) {
      const bytes = parseSizeBytes(value);
      if (bytes === null) {
        const unit = /^\d+([a-zA-Z]+)$/.exec(value)?.[1];
        return refuse(
          `wants a size in bytes, ${found(value)}`,
          unit === undefined
            ? "write a number with k, M or G right after it, as in 100k"
            : `the units are k, M and G in exactly this case: write ${value.slice(0, -unit.length)}${unit.startsWith("m") ? "M" : "k"}`,
        );
      }
      settings[sets] = bytes;
      andThen(settings);
      return null;
    },
  };
}

/** A period that logs are rotated after. */
export function criterion(name: Settings["criterion"]): Directive {
  return {
    wants: "nothing",
    sets: "criterion",
    apply(settings) {
      settings.criterion = name;
      return null;
    },
  };
}

/** Any text but none. */
export function text(sets: TextKey, wants: string): Directive {
  return {
    wants,
    sets,
    apply(settings, value) {
      if (value === "") return refuse(`wants ${wants}, found nothing`, `write ${wants} after it`);
      settings[sets] = value;
      return null;
    },
  };
}

/** A word that stands for one value of a setting. */
export function constant<K extends keyof Settings>(sets: K, to: Settings[K]): Directive {
  return {
    wants: "nothing",
    sets,
    apply(settings) {
      settings[sets] = to;
      return null;
    },
  };
}

/** One address that may stand on a mail command's line: no blanks, no leading dash, no control characters. */
export function address(sets: "mail" | "errors"): Directive {
  return {
    wants: "one mail address",
    sets,
    apply(settings, value) {
      if (value === "" || /[\s\u0000-\u001f\u007f]/.test(value) || value.startsWith("-")) {
        return refuse(
          `wants one mail address, ${found(value)}`,
          `write ${sets} root, or ${sets} you@example.org`,
        );
      }
      settings[sets] = value;
      return null;
    },
  };
}
