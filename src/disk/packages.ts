// Names the package that a program or file came with, by reading dpkg's lists of files; asked only for what is about to be
// told. The lists are those of deb(5): /var/lib/dpkg/info/PACKAGE.list, a path a line.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { promisify } from "node:util";

const LISTS = "/var/lib/dpkg/info";
const RPM = "/usr/bin/rpm";
const RPM_TIMEOUT_MS = 5_000;
// Programs that write logs are few; whoever makes up more gets them asked again.
const MAX_KEPT = 256;

const kept = new Map<string, Promise<string>>();

/** `nginx-core` for /usr/sbin/nginx; "" when no package has it, or no package manager is here that we know. */
export async function packageOf(path: string): Promise<string> {
  if (!path.startsWith("/")) return "";
  let answer = kept.get(path);
  if (answer === undefined) {
    if (kept.size >= MAX_KEPT) kept.clear();
    answer = existsSync(LISTS) ? byDpkg(path, LISTS) : existsSync(RPM) ? byRpm(path) : Promise.resolve("");
    kept.set(path, answer);
  }
  return await answer;
}

/** The package whose list in this directory names the path. */
export async function byDpkg(path: string, lists: string): Promise<string> {
  // With /usr merged, a list may still have the old name.
  const names = [path, path.replace(/^\/usr(?=\/(bin|sbin|lib)\/)/, "")];
  const wanted = [...new Set(names)].map((name) => Buffer.from(`\n${name}\n`));
  for (const file of await readdir(lists)) {
    if (!file.endsWith(".list")) continue;
    // One at a time: memory holds one list, and the loop runs between them.
    const text = await readFile(`${lists}/${file}`).catch(() => null);
    if (text !== null && wanted.some((line) => text.includes(line)))
      return file.slice(0, -5).replace(/:.*$/, "");
  }
  return "";
}

async function byRpm(path: string): Promise<string> {
  try {
    const asked = ["-qf", "--qf", "%{NAME}", path];
    return (await promisify(execFile)(RPM, asked, { timeout: RPM_TIMEOUT_MS })).stdout.trim();
  } catch {
    return ""; // rpm says so by its status when no package owns the file.
  }
}
