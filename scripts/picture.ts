// Takes the terminal picture of the README from a real run: a guarded host and a stranger with nmap in network
// namespaces, the guard's own coloured output, drawn as SVG. Run as root: node scripts/picture.ts
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { labObstacle, makeLab, ROOT, TELLTALE } from "../tests/system/lab.ts";
import { withListener } from "../tests/system/split.ts";
import { waitFor } from "../tests/system/wait.ts";
import { drawTerminal } from "./terminal-svg.ts";

const obstacle = labObstacle("nft", "nmap", "script");
if (obstacle !== null) {
  process.stderr.write(`picture: ${obstacle}\n    mend: run it as root\n`);
  process.exit(77);
}

using lab = makeLab(["stranger"]);
const stranger = lab.clients[0]!;
const state = join(lab.dir, "state");
mkdirSync(state);
const auth = join(lab.dir, "auth.log");
writeFileSync(auth, "");
const config = join(lab.dir, "telltale.toml");
writeFileSync(
  config,
  `[store]\ndirectory = "${state}"\n[check]\nlogs = ["${auth}"]\njournal = "off"\n[rotate]\nstate = "${state}/rotate.state"\nroots = []\n[report]\nvia = "sendmail"\n`,
);

// As the package leaves a host: with a user of telltale's own.
const { binds } = withListener(lab);
const bind = (from: string, to: string) => `mount --bind ${from} ${to}; `;

// A pseudo-terminal, since colours are for terminals only. The host has a name of its own, and a mailer that sends nothing.
const inside = `hostname web1; ${bind("/bin/true", "/usr/sbin/sendmail")}${binds.map(([from, to]) => bind(from, to)).join("")}stty cols 104 rows 40; exec ${TELLTALE} guard --block --config ${config}`;
const network = lab.run("host", ["ip", "netns", "identify"]).stdout.trim();
const guard = spawn(
  "ip",
  ["netns", "exec", network, "unshare", "--uts", "--mount", "script", "-qec", inside, "/dev/null"],
  {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, TERM: "xterm-256color" },
  },
);
let said = "";
guard.stdout.setEncoding("utf8").on("data", (text: string) => {
  said += text;
});
try {
  await waitFor(
    "the guard's status",
    () => said.includes("\r\n\r\n  ") && /report.*\r\n[\s\S]*\r\n\r\n$/.test(said),
  );
  execFileSync("sh", [
    "-c",
    'echo "$(date "+%b %d %H:%M:%S") web1 sshd[4711]: error: maximum authentication attempts exceeded for root from 203.0.113.9 port 40022 ssh2 [preauth]" >> "$1"',
    "sh",
    auth,
  ]);
  lab.run("stranger", [
    "nmap",
    "-sS",
    "-Pn",
    "-n",
    "-T4",
    "--max-retries",
    "0",
    "--host-timeout",
    "4s",
    stranger.host4,
  ]);
  await waitFor("the block", () => /block.*until/.test(said));
} finally {
  guard.kill("SIGTERM");
}
const shown = said
  .replaceAll("\r\n", "\n")
  .replaceAll(state, "/var/lib/telltale")
  .replaceAll(auth, "/var/log/auth.log")
  .replaceAll(config, "/etc/telltale/telltale.toml");
const file = join(ROOT, "docs/terminal.svg");
writeFileSync(file, drawTerminal(`$ sudo telltale guard --block\n${shown}`, 104));
process.stdout.write(`${file}\n`);
process.exit(0);
