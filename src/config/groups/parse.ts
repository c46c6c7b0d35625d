// Makes what the program works with of the sections that have names of their own: [retention.web], [webhook.chat].
// Pure. One with a fault in it is left out whole: half a group would remove other files, or tell other people.
import { GROUP_KEYS, type GroupKind } from "../keys.ts";
import type { RetentionGroup, WebhookGroup } from "../types.ts";
import { valueOrDefault } from "../value.ts";

/** A section as it was read: its good values by full name, and whether there were none but good ones. */
export type NamedSection = {
  readonly kind: GroupKind;
  readonly name: string;
  readonly values: ReadonlyMap<string, unknown>;
  readonly clean: boolean;
};

/** Why a section makes no group. */
export type Refusal = { readonly message: string; readonly mend: string; readonly consequence: string };

/** Files that are removed when they are too many, too large or too old. */
export function retentionOf(section: NamedSection): RetentionGroup | Refusal {
  const consequence = "nothing is removed for it";
  const value = reader(section);
  const paths = value("paths") as readonly string[];
  if (paths.length === 0 || paths.some((path) => !path.startsWith("/"))) {
    return {
      message: "wants paths that begin with /",
      mend: 'write paths = ["/srv/app/logs/*.log"]',
      consequence,
    };
  }
  if (!section.clean) return faulty(consequence);
  return {
    name: section.name,
    paths,
    maxBytes: value("max_bytes") as number,
    maxAgeMs: value("max_age") as number,
    maxFiles: value("max_files") as number,
    minKeep: value("min_keep") as number,
    compressAfterMs: value("compress_after") as number,
  };
}

/** A place that gets every report. */
export function webhookOf(section: NamedSection): WebhookGroup | Refusal {
  const consequence = "no report goes there";
  const value = reader(section);
  if (!section.clean) return faulty(consequence);
  if (value("url") === "")
    return { message: "wants an address", mend: 'write url = "https://HOST/PATH"', consequence };
  return {
    name: section.name,
    url: value("url") as string,
    shape: value("shape") as WebhookGroup["shape"],
    tokenFile: value("token_file") as string,
  };
}

function faulty(consequence: string): Refusal {
  return { message: "has a fault", mend: "mend the lines named above", consequence };
}

function reader({ kind, name, values }: NamedSection): (key: string) => unknown {
  return (key) => {
    const definition = GROUP_KEYS[kind].find((known) => known.name === `${kind}.NAME.${key}`)!;
    return valueOrDefault(values, `${kind}.${name}.${key}`, definition);
  };
}
