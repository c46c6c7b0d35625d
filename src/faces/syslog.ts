// Lines for syslog, through logger(1): Node has no sockets of the kind that /dev/log is.
import { spawn } from "node:child_process";
import { once } from "node:events";

export type Syslog = {
  /** One line, without newline. */
  write(line: string): void;
  /** Resolves when everything has been handed over. */
  close(): Promise<void>;
};

/** Opens syslog under a program's name, facility daemon, priority notice. Lines are lost where logger is missing. */
export function openSyslog(name: string): Syslog {
  const logger = spawn("logger", ["-t", name, `--id=${process.pid}`, "-p", "daemon.notice"], {
    stdio: ["pipe", "ignore", "ignore"],
  });
  let isGone = false;
  const gone = (): void => {
    isGone = true;
  };
  logger.on("error", gone);
  logger.on("exit", gone);
  // A logger that ended makes writing fail; the lines have nowhere else to go.
  logger.stdin.on("error", gone);
  return {
    write: (line) => {
      if (!isGone) logger.stdin.write(`${line.replaceAll("\n", " ")}\n`);
    },
    close: async () => {
      logger.stdin.end();
      if (!isGone) await once(logger, "close");
    },
  };
}
