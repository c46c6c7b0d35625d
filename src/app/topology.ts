// The guard, read top to bottom. Packets become scans in `sentry` and lines become findings in `check`; scans
// become verdicts and blocks in `respond`; `rotate` keeps the logs in bounds, and `disk` says how they grow; `report` tells the administrator.
// Whoever acts on a finding starts before whoever makes it.
import type { PartDefinition } from "./part.ts";
import { checkPart } from "./parts/check.ts";
import { diskPart } from "./parts/disk.ts";
import { reportPart } from "./parts/report.ts";
import { respondPart } from "./parts/respond.ts";
import { rotatePart } from "./parts/rotate.ts";
import { sentryPart } from "./parts/sentry.ts";

export const TOPOLOGY: readonly PartDefinition[] = [
  respondPart,
  sentryPart,
  checkPart,
  rotatePart,
  diskPart,
  reportPart,
];
