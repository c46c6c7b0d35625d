// From lines of a log to a block: what fail2ban, sshguard and crowdsec are for. telltale reads logs and reports, and
// blocks by what the packets say; so it has no row here, and the table says that this leaves it behind.
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type Lab, labObstacle, makeLab } from "../tests/system/lab.ts";
import { waitFor } from "../tests/system/wait.ts";
import { missing } from "./machine.ts";
import { startAccount } from "./scene/costs.ts";
import { crowdsec, startCrowdsec } from "./scene/guards/crowdsec.ts";
import { startJail } from "./scene/guards/fail2ban.ts";
import { type Case, type Contender, CPU, PSS, type Sample } from "./types.ts";

const ATTACKERS = 10;
const EVERY_MS = 1_000;
// As many failed logins as the most patient of them wants.
const LINES = 8;

const attacker = (n: number): string => `203.0.113.${n + 1}`;

function failedLogins(n: number): string {
  const stamp = new Date()
    .toString()
    .slice(4, 24)
    .replace(/ \d{4} /, " ")
    .replace(/ 0(\d) /, "  $1 ");
  return Array.from(
    { length: LINES },
    (_, k) =>
      `${stamp} web1 sshd[${2_000 + n}]: Failed password for root from ${attacker(n)} port ${40_000 + k} ssh2\n`,
  ).join("");
}

async function measure(start: (lab: Lab, log: string) => Promise<unknown>): Promise<Sample> {
  using lab = makeLab(["stranger"]);
  const cost = startAccount(lab);
  const log = join(lab.dir, "auth.log");
  writeFileSync(log, "");
  await start(lab, log);
  const askedAt: number[] = [];
  const tookMs = new Map<number, number>();
  const look = (): boolean => {
    const rules = lab.run("host", ["nft", "list", "ruleset"]).stdout;
    for (const [n, atMs] of askedAt.entries()) {
      const isBlocked = new RegExp(`\\b${attacker(n).replaceAll(".", "\\.")}\\b`).test(rules);
      if (isBlocked && !tookMs.has(n)) tookMs.set(n, performance.now() - atMs);
    }
    return tookMs.size === askedAt.length;
  };
  for (let n = 0; n < ATTACKERS; n++) {
    askedAt.push(performance.now());
    appendFileSync(log, failedLogins(n));
    for (const end = performance.now() + EVERY_MS; performance.now() < end; await pause(5)) look();
  }
  await waitFor("the last block", look, 40_000).catch(() => undefined); // who was not blocked is counted
  const sorted = [...tookMs.values()].sort((a, b) => a - b);
  const sample: Record<string, number> = { blocked: sorted.length, ...cost() };
  if (sorted.length > 0) {
    sample["medianMs"] = sorted[sorted.length >> 1]!;
    sample["worstMs"] = sorted.at(-1)!;
  }
  return sample;
}

async function startSshguard(lab: Lab, log: string): Promise<void> {
  const config = join(lab.dir, "sshguard.conf");
  writeFileSync(
    config,
    `BACKEND="/usr/libexec/sshguard/sshg-fw-nft-sets"\nFILES="${log}"\nTHRESHOLD=30\nBLOCK_TIME=120\nDETECTION_TIME=1800\n`,
  );
  const child = lab.start("host", ["sshguard"], { binds: [[config, "/etc/sshguard/sshguard.conf"]] });
  child.stdout!.resume();
  child.stderr!.resume();
  await waitFor("sshguard's table", () =>
    lab.run("host", ["nft", "list", "tables"]).stdout.includes("sshguard"),
  );
}

/** Lines of failed logins to a block in the firewall. */
export function logBlockCase(): Case {
  const peer = (
    name: string,
    command: string,
    obstacle: string | null,
    start: (lab: Lab, log: string) => Promise<unknown>,
  ): Contender => ({
    name,
    role: "peer",
    command,
    obstacle: labObstacle("nft") ?? obstacle,
    isAlwaysCold: true,
    run: () => measure(start),
  });
  return {
    name: "log-to-block",
    what: `${ATTACKERS} attackers, a second apart: ${LINES} lines of failed logins at once, until the address stands in the firewall.`,
    metrics: [
      { key: "medianMs", title: "median", unit: "ms", better: "less" },
      { key: "worstMs", title: "worst", unit: "ms", better: "less" },
      { key: "blocked", title: `blocked, of ${ATTACKERS}`, unit: "count", better: "more" },
      CPU,
      PSS,
    ],
    goals: [],
    open: () => ({
      contenders: [
        peer(
          "fail2ban",
          "fail2ban-server -f # jail sshd: maxretry 5, nftables-allports",
          missing("fail2ban-server", "fail2ban"),
          (lab, log) => startJail(lab, "sshd", log, "maxretry = 5"),
        ),
        peer("sshguard", "sshguard # threshold 30, nft sets", missing("sshguard"), startSshguard),
        peer(
          "crowdsec",
          "crowdsec; crowdsec-firewall-bouncer # collection sshd, offline",
          crowdsec.obstacle,
          startCrowdsec,
        ),
      ],
      agreement: () =>
        "BEHIND: telltale has no row, because it blocks by what packets say and not yet by lines of a log",
      [Symbol.dispose]: () => {},
    }),
  };
}
