// A host with one log that only root may read, rules for it, a mailer that writes down who runs it, and the configuration of a
// guard in two halves.
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "./lab.ts";
import { withListener } from "./split.ts";

const RULES = [
  "violations.d",
  "violations.ignore.d",
  "cracking.d",
  "ignore.d.server",
  "ignore.d.paranoid",
  "ignore.d.workstation",
];

export type Scene = {
  readonly config: string;
  readonly log: string;
  readonly binds: readonly (readonly [string, string])[];
};

/** Makes it in the lab's folder. */
export function makeScene(lab: Lab, more = ""): Scene {
  const { binds } = withListener(lab);
  const rules = join(lab.dir, "logcheck");
  for (const folder of RULES) mkdirSync(join(rules, folder), { recursive: true });
  writeFileSync(join(rules, "violations.d/app"), "app\\[[0-9]+\\]: event [0-9]+$\n");
  const log = join(lab.dir, "log/app.log");
  mkdirSync(join(lab.dir, "log"));
  writeFileSync(log, "", { mode: 0o600 });
  const outbox = join(lab.dir, "outbox");
  mkdirSync(outbox);
  chmodSync(outbox, 0o777);
  const sendmail = join(lab.dir, "sendmail");
  writeFileSync(
    sendmail,
    `#!/bin/sh\nexec >${outbox}/$$.part 2>&1\nid -u\ngrep NoNewPrivs /proc/self/status\necho "$@"\ncat\nmv ${outbox}/$$.part ${outbox}/$$.mail\n`,
    { mode: 0o755 },
  );
  writeFileSync(join(lab.dir, "logrotate.conf"), `${log} {\n size 1G\n rotate 9\n}\n`, { mode: 0o644 });
  const config = join(lab.dir, "telltale.toml");
  writeFileSync(
    config,
    `[store]
directory = "${lab.dir}/state"
[check]
rules = "${rules}"
logs = ["${log}"]
journal = "off"
[rotate]
config = ["${lab.dir}/logrotate.conf"]
roots = []
[report]
via = "sendmail"
sendmail = "${sendmail}"
to = "root, admin@example.org"
alerts = true
${more}`,
  );
  return { config, log, binds };
}

/** What the firewall blocks. */
export const blocked = (lab: Lab) =>
  [
    ...lab.run("host", ["nft", "list", "table", "inet", "telltale"]).stdout.matchAll(/set blocked[^}]*\}/g),
  ].join("\n");
