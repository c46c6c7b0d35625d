// A Debian without anything, in a folder, for tests of the package. Making one costs a minute and a mirror, so what was
// made is kept for a week under node_modules/.cache and only unpacked.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { ROOT } from "./lab.ts";

export type Release = "bookworm" | "trixie";

const CACHE = join(ROOT, "node_modules/.cache/telltale-debian");
// Security updates come now and then; what a test needs of a release does not change with them.
const KEEP_MS = 7 * 86_400_000;
const MAKE_TIMEOUT_MS = 300_000;

const isHere = (tool: string) => spawnSync("sh", ["-c", 'command -v "$1"', "sh", tool]).status === 0;

/** Why no Debian is made here, or null. Without being asked for only CI makes one. */
export function bareDebianObstacle(): string | null {
  const { CI, TELLTALE_PACKAGE_TEST } = process.env;
  if (TELLTALE_PACKAGE_TEST !== "1" && !CI) return "takes minutes and a mirror: TELLTALE_PACKAGE_TEST=1";
  if (process.getuid?.() !== 0) return "needs root for a Debian in a folder";
  return isHere("mmdebstrap") ? null : "needs mmdebstrap: apt install mmdebstrap";
}

/**
 * A fresh Debian of the release with these packages, which goes with the test.
 * @returns its folder, or why there is none
 */
export function makeBareDebian(
  t: TestContext,
  release: Release,
  packages: readonly string[],
): { readonly root: string } | { readonly skip: string } {
  const made = archiveOf(release, packages);
  if ("skip" in made) return made;
  const root = mkdtempSync(join(tmpdir(), `telltale-${release}-`));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const unpacked = spawnSync("tar", ["-C", root, "-xpf", made.archive, "--numeric-owner"], {
    encoding: "utf8",
  });
  if (unpacked.status !== 0) throw new Error(`${made.archive}: ${unpacked.stderr}`);
  return { root };
}

function archiveOf(release: Release, packages: readonly string[]): { archive: string } | { skip: string } {
  mkdirSync(CACHE, { recursive: true });
  const list = createHash("sha256").update(packages.join()).digest("hex").slice(0, 8);
  const archive = join(CACHE, `${release}-${list}.tar`);
  if (existsSync(archive) && Date.now() - statSync(archive).mtimeMs < KEEP_MS) return { archive };
  const fresh = `${archive}.${process.pid}.tmp`;
  const options = ["--quiet", "--format=tar", "--variant=minbase", "--dpkgopt=force-unsafe-io"];
  const made = spawnSync("mmdebstrap", [...options, `--include=${packages.join()}`, release, fresh], {
    encoding: "utf8",
    timeout: MAKE_TIMEOUT_MS,
  });
  if (made.status === 0) {
    renameSync(fresh, archive);
    return { archive };
  }
  rmSync(fresh, { force: true });
  if (existsSync(archive)) return { archive }; // the mirror is away; an old one will do
  const why = made.stderr.trim().split("\n").at(-1) || `ended by ${made.signal ?? made.error?.message}`;
  return { skip: `mmdebstrap cannot make a ${release} here: ${why}` };
}
