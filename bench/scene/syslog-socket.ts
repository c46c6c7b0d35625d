// A /dev of its own for one program, with a syslog socket in it whose lines are read here.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Lab, RunOptions } from "../../tests/system/lab.ts";
import { waitFor } from "../../tests/system/wait.ts";
import { buildReader } from "./reader.ts";

const DEVICES = ["null", "zero", "full", "random", "urandom"];

/**
 * @param onLine called for each message, with the moment when it could be read, in milliseconds since the epoch
 * @returns the private /dev, for the options of what is started with the socket
 * @throws Error when its reader does not compile
 */
export async function openSyslogSocket(
  lab: Lab,
  name: string,
  onLine: (line: string, atMs: number) => void,
): Promise<Required<Pick<RunOptions, "binds">>> {
  const dev = join(lab.dir, name);
  mkdirSync(dev);
  execFileSync("cp", ["-a", ...DEVICES.map((device) => `/dev/${device}`), dev]);
  const path = join(dev, "log");
  const reader = lab.start(lab.clients[0]!.name, [buildReader(lab), path]); // not at the host's expense
  reader.stderr!.resume();
  let isReady = false;
  createInterface({ input: reader.stdout! }).on("line", (line) => {
    const gap = line.indexOf(" ");
    if (gap < 0) isReady = true;
    else onLine(line.slice(gap + 1), Number(line.slice(0, gap)) * 1_000);
  });
  await waitFor("the reader of syslog", () => isReady);
  chmodSync(path, 0o666); // the daemons speak to it as users of their own
  return { binds: [[dev, "/dev"]] };
}
