// telltale with all its duties, over logs and rotation of the bench's own.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type GuardProcess, startGuard } from "../../tests/system/guard-process.ts";
import type { Lab } from "../../tests/system/lab.ts";
import { withListener } from "../../tests/system/split.ts";
import { makeLogTree, writeLogOfSize } from "../material/log-trees.ts";

const RULES = "/etc/logcheck";

// A host where nothing happens has no other processes that open logs, as the machine of the bench has.
export const ALONE = ["unshare", "--pid", "--fork", "--mount-proc"];

/**
 * Starts the guard over one log and twenty that are rotated.
 * @param how whether it watches for scans; in two processes, as the package runs it, or in one; what is put before the command
 */
export async function startWhole(
  lab: Lab,
  log: string,
  { hasSentry, split, as = [] }: { hasSentry: boolean; split: boolean; as?: readonly string[] },
): Promise<GuardProcess> {
  const content = join(lab.dir, "content");
  writeLogOfSize(content, 4_096, 3);
  const shape = { count: 20, sizeBytes: 4_096, generations: 2, directives: [], ending: "", isFresh: true };
  const tree = makeLogTree(join(lab.dir, "tree"), shape, content);
  tree.reset();
  const config = join(lab.dir, "telltale.toml");
  writeFileSync(
    config,
    `[store]
directory = "${lab.dir}/store"
[rotate]
config = ["${tree.config}"]
state = "${tree.state}"
roots = ["${lab.dir}/tree/logs"]
[check]
rules = "${RULES}"
logs = ["${log}"]
journal = "off"
[sentry]
enabled = ${hasSentry}
[report]
via = "none"
`,
  );
  const options = { ...(split ? withListener(lab) : {}), as };
  return await startGuard(lab, ["--block", "--config", config], options);
}
