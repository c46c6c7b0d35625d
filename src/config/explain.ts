// Answers what a key is and why it has the value it has. Pure.
import { ALL_KEYS, GROUP_KEYS, type GroupKind, KEYS, type KeyDefinition, type KeyKind } from "./keys.ts";
import { nearestFew } from "./nearest.ts";
import type { KeyPlace, ReadConfig } from "./types.ts";

// More, and nobody reads them.
const SUGGESTIONS = 5;

const DEFINITIONS: readonly KeyDefinition[] = KEYS;
// KIND.NAME, or KIND.NAME.KEY.
const GROUP_KEY = new RegExp(`^(${Object.keys(GROUP_KEYS).join("|")})\\.([^.]+)(?:\\.(.+))?$`);

export type KeyAnswer = {
  readonly key: string;
  /** What holds, as somebody would write it. */
  readonly value: unknown;
  /** Where it was written; null when the default holds. */
  readonly from: { readonly file: string; readonly line: number } | null;
  /** What earlier files said of it, and does not hold. */
  readonly overridden: readonly KeyPlace[];
  readonly fallback: KeyDefinition["fallback"];
  readonly kind: KeyKind;
  readonly summary: string;
  readonly reason: string;
};

/**
 * What holds for a key, or for every key of a section.
 * @param name `respond.block_for`, `respond`, `retention.web.max_age`
 * @returns the answers, or the names that were probably meant, the likeliest first
 */
export function explainKeys(
  name: string,
  { places }: Pick<ReadConfig, "places">,
): readonly KeyAnswer[] | { readonly nearest: readonly string[] } {
  const found = definitionsOf(name);
  if (found.length === 0) {
    return { nearest: meantBy(name) };
  }
  return found.map(([key, { fallback, kind, summary, reason }]) => {
    const written = places.get(key) ?? [];
    const last = written.at(-1);
    return {
      key,
      value: last === undefined ? fallback : last.written,
      from: last === undefined ? null : { file: last.file, line: last.line },
      overridden: written.slice(0, -1),
      fallback,
      kind,
      summary,
      reason,
    };
  });
}

// Somebody who writes no section means a section, or a key of any.
function meantBy(name: string): readonly string[] {
  const names = ALL_KEYS.map((definition) => definition.name);
  if (name.includes(".")) return nearestFew(name, names, SUGGESTIONS);
  const sections = [...new Set(names.map((full) => full.slice(0, full.lastIndexOf("."))))];
  const bare = names.map((full) => full.slice(full.lastIndexOf(".") + 1));
  const close = new Set(nearestFew(name, [...new Set([...sections, ...bare])], SUGGESTIONS));
  return [...close]
    .flatMap((word) => (sections.includes(word) ? [word] : names.filter((full) => full.endsWith(`.${word}`))))
    .slice(0, SUGGESTIONS);
}

/** Every key, those of the groups that were written included. */
export function everyKey({ places }: Pick<ReadConfig, "places">): readonly KeyAnswer[] {
  const groups = [...places.keys()].filter((key) => GROUP_KEY.test(key)).map(groupOf);
  const names = [...DEFINITIONS.map(({ name }) => name), ...new Set(groups)];
  return names.flatMap((name) => {
    const answer = explainKeys(name, { places });
    return "nearest" in answer ? [] : answer;
  });
}

function groupOf(key: string): string {
  return key.split(".").slice(0, 2).join(".");
}

function definitionsOf(name: string): (readonly [key: string, definition: KeyDefinition])[] {
  const group = GROUP_KEY.exec(name);
  if (group !== null) {
    return GROUP_KEYS[group[1] as GroupKind].flatMap((definition) => {
      const key = definition.name.split(".")[2]!;
      const wanted = group[3] === undefined || group[3] === key;
      return wanted ? [[`${groupOf(name)}.${key}`, definition] as const] : [];
    });
  }
  return DEFINITIONS.filter((known) => known.name === name || known.name.startsWith(`${name}.`)).map(
    (definition) => [definition.name, definition] as const,
  );
}
