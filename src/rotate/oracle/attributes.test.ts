// Debian's logrotate judges what becomes of owners, modes, times, access control lists and extended attributes of rotated,
// copied, created and compressed files.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Event } from "../../core/events.ts";
import { loadRotation, runRotations } from "../run.ts";

const OLD = 1_600_000_000;
const COMPRESSORS = [
  "",
  "compress",
  "compress\n compresscmd /usr/bin/zstd",
  "compress\n compresscmd /usr/bin/xz",
];
const MANNERS = [
  "create",
  "create 0600 daemon adm",
  "nocreate",
  "copy",
  "copytruncate",
  "renamecopy\n create",
];

function missing(): string | null {
  for (const tool of ["logrotate", "setfacl", "setfattr", "zstd", "xz"]) {
    if (spawnSync(tool, ["--version"]).error !== undefined) {
      const from: Record<string, string> = { setfacl: "acl", setfattr: "attr", xz: "xz-utils" };
      return `needs ${tool}: apt install ${from[tool] ?? tool}`;
    }
  }
  return process.getuid?.() === 0 ? null : "needs root: files of several owners";
}

// A log that has everything a file can have, and an older generation; with `compress` logrotate would overwrite that.
function build(root: string, compressed: boolean): void {
  rmSync(root, { recursive: true, force: true });
  mkdirSync(join(root, "d"), { recursive: true });
  for (const [name, uid] of [
    ["a.log", 1],
    ["a.log.1", 2],
  ] as const) {
    if (compressed && name !== "a.log") continue;
    const path = join(root, "d", name);
    writeFileSync(path, `line of ${name}\n`);
    chownSync(path, uid, 4);
    chmodSync(path, 0o640);
    spawnSync("setfacl", ["-m", "u:games:r,g:mail:rw", path]);
    spawnSync("setfattr", ["-n", "user.note", "-v", "kept by hand", path]);
    utimesSync(path, OLD, OLD + uid);
  }
}

// Times of day are left out where they are those of the run.
function picture(root: string): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const name of readdirSync(join(root, "d")).sort()) {
    const path = join(root, "d", name);
    const { mode, uid, gid, mtimeMs } = statSync(path);
    const said = (...argv: [string, ...string[]]): string =>
      spawnSync(argv[0], [...argv.slice(1), path], { encoding: "utf8" }).stdout;
    out[name] = {
      mode: (mode & 0o7777).toString(8),
      owner: `${uid}:${gid}`,
      modified: mtimeMs < Date.now() - 86_400_000 ? mtimeMs : "now",
      list: said("getfacl", "-cpn"),
      attributes: said("getfattr", "-d", "--absolute-names").replaceAll(root, ""),
    };
  }
  return out;
}

test("owners, modes, times, access lists and attributes are as logrotate leaves them", {
  timeout: 120_000,
}, async (t) => {
  const why = missing();
  if (why !== null) return t.skip(why);
  const base = mkdtempSync(join(tmpdir(), "tt-attributes-"));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  chmodSync(base, 0o755);
  const root = join(base, "r");
  build(root, false);
  if (!JSON.stringify(picture(root)["a.log"]).includes("kept by hand"))
    return t.skip("needs a file system with extended attributes for temporary files");
  for (const compressor of COMPRESSORS)
    for (const manner of MANNERS) {
      const text = `${root}/d/a.log {\n rotate 3\n ${manner}\n ${compressor}\n}\n`;
      const conf = join(base, "conf");
      writeFileSync(conf, text, { mode: 0o644 });
      const pictures: unknown[] = [];
      for (const who of ["theirs", "ours"]) {
        build(root, compressor !== "");
        const statePath = join(base, `state-${who}`);
        rmSync(statePath, { force: true });
        for (let round = 0; round < 2; round++) {
          if (who === "theirs") spawnSync("logrotate", ["-f", "-s", statePath, conf]);
          else {
            const options = { configs: [conf], statePath, force: true, strict: true };
            await runRotations(await loadRotation(options), options, (body) => body as Event);
          }
          appendFileSync(join(root, "d/a.log"), "more\n");
        }
        pictures.push(picture(root));
      }
      assert.deepEqual(pictures[1], pictures[0], text);
    }
});
