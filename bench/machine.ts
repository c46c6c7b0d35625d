// What a figure depends on: the machine, the commit, and the versions of everything that took part.
import { spawnSync } from "node:child_process";
import { cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import type { Machine } from "./types.ts";

const ROOT = join(import.meta.dirname, "..");

export function machineFacts(): Machine {
  const all = cpus();
  return {
    cpu: (all[0]?.model ?? "unknown").replace(/\s+/g, " ").trim(),
    cores: all.length,
    memoryMb: Math.round(totalmem() / 1e6),
    kernel: release(),
  };
}

/** How many processes wanted to run during the last minute: others' work, when a case has not begun yet. */
export function loadNow(): number {
  return Math.round(loadavg()[0]! * 10) / 10;
}

const git = (...args: string[]) => spawnSync("git", ["-C", ROOT, ...args], { encoding: "utf8" });

/** The commit, with a plus sign when the sources differ from it. */
export function commitName(): string {
  const head = git("rev-parse", "--short=12", "HEAD");
  if (head.status !== 0) return "unknown";
  const changed = git("status", "--porcelain", "--untracked-files=no", "--", "src", "bin").stdout.trim();
  return head.stdout.trim() + (changed === "" ? "" : "+");
}

// What figures come from: the program and the bench, but not their tests, nor the figures themselves.
const MEASURED = ["src", "bin", "bench", "package-lock.json", ":!bench/record", ":!*.test.ts"];

/** Whether program and bench stood at `commit`, as `commitName` gives it, as they stand here now. */
export function isSameProgram(commit: string): boolean {
  return /^[0-9a-f]+$/.test(commit) && git("diff", "--quiet", commit, "--", ...MEASURED).status === 0;
}

/** Versions of these Debian packages; those that are not installed are left out. */
export function packageVersions(names: readonly string[]): Record<string, string> {
  const asked = spawnSync(
    "dpkg-query",
    ["-W", "-f", `\${db:Status-Abbrev} \${Package} \${Version}\n`, ...names],
    { encoding: "utf8" },
  );
  const found: Record<string, string> = {};
  for (const line of (asked.stdout ?? "").split("\n")) {
    const [status, name, version] = line.split(/\s+/);
    if (status === "ii" && name !== undefined && version !== undefined) found[name] = version;
  }
  return found;
}

/** Why a program cannot run here, or null. */
export function missing(program: string, debianPackage = program): string | null {
  const found = spawnSync("sh", ["-c", 'command -v "$1"', "sh", program], {
    env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` },
  });
  return found.status === 0 ? null : `needs ${program}: apt install ${debianPackage}`;
}
