// Where the lines of portsentry's face go: standard output, syslog, or both. A disk that is full keeps nobody from being blocked, so
// what could not be written is counted, and told as soon as there is room.
import { describeError } from "../core/errors.ts";
import type { FaceOutput } from "./output.ts";
import { openSyslog } from "./syslog.ts";

export type FaceLog = {
  /** One line, without newline. Never throws. */
  write(line: string): void;
  /** Resolves when everything has been handed over. */
  close(): Promise<void>;
};

/** @param onGone called once when whoever read standard output has gone: PortSentry ends of SIGPIPE then */
export function openLog(to: "stdout" | "syslog" | "both", output: FaceOutput, onGone: () => void): FaceLog {
  if (to === "syslog") return openSyslog("portsentry");
  const out = openOut(output, onGone);
  if (to === "stdout") return out;
  const syslog = openSyslog("portsentry");
  const write = (line: string): void => {
    out.write(line);
    syslog.write(line);
  };
  return { write, close: syslog.close };
}

function openOut(output: FaceOutput, onGone: () => void): FaceLog {
  let lost = 0;
  let isGone = false;
  const put = (text: string): void => {
    if (isGone) return;
    try {
      output.out(Buffer.from(`${text}\n`));
      if (lost === 0) return;
      const told = lost;
      lost = 0;
      output.out(Buffer.from(`adminalert: ERROR: ${told} lines could not be written here\n`));
    } catch (error) {
      if (lost++ > 0) return;
      try {
        output.err(`adminalert: ERROR: lines are lost: ${describeError(error)}\n`);
      } catch {
        // Nor is there anybody to be told.
      }
      if ((error as NodeJS.ErrnoException).code !== "EPIPE") return;
      isGone = true;
      onGone();
    }
  };
  return { write: put, close: async () => {} };
}
