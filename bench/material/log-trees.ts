// Trees of logs with a logrotate configuration for them. A tree can be put back to where it was after each rotation, so
// that every round rotates the same: the log, and the older generations that a host has after its first weeks.
import { closeSync, copyFileSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { syslogLines } from "./syslog-lines.ts";

export type LogTree = {
  readonly logs: readonly string[];
  readonly config: string;
  readonly state: string;
  /** Puts logs, generations and the state file back. */
  reset(): void;
};

export type TreeShape = {
  readonly count: number;
  readonly sizeBytes: number;
  /** Generations kept, all of them present from the beginning. */
  readonly generations: number;
  /** Further directives, one a line. */
  readonly directives: readonly string[];
  /** What a compressed generation's name ends in, or "". */
  readonly ending: string;
  /** Whether the state says that nothing is due. */
  readonly isFresh?: boolean;
};

const LOGS_PER_DIRECTORY = 500;

/** Makes a tree below `dir`, which must not exist. A run needs no root: the files belong to whoever runs the bench. */
export function makeLogTree(dir: string, shape: TreeShape, content: string): LogTree {
  const directories = Array.from({ length: Math.ceil(shape.count / LOGS_PER_DIRECTORY) }, (_, index) =>
    join(dir, "logs", `app${String(index).padStart(2, "0")}`),
  );
  const logs = Array.from({ length: shape.count }, (_, index) =>
    join(
      directories[Math.floor(index / LOGS_PER_DIRECTORY)]!,
      `service-${String(index).padStart(5, "0")}.log`,
    ),
  );
  const config = join(dir, "logrotate.conf");
  const state = join(dir, "state");
  mkdirSync(dir, { recursive: true });
  const stanzas = directories.map(
    (directory) =>
      `${directory}/*.log {\n${["weekly", `rotate ${shape.generations}`, "missingok", "create 0640", ...shape.directives].map((each) => `    ${each}\n`).join("")}}\n`,
  );
  writeFileSync(config, stanzas.join("\n"), { mode: 0o644 });
  const reset = () => {
    rmSync(join(dir, "logs"), { recursive: true, force: true });
    for (const directory of directories) mkdirSync(directory, { recursive: true, mode: 0o755 });
    for (const log of logs) {
      copyFileSync(content, log);
      for (let generation = 1; generation <= shape.generations; generation++) {
        writeFileSync(`${log}.${generation}${shape.ending}`, `${generation}\n`, { mode: 0o640 });
      }
    }
    writeState(state, logs, shape.isFresh === true);
  };
  return { logs, config, state, reset };
}

// logrotate's state file, version 2 (logrotate(8), FILES): a date for each log, here today's or one long past.
function writeState(path: string, logs: readonly string[], isFresh: boolean): void {
  const now = new Date();
  const date = isFresh
    ? `${now.getFullYear()}-${now.getMonth() + 1}-${now.getDate()}-0:0:0`
    : "2026-1-5-0:0:0";
  writeFileSync(path, `logrotate state -- version 2\n${logs.map((log) => `"${log}" ${date}\n`).join("")}`, {
    mode: 0o640,
  });
}

/** A file of exactly `sizeBytes` of log text. */
export function writeLogOfSize(path: string, sizeBytes: number, seed: number): void {
  const fd = openSync(path, "w", 0o640);
  let written = 0;
  let chunk = "";
  for (const line of syslogLines("typical", seed)) {
    chunk += line;
    if (chunk.length < 1 << 20 && written + chunk.length < sizeBytes) continue;
    const part = chunk.slice(0, sizeBytes - written);
    writeSync(fd, part, null, "latin1");
    written += part.length;
    chunk = "";
    if (written >= sizeBytes) break;
  }
  closeSync(fd);
}
