// A folder of the bench's own for each case. For root it is a tmpfs, so that no disk and no writeback thread takes part;
// it is unmounted and removed whatever happens.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type Scratch = { readonly dir: string; readonly kind: string; [Symbol.dispose](): void };

export function makeScratch(): Scratch {
  const dir = mkdtempSync(join(tmpdir(), "telltale-bench-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "mode=0755", "telltale-bench", dir]).status === 0;
  const close = (): void => {
    process.off("exit", close);
    // Lazily: a process that still has a file open there must not keep the mount in place.
    if (mounted) spawnSync("umount", ["--lazy", dir]);
    rmSync(dir, { recursive: true, force: true });
  };
  process.on("exit", close);
  return { dir, kind: mounted ? "a tmpfs" : `${tmpdir()} (no tmpfs: not root)`, [Symbol.dispose]: close };
}
