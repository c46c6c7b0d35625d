// The scene of a disk that is full already: an administrator has written a limit too late, and asks telltale to keep it.
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { appendFileSync, mkdirSync, readdirSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Lab, TELLTALE } from "../tests/system/lab.ts";

const MB = 1024 * 1024;

/** Plays it in the lab's scratch folder, on a memory disk of its own that is gone afterwards. */
export function playFullDisk(lab: Lab, say: (text: string) => void): void {
  const disk = join(lab.dir, "full");
  mkdirSync(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=16m,mode=755", "telltale-demo", disk]);
  try {
    const log = join(disk, "app.log");
    writeFileSync(join(disk, "auth.log"), "now\n");
    writeFileSync(join(disk, "auth.log.1.gz"), randomBytes(MB));
    for (let n = 1; n <= 10; n++) writeFileSync(`${log}.${n}.gz`, randomBytes(MB));
    fill(log);
    const stanza = "{\n  weekly\n  rotate 20\n  compress\n  missingok\n}\n";
    writeFileSync(join(lab.dir, "full.conf"), `${log} ${disk}/auth.log ${stanza}`, { mode: 0o644 });
    const config = join(lab.dir, "full.toml");
    writeFileSync(
      config,
      `[store]\ndirectory = "${lab.dir}/full-state"\n[rotate]\nconfig = ["${lab.dir}/full.conf"]\nstate = "${lab.dir}/full.state"\nroots = ["${disk}"]\n` +
        `[disk]\nmin_free = "25%"\nkeep_high = ["${disk}/auth.log"]\n`,
    );
    say(
      `   ${free(disk)} bytes are free. [disk] says: min_free = "25%", and keeps auth.log whatever happens.`,
    );
    say("   $ telltale disk --relieve");
    const { stdout, stderr } = spawnSync(TELLTALE, ["disk", "--relieve", "--config", config], {
      encoding: "utf8",
    });
    say(`${stdout}${stderr}`.trimEnd().replaceAll(`${disk}/`, "").replace(/^/gm, "   | "));
    say(
      `   ${Math.round(free(disk) / MB)} MB are free; there are still: ${readdirSync(disk).sort().join(" ")}`,
    );
  } finally {
    spawnSync("umount", ["-l", disk]);
  }
}

function free(path: string): number {
  const { bsize, bavail } = statfsSync(path);
  return bsize * bavail;
}

function fill(log: string): void {
  const line = `${"order 4711 paid by card ".repeat(40)}\n`;
  try {
    for (;;) appendFileSync(log, line);
  } catch {
    // No space left: the scene can begin.
  }
}
