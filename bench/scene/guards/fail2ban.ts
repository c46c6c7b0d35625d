// fail2ban at the door, with a jail over the firewall's log, the way its users have it look for scans; or with its own
// jail for sshd.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../../../tests/system/lab.ts";
import { waitFor } from "../../../tests/system/wait.ts";
import { missing } from "../../machine.ts";
import { startAccount } from "../costs.ts";
import { packetLogObstacle, startPacketLog } from "../packet-log.ts";
import type { Alarm, Guard } from "./types.ts";

const FILTER = `[Definition]
failregex = ^\\s*(?:\\S+ )?kernel:.* SRC=<HOST> DST=\\S+ .*PROTO=
`;

export const fail2ban: Guard = {
  name: "fail2ban",
  role: "peer",
  command:
    "fail2ban-server -f # jail over the firewall's log by NFLOG and ulogd2: maxretry 5, nftables-allports",
  obstacle: missing("fail2ban-server", "fail2ban") ?? packetLogObstacle(),
  blocks: true,
  start: async (lab) => {
    const account = startAccount(lab);
    const log = await startPacketLog(lab);
    const alarms = await startJail(lab, "portscan", log, "maxretry = 5", { filter: FILTER });
    return { cost: account, alarms };
  },
};

/**
 * One jail, over a copy of Debian's configuration, with socket and memory of its own.
 * @param more a filter file for a jail that fail2ban does not bring; whether bans outlive it
 * @returns what it banned so far
 */
export async function startJail(
  lab: Lab,
  jail: string,
  log: string,
  settings: string,
  more: { filter?: string; database?: boolean } = {},
): Promise<() => Alarm[]> {
  const config = join(lab.dir, "fail2ban");
  cpSync("/etc/fail2ban", config, { recursive: true });
  mkdirSync(join(config, "jail.d"), { recursive: true });
  writeFileSync(join(config, "jail.d/defaults-debian.conf"), "");
  if (more.filter !== undefined) writeFileSync(join(config, `filter.d/${jail}.conf`), more.filter);
  writeFileSync(
    join(config, "jail.local"),
    `[${jail}]\nenabled = true\nbackend = auto\nlogpath = ${log}\nbanaction = nftables[type=allports]\n${settings}\n`,
  );
  writeFileSync(
    join(config, "fail2ban.local"),
    `[Definition]\ndbfile = ${more.database === true ? join(lab.dir, "fail2ban.sqlite3") : "None"}\n`,
  );
  const diary = join(lab.dir, "fail2ban.log");
  writeFileSync(diary, "");
  const files = ["-s", join(lab.dir, "fail2ban.sock"), "-p", join(lab.dir, "fail2ban.pid")];
  const server = lab.start("host", [
    "fail2ban-server",
    "-f",
    "-c",
    config,
    ...files,
    "--logtarget",
    diary,
    "start",
  ]);
  server.stdout!.resume();
  server.stderr!.resume();
  await waitFor(`fail2ban's jail ${jail}`, () =>
    readFileSync(diary, "utf8").includes(`Jail '${jail}' started`),
  );
  return () =>
    [...readFileSync(diary, "utf8").matchAll(/^(\S+ \S+),(\d+) .*\] Ban (\S+)$/gm)].map(
      ([, second, fraction, source]) => {
        const atMs = Date.parse(`${second!.replace(" ", "T")}.${fraction}`);
        return { source: source!, atMs, heardMs: atMs };
      },
    );
}
