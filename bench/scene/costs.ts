// What a guard costs: the accounts that the kernel keeps of every process in the guarded host's network.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Lab } from "../../tests/system/lab.ts";
import type { Sample } from "../types.ts";

const CLOCK_TICKS = Number(spawnSync("getconf", ["CLK_TCK"], { encoding: "utf8" }).stdout) || 100;

/** Processes whose network is the host's: the lab's own namespace, told by what a command in it sees. */
function processesOf(lab: Lab): number[] {
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
function costOf(pids: readonly number[]): Sample {
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

/** Accounts from now on for everything that is started in the lab's host. */
export function startAccount(lab: Lab): () => Sample {
  const before = new Set(processesOf(lab));
  return () => costOf(processesOf(lab).filter((pid) => !before.has(pid)));
}
