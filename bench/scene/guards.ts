// The guards that can stand before the host of a scene: none, telltale, and the peers, each set up to block as its own
// documentation recommends, and asked for its cost when the scene is over.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startGuard } from "../../tests/system/guard-process.ts";
import type { Lab } from "../../tests/system/lab.ts";
import { waitFor } from "../../tests/system/wait.ts";
import { missing } from "../machine.ts";
import type { Contender, Sample } from "../types.ts";

/** A guard at its post. */
export type Standing = {
  /** CPU so far and peak memory of all its processes; packets it says it lost. */
  cost(): Sample;
};

export type Guard = {
  readonly name: string;
  readonly role: Contender["role"];
  readonly command: string;
  readonly obstacle: string | null;
  /** Starts it in the lab's host and waits until it watches. */
  start(lab: Lab): Promise<Standing>;
};

const CLOCK_TICKS = Number(spawnSync("getconf", ["CLK_TCK"], { encoding: "utf8" }).stdout) || 100;

const none: Guard = {
  name: "no guard",
  role: "peer",
  command: "nothing",
  obstacle: null,
  start: async () => ({ cost: () => ({}) }),
};

function telltale(name: string, role: Guard["role"], settings: string): Guard {
  return {
    name,
    role,
    command: `bin/telltale guard --block --config telltale.toml${settings === "" ? "" : ` # [respond] ${settings.replaceAll("\n", ", ")}`}`,
    obstacle: missing("nft", "nftables"),
    start: async (lab) => {
      const config = join(lab.dir, "telltale.toml");
      writeFileSync(
        config,
        `[store]\ndirectory = "${lab.dir}/store"\n[rotate]\nenabled = false\n[check]\nenabled = false\n[report]\nvia = "none"\n[respond]\n${settings}\n`,
      );
      const before = new Set(processesOf(lab));
      const guard = await startGuard(lab, ["--block", "--config", config]);
      return {
        cost: () => {
          let lost = 0;
          for (const event of guard.events) if (event.type === "packets.lost") lost += event.count;
          return { ...costOf(processesOf(lab).filter((pid) => !before.has(pid))), lost };
        },
      };
    },
  };
}

// Stealth detection on every port, and Debian's suggestion for KILL_ROUTE with iptables (portsentry.conf).
export const portsentry: Guard = {
  name: "PortSentry",
  role: "peer",
  command: "portsentry -atcp # KILL_ROUTE: iptables -I INPUT -s $TARGET$ -j DROP",
  obstacle: missing("portsentry") ?? missing("iptables"),
  start: async (lab) => {
    const settings: Record<string, string> = {
      TCP_PORTS: "1",
      UDP_PORTS: "1",
      ADVANCED_PORTS_TCP: "65535",
      ADVANCED_PORTS_UDP: "1024",
      IGNORE_FILE: join(lab.dir, "portsentry.ignore"),
      HISTORY_FILE: join(lab.dir, "portsentry.history"),
      BLOCKED_FILE: join(lab.dir, "portsentry.blocked"),
      RESOLVE_HOST: "0",
      BLOCK_UDP: "0",
      BLOCK_TCP: "1",
      KILL_ROUTE: "/usr/sbin/iptables -I INPUT -s $TARGET$ -j DROP",
      SCAN_TRIGGER: "0",
    };
    const lines = Object.entries(settings).map(([key, value]) => `${key}="${value}"\n`);
    writeFileSync(join(lab.dir, "portsentry.conf"), lines.join(""));
    writeFileSync(join(lab.dir, "portsentry.ignore"), "127.0.0.1/32\n0.0.0.0\n");
    const before = new Set(processesOf(lab));
    lab.start("host", ["portsentry", "-atcp"], {
      binds: [[join(lab.dir, "portsentry.conf"), "/etc/portsentry/portsentry.conf"]],
    });
    await waitFor("PortSentry's raw socket", () => {
      const table = lab.run("host", ["cat", "/proc/net/raw"]).stdout;
      return table.trim().split("\n").length > 1;
    });
    return { cost: () => costOf(processesOf(lab).filter((pid) => !before.has(pid))) };
  },
};

const absent = (name: string, why: string): Guard => ({
  name,
  role: "peer",
  command: name,
  obstacle: why,
  start: async () => ({ cost: () => ({}) }),
});

/**
 * Every guard of the scenes.
 * @param hasTripwire whether this telltale can decide in the kernel
 * @param settings further lines of [respond], for telltale
 */
export function allGuards(hasTripwire: boolean, settings: string): Guard[] {
  const kernel = (value: string) => [value, settings].filter((line) => line !== "").join("\n");
  const ours = hasTripwire
    ? [
        telltale("telltale", "telltale", kernel("kernel = true")),
        telltale("telltale in user space", "variant", kernel("kernel = false")),
      ]
    : [telltale("telltale", "telltale", settings)];
  return [
    ...ours,
    none,
    portsentry,
    absent("psad", "reads the kernel's LOG lines, which no network namespace produces"),
    absent("fail2ban", "reads logs: it notices no scan by itself"),
  ];
}

/** Processes whose network is the host's: the lab's own namespace, told by what a command in it sees. */
export function processesOf(lab: Lab): number[] {
  const network = lab.run("host", ["readlink", "/proc/self/ns/net"]).stdout.trim();
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && networkOf(name) === network)
    .map(Number);
}

function networkOf(pid: string): string | null {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return null; // it ended in the meantime
  }
}

/**
 * What processes have cost so far: CPU time with that of the children they waited for (proc(5), fields 14 to 17 of stat),
 * peak memory, and the memory that is theirs alone or their share of (PSS) now.
 */
export function costOf(pids: readonly number[]): Sample {
  let cpuMs = 0;
  let rssMb = 0;
  let pssMb = 0;
  for (const pid of pids) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      for (const field of fields.slice(11, 15)) cpuMs += (Number(field) * 1_000) / CLOCK_TICKS;
      const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
      rssMb += (Number(peak ?? 0) * 1_024) / 1e6;
      const share = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "latin1"))?.[1];
      pssMb += (Number(share ?? 0) * 1_024) / 1e6;
    } catch {
      // It ended in the meantime; what it cost is in its parent's account.
    }
  }
  return { cpuMs, rssMb, pssMb };
}
