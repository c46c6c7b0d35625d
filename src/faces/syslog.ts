// Lines for syslog, through logger(1): Node has no sockets of the kind that /dev/log is.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Writable } from "node:stream";

export type Syslog = {
  /** One line, without newline. */
  write(line: string): void;
  /** Resolves when everything has been handed over. */
  close(): Promise<void>;
};

// What a system log that stands still is given to take later; what comes meanwhile is counted.
const MAX_WAITING_BYTES = 1 << 20;
// A logger that ended is started again, but not as often as lines come.
const RESTART_MS = 1_000;
// For the last lines, where the system log stands still.
const LAST_LINES_MS = 3_000;

type Logger = ChildProcessByStdio<Writable, null, null>;

/**
 * Opens syslog under a program's name, facility daemon, priority notice. Lines are lost where logger is missing.
 * @param program what takes the lines, logger(1) or its like in tests
 */
export function openSyslog(name: string, program = "logger"): Syslog {
  let running: Logger | null = null;
  let startedAtMs = Number.NEGATIVE_INFINITY;
  let lost = 0;
  const start = (): Logger | null => {
    const nowMs = performance.now();
    if (nowMs - startedAtMs < RESTART_MS) return null;
    startedAtMs = nowMs;
    const logger = spawn(program, ["-t", name, `--id=${process.pid}`, "-p", "daemon.notice"], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    const gone = (): void => {
      if (running === logger) running = null;
    };
    logger.on("error", gone);
    logger.on("exit", gone);
    // A logger that ended makes writing fail; what it had not taken has nowhere else to go.
    logger.stdin.on("error", gone);
    return logger;
  };
  const write = (line: string): void => {
    running ??= start();
    if (running === null || running.stdin.writableLength > MAX_WAITING_BYTES) {
      lost++;
      return;
    }
    if (lost > 0) running.stdin.write(`adminalert: ERROR: ${lost} lines were lost before this one\n`);
    lost = 0;
    running.stdin.write(`${line.replaceAll("\n", " ")}\n`);
  };
  running = start();
  return {
    write,
    close: async () => {
      const last = running;
      if (last === null) return;
      last.stdin.end();
      if (last.exitCode !== null || last.signalCode !== null) return;
      const timer = setTimeout(() => last.kill("SIGKILL"), LAST_LINES_MS);
      await new Promise<void>((resolve) => {
        for (const end of ["close", "error"]) last.once(end, () => resolve());
      });
      clearTimeout(timer);
    },
  };
}
