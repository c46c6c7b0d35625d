// Yardsticks in C: small programs that do the least that some work needs, built where a compiler is.
import { spawnSync } from "node:child_process";
import { missing } from "./machine.ts";

/**
 * Builds `source` into `program`.
 * @param library of Debian, and what the compiler is told to link it with
 * @returns why it is not there, or null
 */
export function buildC(
  source: string,
  program: string,
  library?: { readonly package: string; readonly link: string },
): string | null {
  const noCompiler = missing("cc", "gcc libc6-dev");
  if (noCompiler !== null) return noCompiler;
  const link = library === undefined ? [] : [library.link];
  const built = spawnSync("cc", ["-O2", "-o", program, source, ...link], { encoding: "utf8" });
  if (built.status === 0) return null;
  const said = built.stderr.trim();
  return library === undefined
    ? `${source} does not compile: ${said}`
    : `needs ${library.link}: apt install ${library.package} (${said})`;
}
