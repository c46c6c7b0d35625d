// Debian's logrotate judges each directive and its no-form by itself: where random configurations seldom come, one case each. The
// trees that come out, with every content and mode, and the exit statuses must be equal.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gunzipSync } from "node:zlib";
import type { Event } from "../../core/events.ts";
import { loadRotation, runRotations } from "../run.ts";

// What stands before the stanza, and what in it. OTHER is a directory on another device. `createolddir` without a mode makes it
// 7777 in 3.21, and the no-forms of `dateyesterday` and `datehourago` came later: those are in tests of their own.
const CASES: readonly (readonly [before: string, inside: string])[] = [
  ["olddir ROOT/old", "rotate 2\n noolddir"],
  ["createolddir 0700", "rotate 2\n olddir made\n nocreateolddir"],
  ["", "rotate 2\n olddir ROOT/deep/made\n createolddir 0750 root adm"],
  ["missingok", "rotate 2\n nomissingok"],
  ["copy", "rotate 2\n nocopy"],
  ["copytruncate", "rotate 2\n nocopytruncate"],
  ["renamecopy", "rotate 2\n norenamecopy"],
  ["copytruncate", "rotate 2\n nocopy"],
  ["shred\nshredcycles 1", "rotate 1\n noshred"],
  ["", "rotate 1\n shred\n shredcycles 1"],
  ["allowhardlink", "rotate 2\n noallowhardlink"],
  ["compress", "rotate 2\n nocompress"],
  ["compress\ndelaycompress", "rotate 3\n nodelaycompress"],
  ["dateext", "rotate 2\n nodateext"],
  ["create 0600", "rotate 2\n nocreate"],
  ["notifempty", "rotate 2\n ifempty"],
  ["ifempty", "rotate 2\n notifempty"],
  ["mail root", "rotate 1\n nomail"],
  ["mail root", "rotate 1\n maillast"],
  ["mail root\nmaillast", "rotate 1\n mailfirst"],
  ["mail root", "rotate 1\n compress\n uncompresscmd ROOT/shout"],
  ["sharedscripts", "rotate 2\n nosharedscripts\n postrotate\n echo ran >> ROOT/calls\n endscript"],
  ["", "rotate 2\n preremove\n echo $1 >> ROOT/calls\n endscript"],
  ["", "rotate 2\n compress\n compressext .packed"],
  ["", "rotate 2\n compress\n compressoptions -1"],
  ["", "rotate 2\n compress\n compresscmd /usr/bin/xz\n compressoptions -0"],
  ["", "rotate 2\n compress\n compresscmd ROOT/shout\n compressext .loud"],
  ["", "rotate 2\n extension .log"],
  ["", "rotate 2\n addextension .txt"],
  ["extension .log", "rotate 2\n compress\n extension .lo"],
  ["", "rotate 2\n start 5"],
  ["", "rotate 2\n olddir OTHER"],
  ["", "rotate 2\n olddir OTHER\n copytruncate"],
  ["", "rotate 2\n olddir OTHER\n copy\n compress"],
  ["", "rotate 2\n olddir OTHER\n renamecopy\n create"],
  ["tabooext + .conf\ninclude ROOT/more", "rotate 2"],
  ["taboopat + a* *z\ninclude ROOT/more", "rotate 2"],
  ["tabooext .none\ninclude ROOT/more", "rotate 2"],
  ["include ROOT/more", "rotate 2"],
  ["rotate 4\nweekly\ncompress", "daily\n nocompress"],
];

