// User and group names of this machine. The files are read once for each configuration; a name that stands in neither is asked
// for through getent, which knows LDAP and the like.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Names } from "./directives/parse.ts";

/** Looks names up now; answers are kept for as long as the returned object lives. */
export function accountNames(): Names {
  return { uidOf: lookUpIn("/etc/passwd", "passwd"), gidOf: lookUpIn("/etc/group", "group") };
}

function lookUpIn(file: string, database: "passwd" | "group"): (name: string) => number | null {
  let known: Map<string, number | null> | null = null;
  return (name) => {
    known ??= readTable(file);
    const hit = known.get(name);
    if (hit !== undefined) return hit;
    const asked = askGetent(database, name);
    known.set(name, asked);
    return asked;
  };
}

// `name:x:number:…` lines.
function readTable(file: string): Map<string, number | null> {
  const table = new Map<string, number | null>();
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return table; // No such file: getent is asked for every name.
  }
  for (const line of text.split("\n")) {
    const [name, , number] = line.split(":");
    if (name !== undefined && number !== undefined && /^\d+$/.test(number) && !table.has(name)) {
      table.set(name, Number(number));
    }
  }
  return table;
}

function askGetent(database: string, name: string): number | null {
  // getent takes a number as an id and finds its owner; a name in a configuration is a name first.
  if (/^\d+$/.test(name) || name === "") return null;
  try {
    const line = execFileSync("getent", ["--", database, name], {
      encoding: "utf8",
      timeout: 5_000,
      stdio: ["ignore", "pipe", "ignore"],
    });
    const number = line.split(":")[2];
    return number !== undefined && /^\d+$/.test(number) ? Number(number) : null;
  } catch {
    return null; // Exit status 2: no such name. No getent at all means the same here.
  }
}
