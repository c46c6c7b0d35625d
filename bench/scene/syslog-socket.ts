// A /dev of its own for one program, with a syslog socket in it whose lines are read here. The C library's syslog()
// turns to a stream when the socket is no datagram socket, and then ends each message with a NUL (syslog(3), glibc).
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import type { Lab, RunOptions } from "../../tests/system/lab.ts";

export type SyslogSocket = {
  /** For what is started with the socket: the private /dev. */
  readonly options: RunOptions;
  close(): void;
};

const DEVICES = ["null", "zero", "full", "random", "urandom"];

/** @param onLine called for each message, with the time of its arrival in milliseconds since the epoch */
export function openSyslogSocket(
  lab: Lab,
  name: string,
  onLine: (line: string, atMs: number) => void,
): Promise<SyslogSocket> {
  const dev = join(lab.dir, name);
  mkdirSync(dev);
  execFileSync("cp", ["-a", ...DEVICES.map((device) => `/dev/${device}`), dev]);
  const path = join(dev, "log");
  const server = createServer((client) => {
    let rest = "";
    client.setEncoding("utf8");
    client.on("error", () => undefined); // its writer was killed
    client.on("data", (chunk: string) => {
      const atMs = performance.timeOrigin + performance.now();
      const lines = (rest + chunk).split("\0");
      rest = lines.pop()!;
      for (const line of lines) onLine(line, atMs);
    });
  });
  server.unref();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      chmodSync(path, 0o666); // the daemons speak to it as users of their own
      resolve({ options: { binds: [[dev, "/dev"]] }, close: () => server.close() });
    });
  });
}