// Where generations are compressed there is no older one: logrotate would overwrite it.
function build(root: string, other: string, compressed: boolean): void {
  rmSync(root, { recursive: true, force: true });
  for (const name of readdirSync(other)) rmSync(join(other, name), { recursive: true });
  for (const name of ["d", "old", "deep", "more"]) mkdirSync(join(root, name), { recursive: true });
  for (const [name, text] of [
    ["d/a.log", "the log\n"],
    ["d/b.log", ""],
    ["d/a.log.1", "older\n"],
    ["d/a.log.2", "oldest\n"],
    ["more.log", "included\n"],
  ] as const) {
    if (!(compressed && name.startsWith("d/a.log."))) writeFileSync(join(root, name), text, { mode: 0o640 });
  }
  for (const name of ["abc", "m.conf", "n.rpmsave", "x.dpkg-old", "xyz", "q~"])
    writeFileSync(join(root, "more", name), `${root}/more.log {\n rotate 3\n olddir ${root}/old\n}\n`, {
      mode: 0o644,
    });
  writeFileSync(join(root, "shout"), "#!/bin/sh\nexec tr a-z A-Z\n", { mode: 0o755 });
  writeFileSync(join(root, "mailer"), `#!/bin/sh\n{ echo "mail $*"; cat; } >> ${root}/calls\n`, {
    mode: 0o755,
  });
}

function contentOf(path: string): string {
  const bytes = readFileSync(path);
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return `gzip: ${gunzipSync(bytes)}`;
  if (bytes.subarray(1, 5).toString() === "7zXZ")
    return `xz: ${spawnSync("xz", ["-dc"], { input: bytes, encoding: "utf8" }).stdout}`;
  return bytes.toString();
}

function picture(root: string, other: string): Record<string, string> {
  const out: Record<string, string> = {};
  for (const base of [root, other])
    for (const name of readdirSync(base, { recursive: true }).map(String).sort()) {
      const path = join(base, name);
      const { mode, uid, gid } = statSync(path);
      const kind = statSync(path).isDirectory() ? "directory" : contentOf(path).replaceAll(root, "ROOT");
      if (name !== "state" && name !== "conf")
        out[`${base === root ? "" : "OTHER/"}${name}`] =
          `${(mode & 0o7777).toString(8)} ${uid}:${gid} ${kind}`;
    }
  return out;
}

// A small file system of its own, or why there is none.
function otherDevice(t: TestContext, at: string): string | null {
  mkdirSync(at);
  if (process.getuid?.() !== 0) return "needs root: mounts a file system";
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=4m,mode=755", "tmpfs", at]).status !== 0)
    return "needs mount: apt install mount";
  t.after(() => void spawnSync("umount", [at]));
  return null;
}

test("each directive and its no-form leave what logrotate leaves", { timeout: 120_000 }, async (t) => {
  for (const tool of ["logrotate", "xz"])
    if (spawnSync(tool, ["--version"]).error !== undefined)
      return t.skip(`needs ${tool}: apt install ${tool === "xz" ? "xz-utils" : tool}`);
  const base = mkdtempSync(join(tmpdir(), "tt-directives-"));
  chmodSync(base, 0o755);
  const [root, other] = [join(base, "r"), join(base, "other")];
  const why = otherDevice(t, other);
  t.after(() => rmSync(base, { recursive: true, force: true }));
  if (why !== null) return t.skip(why);
  for (const [before, inside] of CASES) {
    const text = `${before}\nROOT/d/*.log {\n ${inside}\n}\n`
      .replaceAll("ROOT", root)
      .replaceAll("OTHER", other);
    const results: unknown[] = [];
    for (const who of ["theirs", "ours"]) {
      build(root, other, /^ ?compress$/m.test(text) && !text.includes("nocompress"));
      const [conf, statePath, mailer] = [join(root, "conf"), join(root, "state"), join(root, "mailer")];
      writeFileSync(conf, text, { mode: 0o644 });
      let status: number | null;
      if (who === "theirs")
        status = spawnSync("logrotate", ["-f", "-m", mailer, "-s", statePath, conf]).status;
      else {
        const options = { configs: [conf], statePath, force: true, strict: true, mailCommand: [mailer] };
        const run = await runRotations(await loadRotation(options), options, (body) => body as Event);
        status = run.exitStatus;
      }
      results.push({ status, ...picture(root, other) });
    }
    assert.deepEqual(results[1], results[0], text);
  }
});
