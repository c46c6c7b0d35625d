// Names of users and groups by number, as the files of passwd(5) and group(5) have them.
import { readFileSync } from "node:fs";

/** A map from number to name; empty when the file cannot be read. */
export function namesOf(file: "/etc/passwd" | "/etc/group"): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  try {
    for (const line of readFileSync(file, "utf8").split("\n")) {
      const [name, , number] = line.split(":");
      if (name !== undefined && number !== undefined && number !== "" && !names.has(Number(number)))
        names.set(Number(number), name);
    }
  } catch {
    // Without names, numbers are written: they serve as well.
  }
  return names;
}
