import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { canCarryAccess, carryAccess } from "./files.ts";

test("an access control list is carried from one file to another", (t) => {
  if (!canCarryAccess()) return t.skip("needs koffi's library for this processor");
  if (spawnSync("setfacl", ["--version"]).error !== undefined)
    return t.skip("needs setfacl: apt install acl");
  const root = mkdtempSync(join(tmpdir(), "tt-acl-"));
  try {
    const [from, to] = [join(root, "from"), join(root, "to")];
    for (const path of [from, to]) writeFileSync(path, "", { mode: 0o600 });
    if (spawnSync("setfacl", ["-m", "u:daemon:r", from]).status !== 0)
      return t.skip("needs a file system with ACLs");
    const fds = [openSync(from, "r"), openSync(to, "r+")] as const;
    assert.deepEqual(carryAccess(...fds), []);
    for (const fd of fds) closeSync(fd);
    const read = (path: string): string => spawnSync("getfacl", ["-cp", path], { encoding: "utf8" }).stdout;
    assert.match(read(to), /user:daemon:r--/);
    assert.equal(read(to), read(from));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
