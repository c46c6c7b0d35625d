// psad at the door: it reads the firewall's log every five seconds, and blocks with iptables at its lowest danger level.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../../../tests/system/wait.ts";
import { missing } from "../../machine.ts";
import { startAccount } from "../costs.ts";
import { packetLogObstacle, startPacketLog } from "../packet-log.ts";
import { openSyslogSocket } from "../syslog-socket.ts";
import type { Alarm, Guard } from "./types.ts";

// Where it finds the packets' log.
const LOG = "/run/packets.log";

export const psad: Guard = {
  name: "psad",
  role: "peer",
  command:
    "psad --no-daemon # IPT_SYSLOG_FILE by NFLOG and ulogd2; ENABLE_AUTO_IDS, AUTO_IDS_DANGER_LEVEL 1; no mail, whois or DNS",
  obstacle: missing("psad") ?? packetLogObstacle(),
  blocks: true,
  start: async (lab) => {
    const alarms: Alarm[] = [];
    const account = startAccount(lab);
    const log = await startPacketLog(lab);
    const syslog = await openSyslogSocket(lab, "psad-dev", (line, atMs) => {
      const source = /psad: .*scan detected[^:]*: (\S+) -> /.exec(line)?.[1];
      if (source !== undefined) alarms.push({ source, atMs, heardMs: atMs });
    });
    const changed: Record<string, string> = {
      HOSTNAME: "bench",
      ALERTING_METHODS: "noemail",
      IPT_SYSLOG_FILE: LOG,
      AUTO_DETECT_JOURNALCTL: "N",
      ENABLE_AUTO_IDS: "Y",
      AUTO_IDS_DANGER_LEVEL: "1",
      ENABLE_AUTO_IDS_EMAILS: "N",
      ENABLE_WHOIS_LOOKUPS: "N",
      ENABLE_DNS_LOOKUPS: "N",
      ENABLE_FW_LOGGING_CHECK: "N",
    };
    let text = readFileSync("/etc/psad/psad.conf", "utf8");
    for (const [key, value] of Object.entries(changed))
      text = text.replace(new RegExp(`^${key}\\s.*$`, "m"), `${key} ${value};`);
    const config = join(lab.dir, "psad.conf");
    writeFileSync(config, text);
    const own = ["var/log/psad", "run", "var/lib/psad", "tmp"].map((path) => {
      const dir = join(lab.dir, "psad", path);
      mkdirSync(dir, { recursive: true });
      return [dir, `/${path}`] as const;
    });
    mkdirSync(join(lab.dir, "psad/run/psad"));
    writeFileSync(join(lab.dir, "psad", LOG), "");
    // A /tmp of its own, because it leaves files there; the last of these, or it would hide where the others come from.
    const tmp = own.pop()!;
    const child = lab.start("host", ["psad", "--no-daemon"], {
      binds: [...own, [config, "/etc/psad/psad.conf"], [log, LOG], ...syslog.binds, tmp],
    });
    let said = "";
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on("data", (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-2_000);
      });
    }
    await waitFor("psad to read the log", () => {
      if (child.exitCode !== null) throw new Error(`psad ended with ${child.exitCode}: ${said}`);
      return existsSync(join(lab.dir, "psad/run/psad/auto_ipt.sock"));
    });
    return { cost: account, alarms: () => alarms };
  },
};
