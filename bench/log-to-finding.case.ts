// From a line of a log to the word about it, and to the block, where there is one: what fail2ban, sshguard and crowdsec
// are for. telltale reads logs and reports; it blocks by what the packets say and not by lines, and its row says so.
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { type Lab, labObstacle, makeLab } from "../tests/system/lab.ts";
import { waitFor } from "../tests/system/wait.ts";
import { missing } from "./machine.ts";
import { startAccount } from "./scene/costs.ts";
import { crowdsec, startCrowdsec } from "./scene/guards/crowdsec.ts";
import { startJail } from "./scene/guards/fail2ban.ts";
import { readBy, readerObstacle } from "./scene/reader.ts";
import { play } from "./scene/stage.ts";
import { openSyslogSocket } from "./scene/syslog-socket.ts";
import { startWhole } from "./scene/whole-guard.ts";
import { type Case, type Contender, CPU, PSS, type Sample } from "./types.ts";

const ATTACKERS = 10;
const EVERY_MS = 1_000;
const LAST_MS = 40_000;
// As many failed logins as the most patient of them wants.
const LINES = 8;

/** Whom a guard spoke of, and when that could be read, in milliseconds since the epoch. */
type Word = { readonly source: string; readonly atMs: number };
type Words = () => readonly Word[];

const nowMs = (): number => performance.timeOrigin + performance.now();
const attacker = (n: number): string => `203.0.113.${n + 1}`;

function failedLogins(n: number): string {
  const stamp = new Date()
    .toString()
    .slice(4, 24)
    .replace(/ \d{4} /, " ")
    .replace(/ 0(\d) /, "  $1 ");
  const says = (text: string): string => `${stamp} web1 sshd[${2_000 + n}]: ${text}\n`;
  const who = (k: number): string => `root from ${attacker(n)} port ${40_000 + k} ssh2`;
  const refused = Array.from({ length: LINES }, (_, k) => says(`Failed password for ${who(k)}`));
  // Debian's rules let single failures pass; this line, which sshd adds when it hangs up, they have reported.
  return `${refused.join("")}${says(`error: maximum authentication attempts exceeded for ${who(LINES)} [preauth]`)}`;
}

async function measure(
  role: Contender["role"],
  start: (lab: Lab, log: string, heard: Word[]) => Promise<Words>,
): Promise<Sample> {
  const blocks = role === "peer";
  using lab = makeLab(["stranger"]);
  const cost = startAccount(lab);
  const log = join(lab.dir, "auth.log");
  writeFileSync(log, "");
  const words = await start(lab, log, []);
  const askedAt: number[] = [];
  const blockedAt = new Map<number, number>();
  const look = async (): Promise<void> => {
    const rules = await play(lab, "host", ["nft", "list", "ruleset"], LAST_MS);
    const atMs = nowMs();
    for (const n of askedAt.keys()) {
      const isBlocked = new RegExp(`\\b${attacker(n).replaceAll(".", "\\.")}\\b`).test(rules);
      if (isBlocked && !blockedAt.has(n)) blockedAt.set(n, atMs);
    }
  };
  const since = (n: number, atMs: number | undefined) => (atMs === undefined ? [] : [atMs - askedAt[n]!]);
  const spoken = () =>
    askedAt.flatMap((_, n) => since(n, words().find(({ source }) => source === attacker(n))?.atMs));
  for (let n = 0; n < ATTACKERS; n++) {
    askedAt.push(nowMs());
    appendFileSync(log, failedLogins(n));
    for (const end = performance.now() + EVERY_MS; performance.now() < end; await pause(5))
      if (blocks) await look();
  }
  // Who was passed over in silence, or let in, is counted below.
  for (const end = performance.now() + LAST_MS; performance.now() < end; await pause(5)) {
    await look();
    if (spoken().length === ATTACKERS && (!blocks || blockedAt.size === ATTACKERS)) break;
  }
  const toBlock = [...blockedAt].flatMap(([n, atMs]) => since(n, atMs));
  return {
    ...middleAndWorst("word", spoken()),
    ...middleAndWorst("block", toBlock),
    silent: ATTACKERS - spoken().length,
    ...(role === "limit" ? {} : { open: ATTACKERS - toBlock.length }),
    ...cost(),
  };
}

function middleAndWorst(what: string, tookMs: readonly number[]): Sample {
  const sorted = tookMs.toSorted((a, b) => a - b);
  if (sorted.length === 0) return {};
  return { [`${what}Ms`]: sorted[sorted.length >> 1]!, [`${what}WorstMs`]: sorted.at(-1)! };
}

async function startTelltale(lab: Lab, log: string): Promise<Words> {
  const reader = readBy(lab);
  const guard = await startWhole(lab, log, { hasSentry: false, split: true, as: reader.as });
  return () => {
    const readMs = reader.linesMs();
    return guard.events.flatMap((event, index) => {
      const source = event.type === "line.found" ? / from (\S+) port /.exec(event.line)?.[1] : undefined;
      return source === undefined ? [] : [{ source, atMs: readMs[index]! }];
    });
  };
}

