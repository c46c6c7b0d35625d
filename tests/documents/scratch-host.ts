// A host for trying a document's examples on: own /etc, /var, host name and network over the machine's, one shell in
// which commands are typed one after the other, and nothing of it left behind.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../system/lab.ts";
import { waitFor } from "../system/wait.ts";

export type ScratchHost = {
  /** Types a line into the host's shell and waits for its end; `COMMAND &` goes on in the background. */
  type(line: string): Promise<{ status: number; output: string }>;
  [Symbol.dispose](): void;
};

const OVERLAY =
  'mount -t tmpfs tmpfs "$1" && for folder in etc var; do mkdir "$1/$folder" "$1/$folder.work" && ' +
  'mount -t overlay overlay -o "lowerdir=/$folder,upperdir=$1/$folder,workdir=$1/$folder.work" "/$folder" || exit; done';

// The machine's packages stay in sight through the overlay, their configuration does not: what the documents show must
// not hang on what else is installed.
const HIDDEN = [
  "/etc/logrotate.conf",
  "/etc/logrotate.d",
  "/etc/telltale",
  "/etc/portsentry",
  "/etc/fail2ban",
  "/etc/logcheck/logcheck.logfiles",
  "/etc/logcheck/logcheck.logfiles.d",
  "/var/lib/telltale",
  "/var/lib/logrotate",
  "/var/lib/portsentry",
];

const MOVE_IN = [
  OVERLAY,
  'mkdir "$1/log" "$1/run" "$1/tmp" && mount --bind "$1/log" /var/log && mount --bind "$1/run" /run',
  "hostname web1 && ip link set lo up",
  `rm -rf ${HIDDEN.join(" ")}`,
  'cd "$1/tmp" && exec sh',
].join(" && ");

/** Why no scratch host can be made here, or null. */
export function scratchObstacle(): string | null {
  if (process.getuid?.() !== 0) return "needs root for namespaces";
  const dir = mkdtempSync(join(tmpdir(), "telltale-documents-"));
  const tried = spawnSync("unshare", ["--mount", "sh", "-c", OVERLAY, "sh", dir], { encoding: "utf8" });
  rmSync(dir, { recursive: true, force: true });
  return tried.status === 0 ? null : `needs overlayfs: ${tried.stderr.trim()}`;
}

/** Makes a host. Needs root and overlayfs. */
export function makeScratchHost(): ScratchHost {
  const dir = mkdtempSync(join(tmpdir(), "telltale-documents-"));
  const shell = spawn(
    "unshare",
    [
      "--mount",
      "--net",
      "--uts",
      "--pid",
      "--fork",
      "--kill-child",
      "--mount-proc",
      "sh",
      "-c",
      MOVE_IN,
      "sh",
      dir,
    ],
    {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, PATH: `${ROOT}/bin:${process.env["PATH"]}`, NO_COLOR: "1", COLUMNS: "110" },
    },
  );
  let heard = "";
  for (const stream of [shell.stdout, shell.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      heard += text;
    });
  const close = (): void => {
    process.off("exit", close);
    shell.kill("SIGKILL");
    rmSync(dir, { recursive: true, force: true });
  };
  process.on("exit", close);
  let typed = 0;
  return {
    type: async (line) => {
      heard = "";
      const end = `@@${++typed}@@`;
      shell.stdin.write(`{ ${line}\n} 2>&1\necho "${end}$?"\n`);
      const ended = new RegExp(`${end}(\\d+)\n`);
      const match = await waitFor(`the end of "${line}"`, () => ended.exec(heard), 60_000);
      return { status: Number(match[1]), output: heard.slice(0, match.index) };
    },
    [Symbol.dispose]: close,
  };
}
