// PortSentry 1.2 at the door, blocking with iptables as its configuration file suggests. One process watches TCP,
// another UDP.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab, RunOptions } from "../../../tests/system/lab.ts";
import { waitFor } from "../../../tests/system/wait.ts";
import { missing } from "../../machine.ts";
import { startAccount } from "../costs.ts";
import { readerObstacle } from "../reader.ts";
import { openSyslogSocket } from "../syslog-socket.ts";
import type { Alarm, Guard } from "./types.ts";

// Debian's portsentry.conf, for the mode that watches a list.
const LISTED_TCP =
  "1,11,15,79,111,119,143,540,635,1080,1524,2000,5742,6667,12345,12346,20034,27665,31337,32771,32772,32773,32774,40421,49724,54320";
const LISTED_UDP =
  "1,7,9,69,161,162,513,635,640,641,700,37444,34555,31335,32770,32771,32772,32773,32774,31337,54321";

/** `-atcp` and `-audp` watch every port below a limit that is unused at the start; `-stcp` and `-sudp` a list. */
export function portsentry(name: string, modes: readonly string[], highestTcp = 65_535): Guard {
  return {
    name,
    role: "peer",
    command: `${modes.map((mode) => `portsentry ${mode}`).join("; ")} # KILL_ROUTE: iptables -I INPUT -s $TARGET$ -j DROP${modes.includes("-atcp") ? `; ADVANCED_PORTS_TCP=${highestTcp}` : ""}`,
    obstacle: missing("portsentry") ?? missing("iptables") ?? readerObstacle(),
    blocks: true,
    start: async (lab) => {
      const alarms: Alarm[] = [];
      const account = startAccount(lab);
      const syslog = await openSyslogSocket(lab, "portsentry-dev", (line, atMs) => {
        const source = /attackalert: .* from host: [^/]*\/(\S+) to /.exec(line)?.[1];
        if (source !== undefined) alarms.push({ source, atMs, heardMs: atMs });
      });
      for (const mode of modes) await startMode(lab, mode, highestTcp, syslog);
      return { cost: account, alarms: () => alarms };
    },
  };
}

async function startMode(
  lab: Lab,
  mode: string,
  highestTcp: number,
  options: Required<Pick<RunOptions, "binds">>,
): Promise<void> {
  const dir = join(lab.dir, `portsentry${mode}`);
  mkdirSync(dir);
  const settings: Record<string, string> = {
    TCP_PORTS: LISTED_TCP,
    UDP_PORTS: LISTED_UDP,
    ADVANCED_PORTS_TCP: String(highestTcp),
    ADVANCED_PORTS_UDP: "1024",
    ADVANCED_EXCLUDE_TCP: "113,139",
    ADVANCED_EXCLUDE_UDP: "520,138,137,67",
    IGNORE_FILE: join(dir, "portsentry.ignore"),
    HISTORY_FILE: join(dir, "portsentry.history"),
    BLOCKED_FILE: join(dir, "portsentry.blocked"),
    RESOLVE_HOST: "0",
    BLOCK_UDP: "1",
    BLOCK_TCP: "1",
    KILL_ROUTE: "/usr/sbin/iptables -I INPUT -s $TARGET$ -j DROP",
    SCAN_TRIGGER: "0",
  };
  const config = join(dir, "portsentry.conf");
  writeFileSync(
    config,
    Object.entries(settings)
      .map(([key, value]) => `${key}="${value}"\n`)
      .join(""),
  );
  writeFileSync(join(dir, "portsentry.ignore"), "127.0.0.1/32\n0.0.0.0\n");
  const sockets = () => lab.run("host", ["cat", "/proc/net/raw"]).stdout.trim().split("\n").length;
  const before = sockets();
  const child = lab.start("host", ["portsentry", mode], {
    binds: [[config, "/etc/portsentry/portsentry.conf"], ...options.binds],
  });
  child.stdout!.resume();
  child.stderr!.resume();
  await waitFor(`PortSentry's raw socket for ${mode}`, () => sockets() > before);
}