async function startFail2ban(lab: Lab, log: string): Promise<Words> {
  await startJail(lab, "sshd", log, "maxretry = 5");
  const found = /^(\S+ \S+),(\d+) .*\] Found (\S+) /gm;
  return () =>
    [...readFileSync(join(lab.dir, "fail2ban.log"), "utf8").matchAll(found)].map(
      ([, second, fraction, source]) => ({
        source: source!,
        atMs: Date.parse(`${second!.replace(" ", "T")}.${fraction}`) + 1, // cut off to whole milliseconds
      }),
    );
}

async function startSshguard(lab: Lab, log: string, heard: Word[]): Promise<Words> {
  const config = join(lab.dir, "sshguard.conf");
  writeFileSync(
    config,
    `BACKEND="/usr/libexec/sshguard/sshg-fw-nft-sets"\nFILES="${log}"\nTHRESHOLD=30\nBLOCK_TIME=120\nDETECTION_TIME=1800\n`,
  );
  const syslog = await openSyslogSocket(lab, "sshguard-dev", (line, atMs) => {
    const source = /Attack from "([^"]+)"/.exec(line)?.[1];
    if (source !== undefined) heard.push({ source, atMs });
  });
  const binds = [[config, "/etc/sshguard/sshguard.conf"] as const, ...syslog.binds];
  const child = lab.start("host", ["sshguard"], { binds });
  child.stdout!.resume();
  child.stderr!.resume();
  await waitFor("sshguard's table", () =>
    lab.run("host", ["nft", "list", "tables"]).stdout.includes("sshguard"),
  );
  return () => heard;
}

async function startTail(lab: Lab, log: string): Promise<Words> {
  const reader = readBy(lab);
  const child = lab.start("host", ["tail", "-n", "+1", "-F", log], { as: reader.as });
  child.stderr!.resume();
  const lines: string[] = [];
  createInterface({ input: child.stdout! }).on("line", (line) => lines.push(line));
  writeFileSync(log, "begin\n");
  await waitFor("tail to follow the log", () => lines.length > 0);
  return () => {
    const readMs = reader.linesMs();
    return lines.flatMap((line, index) => {
      const source = / from (\S+) port /.exec(line)?.[1];
      return source === undefined ? [] : [{ source, atMs: readMs[index]! }];
    });
  };
}

/** Lines of failed logins to the word about them, and to a block in the firewall. */
export function logToFindingCase(): Case {
  const contender = (
    name: string,
    role: Contender["role"],
    command: string,
    obstacle: string | null,
    start: (lab: Lab, log: string, heard: Word[]) => Promise<Words>,
  ): Contender => ({
    name,
    role,
    command,
    obstacle: labObstacle("nft") ?? readerObstacle() ?? obstacle,
    isAlwaysCold: true,
    run: () => measure(role, start),
  });
  return {
    name: "log-to-finding",
    what: `${ATTACKERS} attackers, a second apart: ${LINES} failed logins and sshd's last word on them at once, until somebody who reads the guard's words knows of the address, and until it stands in the firewall. telltale reports lines and does not block by them: its row ends at the word.`,
    metrics: [
      { key: "wordMs", title: "line to word", unit: "ms", better: "less" },
      { key: "wordWorstMs", title: "worst", unit: "ms", better: "less" },
      { key: "silent", title: `not told, of ${ATTACKERS}`, unit: "count", better: "less" },
      { key: "blockMs", title: "line to block", unit: "ms", better: "less" },
      { key: "blockWorstMs", title: "worst block", unit: "ms", better: "less" },
      { key: "open", title: `not blocked, of ${ATTACKERS}`, unit: "count", better: "less" },
      CPU,
      PSS,
    ],
    goals: [
      { metric: "silent", atMost: 0 },
      { metric: "open", atMost: 0 },
      { metric: "wordMs", over: "fail2ban", ratioAtLeast: 1 },
      { metric: "wordMs", over: "sshguard", ratioAtLeast: 1 },
    ],
    open: () => ({
      contenders: [
        contender(
          "telltale",
          "telltale",
          "bin/telltale guard --block --json --config telltale.toml # line.found, by logcheck's rules",
          missing("logcheck", "logcheck-database"),
          startTelltale,
        ),
        contender(
          "fail2ban",
          "peer",
          'fail2ban-server -f # jail sshd: maxretry 5, nftables-allports; its log says "Found"',
          missing("fail2ban-server", "fail2ban"),
          startFail2ban,
        ),
        contender(
          "sshguard",
          "peer",
          'sshguard # threshold 30, nft sets; syslog says "Attack from"',
          missing("sshguard"),
          startSshguard,
        ),
        contender(
          "crowdsec",
          "peer",
          'crowdsec; crowdsec-firewall-bouncer # collection sshd, offline; its log says "performed"',
          crowdsec.obstacle,
          async (lab, log) => await startCrowdsec(lab, log),
        ),
        contender("tail -F", "limit", "tail -F auth.log", null, startTail),
      ],
      [Symbol.dispose]: () => {},
    }),
  };
}
