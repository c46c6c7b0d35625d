// Every key of telltale.toml in one table: the parser, `--help`, the manual and the commented example read it,
// so that none of them can disagree about a name, a default, a unit, a bound or a reason. A file for each section.
import { CHECK_KEYS } from "./keys/check.ts";
import { DISK_KEYS } from "./keys/disk.ts";
import { GUARD_KEYS } from "./keys/guard.ts";
import type { KeyDefinition } from "./keys/kind.ts";
import { REPORT_KEYS } from "./keys/report.ts";
import { RESPOND_KEYS } from "./keys/respond.ts";
import { RETENTION_KEYS } from "./keys/retention.ts";
import { ROTATE_KEYS } from "./keys/rotate.ts";
import { SENTRY_KEYS } from "./keys/sentry.ts";
import { STORE_KEYS } from "./keys/store.ts";
import { WEBHOOK_KEYS } from "./keys/webhook.ts";

export type { KeyDefinition, KeyKind } from "./keys/kind.ts";

// `as const` there keeps the names and kinds as types, so that `config.respond.mode` is checked by the compiler.
export const KEYS = [
  ...RESPOND_KEYS,
  ...SENTRY_KEYS,
  ...CHECK_KEYS,
  ...ROTATE_KEYS,
  ...DISK_KEYS,
  ...REPORT_KEYS,
  ...GUARD_KEYS,
  ...STORE_KEYS,
] as const satisfies readonly KeyDefinition[];

/** Sections that stand there once for each name that the administrator gives: `[retention.NAME]`, `[webhook.NAME]`. */
export const GROUP_KEYS = { webhook: WEBHOOK_KEYS, retention: RETENTION_KEYS } as const;
export type GroupKind = keyof typeof GROUP_KEYS;

/** Every key there is, those of groups as `retention.NAME.paths`, in the order in which documents list them. */
export const ALL_KEYS: readonly KeyDefinition[] = [...KEYS, ...Object.values(GROUP_KEYS).flat()];

export type KeyName = (typeof KEYS)[number]["name"];
