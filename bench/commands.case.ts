// What a person waits for at the prompt: the version, how the running guard is, and who is locked out. Nothing else of a guard
// is felt as often.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Lab, labObstacle, makeLab, TELLTALE } from "../tests/system/lab.ts";
import { waitFor } from "../tests/system/wait.ts";
import { missing } from "./machine.ts";
import { startJail } from "./scene/guards/fail2ban.ts";
import { startWhole } from "./scene/whole-guard.ts";
import { type Case, type Contender, CPU, type Metric, type Sample } from "./types.ts";

const TIMES = 7;
const BLOCKED = ["203.0.113.1", "203.0.113.2", "203.0.113.3"];

type Commands = {
  readonly status: readonly string[];
  readonly blocks: readonly string[];
  readonly version: readonly string[];
};

const wait = (key: keyof Commands, title: string): Metric => ({
  key: `${key}Ms`,
  title,
  unit: "ms",
  better: "less",
});

const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** Asks each several times in turns; the first time of each is not counted. */
function ask(lab: Lab, commands: Commands): Sample {
  const account = join(lab.dir, "account");
  const tookMs: Record<keyof Commands, number[]> = { status: [], blocks: [], version: [] };
  let cpuMs = 0;
  for (let n = 0; n <= TIMES; n++) {
    for (const [key, argv] of Object.entries(commands) as [keyof Commands, readonly string[]][]) {
      const began = performance.now();
      const ran = lab.run("host", ["/usr/bin/time", "-q", "-f", "%U %S", "-o", account, ...argv]);
      const wallMs = performance.now() - began;
      if (ran.status !== 0) throw new Error(`${argv.join(" ")}: ${ran.stderr.trim().slice(0, 500)}`);
      if (n === 0) continue;
      tookMs[key].push(wallMs);
      const [user, system] = readFileSync(account, "latin1").trim().split(" ").map(Number);
      cpuMs += ((user! + system!) * 1_000) / TIMES;
    }
  }
  return {
    statusMs: middle(tookMs.status),
    blocksMs: middle(tookMs.blocks),
    versionMs: middle(tookMs.version),
    cpuMs,
  };
}

async function askTelltale(lab: Lab, log: string): Promise<Sample> {
  await startWhole(lab, log, { hasSentry: true, split: true });
  const telltale = (...args: string[]) => [TELLTALE, ...args, "--config", join(lab.dir, "telltale.toml")];
  const blocked = lab.run("host", telltale("block", ...BLOCKED));
  if (blocked.status !== 0) throw new Error(blocked.stderr);
  return ask(lab, {
    status: telltale("status"),
    blocks: telltale("blocks"),
    version: [TELLTALE, "--version"],
  });
}

async function askFail2ban(lab: Lab, log: string): Promise<Sample> {
  await startJail(lab, "sshd", log, "");
  const client = ["fail2ban-client", "-s", join(lab.dir, "fail2ban.sock")];
  const banned = lab.run("host", [...client, "set", "sshd", "banip", ...BLOCKED]);
  if (banned.status !== 0) throw new Error(banned.stderr);
  await waitFor("fail2ban's bans", () => BLOCKED.every((each) => list(lab, client).includes(each)));
  return ask(lab, {
    status: [...client, "status"],
    blocks: [...client, "status", "sshd"],
    version: ["fail2ban-client", "--version"],
  });
}

const list = (lab: Lab, client: readonly string[]): string =>
  lab.run("host", [...client, "status", "sshd"]).stdout;

/** How long the commands take that somebody types. */
export function commandsCase(): Case {
  const contender = (
    name: string,
    role: Contender["role"],
    command: string,
    obstacle: string | null,
    work: (lab: Lab, log: string) => Promise<Sample>,
  ): Contender => ({
    name,
    role,
    command,
    obstacle: labObstacle("nft") ?? obstacle,
    isAlwaysCold: true,
    run: async () => {
      using lab = makeLab(["stranger"]);
      const log = join(lab.dir, "auth.log");
      writeFileSync(log, "");
      return await work(lab, log);
    },
  });
  const nothing = [process.execPath, "-e", "0"];
  return {
    name: "commands",
    what: `What somebody types beside a running guard with ${BLOCKED.length} blocks, each ${TIMES} times: how it is, who is blocked, which version.`,
    metrics: [
      wait("status", "status"),
      wait("blocks", "list of blocks"),
      wait("version", "version"),
      { ...CPU, title: "CPU of all three" },
    ],
    goals: [
      { metric: "statusMs", over: "fail2ban", ratioAtLeast: 1 },
      { metric: "blocksMs", over: "fail2ban", ratioAtLeast: 1 },
      { metric: "versionMs", over: "fail2ban", ratioAtLeast: 1 },
    ],
    guessS: 15,
    open: () => ({
      contenders: [
        contender(
          "telltale",
          "telltale",
          "bin/telltale status; bin/telltale blocks; bin/telltale --version",
          null,
          askTelltale,
        ),
        contender(
          "fail2ban",
          "peer",
          "fail2ban-client status; fail2ban-client status sshd; fail2ban-client --version",
          missing("fail2ban-server", "fail2ban"),
          askFail2ban,
        ),
        contender("the runtime alone", "limit", "node -e 0", null, async (lab) =>
          ask(lab, { status: nothing, blocks: nothing, version: nothing }),
        ),
      ],
      [Symbol.dispose]: () => {},
    }),
  };
}
