// Who the listener runs as, and whether this host is ready for it. Where it is not, the guard runs as one process and
// says why.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Settings } from "../settings.ts";

export const LISTENER_USER = "telltale";

// adm reads /var/log, systemd-journal the journal; logcheck's rules on Debian are its group's.
const GROUPS = ["adm", "systemd-journal", "logcheck"];

/** The unprivileged user of this host. */
export type Account = {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly string[];
};

/** Why the guard is not split, and what to do. */
export type Whole = { readonly because: string; readonly mend: string };

/** The command in front of the listener's own: another user, no capability now or ever. setpriv(1). */
export function dropTo({ uid, gid, groups }: Account): string[] {
  return [
    "setpriv",
    `--reuid=${uid}`,
    `--regid=${gid}`,
    groups.length === 0 ? "--clear-groups" : `--groups=${groups.join(",")}`,
    "--inh-caps=-all",
    "--ambient-caps=-all",
    "--bounding-set=-all",
    "--no-new-privs",
    // Whoever starts it must not end without it: two listeners would read the same lines.
    "--pdeathsig=KILL",
  ];
}

/** The account to split with, or why not. Needs no more than a look at some files. */
export function findAccount(settings: Settings): Account | Whole {
  if (process.getuid?.() !== 0)
    return { because: "not started as root", mend: "start it as root, or by its service" };
  if (settings.config.guard.split === "off")
    return { because: 'guard.split = "off"', mend: 'take it out, or set guard.split = "auto"' };
  const user = entryOf("/etc/passwd", LISTENER_USER);
  if (user === null) {
    return {
      because: `there is no user ${LISTENER_USER}`,
      mend: `adduser --system --group --no-create-home --home /nonexistent ${LISTENER_USER}`,
    };
  }
  const account: Account = {
    uid: Number(user[2]),
    gid: Number(user[3]),
    groups: GROUPS.filter((name) => entryOf("/etc/group", name) !== null),
  };
  if (!(account.uid > 0) || !(account.gid > 0))
    return { because: `user ${LISTENER_USER} is root`, mend: "give it a number of its own" };
  return account;
}

/**
 * Why this account cannot run the listener, or null: tries it with the very program and folders.
 * @param folders which it has to be able to enter and write
 */
export function whyNot(
  account: Account,
  program: readonly string[],
  folders: readonly string[],
): Whole | null {
  const words = [...dropTo(account), "sh", "-c", PROBE, "sh", ...folders, "--", ...program];
  const tried = spawnSync(words[0]!, words.slice(1), { encoding: "utf8" });
  if (tried.error !== undefined || tried.status === 127)
    return { because: "setpriv is not installed", mend: "apt install util-linux" };
  if (tried.status === 0) return null;
  const path = tried.stdout.trim();
  if (path === "") return { because: `setpriv failed: ${tried.stderr.trim()}`, mend: "see setpriv(1)" };
  return {
    because: `user ${LISTENER_USER} cannot get at ${path}`,
    mend: `make ${path} and the folders that lead to it open to it (chmod o+rx)`,
  };
}

const PROBE =
  'while [ "$1" != -- ]; do [ -w "$1" ] && [ -x "$1" ] || { echo "$1"; exit 1; }; shift; done; shift; for path; do [ -r "$path" ] || { echo "$path"; exit 1; }; done';

/** What the listener's process is made of, for `whyNot`. */
export function programFiles(): string[] {
  return [process.execPath, process.argv[1]!, dirname(process.argv[1]!)];
}

// Lines of passwd(5) and group(5); a user of a directory service is no system user.
function entryOf(file: string, name: string): string[] | null {
  try {
    const line = readFileSync(file, "utf8")
      .split("\n")
      .find((each) => each.startsWith(`${name}:`));
    return line?.split(":") ?? null;
  } catch {
    return null; // No such file here: then there is no such user either.
  }
}
