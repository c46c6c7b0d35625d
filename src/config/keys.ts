// Every key of telltale.toml in one table: the parser, `--help`, the manual and the commented example read it,
// so that none of them can disagree about a name, a default, a unit, a bound or a reason. A file for each section.
import { CHECK_KEYS } from "./keys/check.ts";
import { DISK_KEYS } from "./keys/disk.ts";
import { GUARD_KEYS } from "./keys/guard.ts";
import type { KeyDefinition } from "./keys/kind.ts";
import { REPORT_KEYS } from "./keys/report.ts";
import { RESPOND_KEYS } from "./keys/respond.ts";
import { ROTATE_KEYS } from "./keys/rotate.ts";
import { SENTRY_KEYS } from "./keys/sentry.ts";
import { STORE_KEYS } from "./keys/store.ts";

export type { KeyDefinition, KeyKind } from "./keys/kind.ts";
export { RETENTION_KEYS } from "./keys/retention.ts";

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

export type KeyName = (typeof KEYS)[number]["name"];
