// Plays the four scenes that telltale is for, with real parts: a small disk, real daemons, a real nmap, a real mail.
// Everything happens in a scratch folder and in network namespaces that are removed at the end.
import { type ChildProcess, execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statfsSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { labObstacle, makeLab, ROOT, TELLTALE } from "../tests/system/lab.ts";
import { waitFor } from "../tests/system/wait.ts";
import { playFullDisk } from "./demo-full-disk.ts";

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const MAIL_PORT = "2525";

const obstacle = labObstacle("nft", "nmap", "mount");
if (obstacle !== null) {
  process.stderr.write(`demo: ${obstacle}\n    mend: run it as root: sudo npm run demo\n`);
  process.exit(77);
}

const began = performance.now();
using lab = makeLab(["stranger", "visitor"]);
const [stranger, visitor] = lab.clients as [(typeof lab.clients)[0], (typeof lab.clients)[0]];
const disk = join(lab.dir, "disk");
const shopLog = join(disk, "shop.log");
const strayLog = join(lab.dir, "opt/apache-new/logs/access.log");
for (const folder of [
  disk,
  join(lab.dir, "opt/apache-new/logs"),
  join(lab.dir, "mail"),
  join(lab.dir, "state"),
]) {
  mkdirSync(folder, { recursive: true });
}
execFileSync("mount", ["-t", "tmpfs", "-o", "size=16m,mode=755", "telltale-demo", disk]);
const unmount = (): void => void spawnSync("umount", ["-l", disk]);
process.on("exit", unmount);

const node = process.execPath;
const daemon = (log: string, rate: number, lines: number, pidFile = ""): ChildProcess =>
  lab.start("host", [
    node,
    join(ROOT, "tests/system/chatty-daemon.ts"),
    log,
    String(rate),
    String(lines),
    ...(pidFile ? [pidFile] : []),
  ]);

writeFileSync(
  join(lab.dir, "logrotate.conf"),
  `${shopLog} {
  size 2M
  missingok
  rotate 3
  compress
  create 0640
  postrotate
    kill -HUP "$(cat ${lab.dir}/shop.pid)"
  endscript
}
/var/log/apache2/access.log {
  weekly
  missingok
}
`,
);
writeFileSync(join(lab.dir, "auth.log"), "");
writeFileSync(
  join(lab.dir, "telltale.toml"),
  `[store]
directory = "${lab.dir}/state"
[rotate]
config = ["${lab.dir}/logrotate.conf"]
state = "${lab.dir}/state/rotate.state"
roots = ["${lab.dir}/opt"]
[check]
logs = ["${lab.dir}/auth.log"]
journal = "off"
[report]
via = "smtp"
smtp_port = ${MAIL_PORT}
to = "root@localhost"
`,
);

say(
  "The stage: a guarded host with a web server on port 80 and a 16 MB disk for its logs, a visitor, a stranger.",
);
say("Apache was reinstalled under opt/apache-new; the rotation still names /var/log/apache2.\n");
const mail = lab.start("host", [
  node,
  join(ROOT, "tests/system/smtp-sink.ts"),
  MAIL_PORT,
  join(lab.dir, "mail"),
]);
const web = lab.start("host", [
  node,
  "-e",
  'require("http").createServer((_, r) => r.end("shop\\n")).listen(80, "::", () => console.log("ready"))',
]);
await Promise.all([untilSays(mail, "ready"), untilSays(web, "ready")]);
daemon(strayLog, 200, 1_000_000);
await waitFor("the stray log", () => existsSync(strayLog) && statSync(strayLog).size > 10_000);

say(`$ telltale guard --block --config ${lab.dir}/telltale.toml`);
const guard = lab.start("host", [TELLTALE, "guard", "--block", "--config", join(lab.dir, "telltale.toml")]);
let said = "";
guard.stdout!.setEncoding("utf8").on("data", (chunk: string) => {
  said += chunk;
  process.stdout.write(chunk.replace(/^(?=.)/gm, "  guard | "));
});
guard
  .stderr!.setEncoding("utf8")
  .on("data", (chunk: string) => process.stdout.write(chunk.replace(/^(?=.)/gm, "  guard ! ")));
await waitFor("the guard's status", () => said.includes("\n\n"));

say(
  "\n1. THE LOG THAT NO ROTATION COVERS\n   A daemon writes where no stanza looks. The guard should point it out.",
);
await waitFor("the stray log to be named", () => said.includes("apache-new/logs/access.log"));

say("\n2. THE SERVER THAT STOPS BECAUSE A LOG FILLED ITS DISK");
say("   The shop writes 30 MB of orders to a 16 MB disk. Without rotation it would stop half way.");
const ORDERS = 320_000;
const shop = daemon(shopLog, 32_000, ORDERS, join(lab.dir, "shop.pid"));
let shopSaid = "";
shop.stdout!.setEncoding("utf8").on("data", (chunk: string) => {
  shopSaid += chunk;
});
await waitFor("the shop to finish", () => shopSaid.includes("done"), 60_000);
const refused = shopSaid.split("\n").filter((line) => line.startsWith("refused")).length;
await waitFor("the last rotation to settle", () => readdirSync(disk).some((name) => name.endsWith(".gz")));
const { bfree, blocks } = statfsSync(disk);
say(
  `   ${ORDERS.toLocaleString("en")} orders written, ${refused} refused by the disk; ${Math.round((100 * bfree) / blocks)} % of it is free:`,
);
for (const name of readdirSync(disk).sort())
  say(`     ${String(statSync(join(disk, name)).size).padStart(9)}  ${name}`);

say("\n3. THE DISK THAT IS FULL ALREADY\n   A limit was written too late; not a byte is left to work with.");
playFullDisk(lab, say);

say("\n4. THE STRANGER AND THE VISITOR");
say(`   The visitor (${visitor.v4}) types https:// although only http:// is served, and tries ten times.`);
const mistake =
  'let n = 0; (function go() { const s = require("net").connect(443, process.argv[1]); s.on("error", () => (++n < 10 ? go() : console.log("refused", n, "times"))); })()';
say(`   visitor: ${lab.run("visitor", [node, "-e", mistake, visitor.host4]).stdout.trim()}`);
say(`   The stranger (${stranger.v4}) scans every port: nmap -sS -Pn -n -p- ${stranger.host4}`);
const scan = lab.start("stranger", [
  "nmap",
  "-sS",
  "-Pn",
  "-n",
  "-T4",
  "-p-",
  "--max-retries",
  "1",
  "--host-timeout",
  "8s",
  stranger.host4,
]);
let scanSaid = "";
scan.stdout!.setEncoding("utf8").on("data", (chunk: string) => {
  scanSaid += chunk;
});
await waitFor("the stranger to be blocked", () =>
  new RegExp(`block.*${stranger.v4.replaceAll(".", "\\.")}`, "i").test(said),
);
await waitFor("nmap to end", () => scan.exitCode !== null, 30_000);
say(
  `   nmap: ${(/^Not shown.*$|^All .*$/m.exec(scanSaid)?.[0] ?? "gave up: the host no longer answers").trim()}`,
);
say(
  `   nft list table inet telltale says: ${lab
    .run("host", ["nft", "list", "table", "inet", "telltale"])
    .stdout.match(new RegExp(`.*${stranger.v4.replaceAll(".", "\\.")}.*`))?.[0]
    .trim()}`,
);
const shopping =
  'require("http").get({host: process.argv[1], timeout: 3000}, (r) => r.on("data", (d) => console.log(String(d).trim())))';
say(
  `   The visitor goes to http:// and gets: ${lab.run("visitor", [node, "-e", shopping, visitor.host4]).stdout.trim()}`,
);

say("\nTHE MAIL\n$ telltale report --send");
const sent = lab.run("host", [TELLTALE, "report", "--send", "--config", join(lab.dir, "telltale.toml")]);
if (sent.status !== 0) say(sent.stderr);
const letter = await waitFor(
  "the mail",
  () => existsSync(join(lab.dir, "mail/1.eml")) && readFileSync(join(lab.dir, "mail/1.eml"), "utf8"),
);
say(textOf(letter).replace(/^/gm, "  | "));

guard.kill("SIGTERM");
await waitFor("the guard to stop", () => guard.exitCode !== null);
unmount();
say(
  `\nAll of it took ${Math.round((performance.now() - began) / 1_000)} seconds; namespaces and folders are removed.`,
);

async function untilSays(child: ChildProcess, word: string): Promise<void> {
  let text = "";
  child.stdout!.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  await waitFor(`"${word}"`, () => text.includes(word));
}

// The headers a reader sees, and the first text part, decoded from quoted-printable (RFC 2045 section 6.7).
function textOf(message: string): string {
  const [head = ""] = message.split("\r\n\r\n");
  const shown = head
    .replace(/\r\n[ \t]+/g, " ")
    .split("\r\n")
    .filter((line) => /^(From|To|Subject|Date):/.test(line));
  const part =
    /Content-Type: text\/plain[\s\S]*?\r\n\r\n([\s\S]*?)\r\n--/.exec(message)?.[1] ??
    message.slice(head.length + 4);
  const body = /Content-Transfer-Encoding: quoted-printable/i.test(message)
    ? part
        .replace(/=\r\n/g, "")
        .replace(/((?:=[0-9A-F]{2})+)/g, (run) =>
          Buffer.from(run.replaceAll("=", ""), "hex").toString("utf8"),
        )
    : part;
  return [...shown, "", body.trimEnd()].join("\n").replaceAll("\r", "");
}
