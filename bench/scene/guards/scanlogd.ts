// scanlogd, which tells and does nothing else.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../../../tests/system/wait.ts";
import { missing } from "../../machine.ts";
import { startAccount } from "../costs.ts";
import { readerObstacle } from "../reader.ts";
import { openSyslogSocket } from "../syslog-socket.ts";
import type { Alarm, Guard } from "./types.ts";

export const scanlogd: Guard = {
  name: "scanlogd",
  role: "peer",
  command: "scanlogd # started anew before each scan: it falls silent after five in 20 s",
  obstacle: missing("scanlogd") ?? readerObstacle(),
  blocks: false,
  start: async (lab) => {
    const alarms: Alarm[] = [];
    const account = startAccount(lab);
    const syslog = await openSyslogSocket(lab, "scanlogd-dev", (line, atMs) => {
      const source = /scanlogd: ([0-9.]+)(?::\d+)? to /.exec(line)?.[1];
      if (source !== undefined) alarms.push({ source, atMs, heardMs: atMs });
    });
    // It changes its root to a folder that its init script makes below /run.
    const run = join(lab.dir, "scanlogd-run");
    mkdirSync(join(run, "scanlogd/empty"), { recursive: true, mode: 0o755 });
    const sockets = () =>
      lab.run("host", ["cat", "/proc/net/raw", "/proc/net/packet"]).stdout.split("\n").length;
    const idle = sockets();
    const start = async (): Promise<void> => {
      const child = lab.start("host", ["scanlogd"], {
        binds: [[run, "/run"], ...syslog.binds],
      });
      child.stdout!.resume();
      child.stderr!.resume();
      await waitFor("scanlogd's raw socket", () => sockets() > idle);
    };
    await start();
    return {
      cost: account,
      alarms: () => alarms,
      renew: async () => {
        // It has no other job than to watch, so whoever else runs in this host's network is not called by its name.
        lab.run("host", [
          "sh",
          "-c",
          'for p in $(ip netns pids "$(ip netns identify $$)"); do [ "$(cat /proc/$p/comm)" = scanlogd ] && kill $p; done; true',
        ]);
        await waitFor("scanlogd to end", () => sockets() <= idle);
        await start();
      },
    };
  },
};
