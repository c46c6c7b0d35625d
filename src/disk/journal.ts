// What systemd's journal takes and may take, so that it has its place in the outlook. Telltale never removes a file of it: that
// is `journalctl --vacuum-*`, which knows which files are closed (journald.conf(5), journalctl(1)).
import { readdirSync, readFileSync, statfsSync } from "node:fs";
import type { JournalUse } from "./types.ts";
import type { FoundFile } from "./walk.ts";

const JOURNAL_FILE = /^(.*\/journal(?:\.[\w-]+)?)\/[0-9a-f]{32}(?:\.[\w-]+)?\/[^/]+\.journal~?$/;
const CONFIG = "/etc/systemd/journald.conf";
const DROP_INS = "/etc/systemd/journald.conf.d";
// "The first pair defaults to 10 % of the size of the respective file system, but each value is capped to 4G."
const DEFAULT_SHARE = 0.1;
const DEFAULT_CAP_BYTES = 4 * 1024 ** 3;

/** What the journals among these files use, by directory. */
export function journalUses(files: readonly FoundFile[]): JournalUse[] {
  const used = new Map<string, number>();
  for (const { path, stat } of files) {
    const directory = JOURNAL_FILE.exec(path)?.[1];
    if (directory !== undefined) used.set(directory, (used.get(directory) ?? 0) + stat.blocks * 512);
  }
  return [...used].map(([directory, usedBytes]) => {
    const set = systemMaxUse(configTexts());
    return set === null
      ? {
          directory,
          usedBytes,
          limitBytes: defaultLimit(directory),
          limitFrom: "10 % of the file system, 4 GiB at most",
        }
      : { directory, usedBytes, limitBytes: set, limitFrom: "SystemMaxUse of journald.conf" };
  });
}

/** The last SystemMaxUse= of these texts in bytes; null when none sets it. */
export function systemMaxUse(texts: readonly string[]): number | null {
  let bytes: number | null = null;
  for (const hit of texts.join("\n").matchAll(/^\s*SystemMaxUse\s*=\s*(?:(\d+)\s*([KMGTPE]?)B?)?\s*$/gm)) {
    const power = " KMGTPE".indexOf(hit[2] || " ");
    bytes = hit[1] === undefined ? null : Number(hit[1]) * 1024 ** power;
  }
  return bytes;
}

function configTexts(): string[] {
  const drops = namesIn(DROP_INS)
    .filter((name) => name.endsWith(".conf"))
    .sort()
    .map((name) => `${DROP_INS}/${name}`);
  return [CONFIG, ...drops].map(readQuietly);
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // No drop-ins: the usual case.
  }
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // Without its file, journald has its defaults.
  }
}

function defaultLimit(directory: string): number {
  try {
    const { bsize, blocks } = statfsSync(directory);
    return Math.min(bsize * blocks * DEFAULT_SHARE, DEFAULT_CAP_BYTES);
  } catch {
    return DEFAULT_CAP_BYTES; // It went away between two looks.
  }
}
