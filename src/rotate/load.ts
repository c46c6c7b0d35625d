// Reads logrotate's configuration as it lies on a machine: files, directories and includes in order, globals before
// stanzas, patterns expanded to logs. One bad stanza costs that stanza; nothing here throws for what a file says.
import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import type { ConfigFault } from "../core/errors.ts";
import { accountNames } from "./accounts.ts";
import { DEFAULTS, DIRECTIVES, type Names, nearestDirective } from "./directives/parse.ts";
import { expandPattern, Listings } from "./glob/expand.ts";
import { escapePattern } from "./glob/match.ts";
import { filesAt, TABOO_EXTENSIONS } from "./include.ts";
import { textOf } from "./names/bytes.ts";
import { type DirectiveEntry, parseSyntax, type ScriptEntry, type StanzaEntry } from "./syntax/parse.ts";
import type { LoadNote, LogStanza, Place, Rotation, Script, ScriptName, Settings } from "./types.ts";

// A configuration is written by a person.
const MAX_CONFIG_BYTES = 16 * 1024 * 1024;
const MAX_INCLUDE_DEPTH = 8;
// Notes are for reading; a directory of many thousand files is not read about to the end.
const MAX_NOTES = 20_000;
// More logs than any host has; a pattern over a spool directory must not take the machine down.
const MAX_LOGS = 1_000_000;

/** What is in force outside stanzas, as reading goes on. */
type Globals = {
  settings: Settings;
  origins: Record<string, Place>;
  tabooExtensions: string[];
  tabooPatterns: string[];
};

// What strerror(3) says of the usual reasons.
const SAID: Readonly<Record<string, string>> = {
  ENOENT: "No such file or directory",
  EACCES: "Permission denied",
};

/** What one stanza says on top of the globals. */
type Own = Pick<Globals, "settings" | "origins"> & { readonly scripts: Partial<Record<ScriptName, Script>> };

/**
 * Loads configuration files or directories, in the order given; later globals override earlier ones.
 * Never throws: everything that is wrong is in `faults`.
 */
export function loadConfigs(configs: readonly string[]): Rotation {
  const loader = new Loader();
  for (const config of configs) loader.readPath(config, "", 0);
  return loader.finish();
}

// What logrotate mentions and carries on from, its exit status still 0.
const MILD = new Set(["line ignored", "text ignored", "script ignored"]);

/** Whether any of these faults keeps a log from being rotated as configured: then a run's exit status is not 0. */
export function faultsMatter(faults: readonly ConfigFault[]): boolean {
  return faults.some((fault) => !MILD.has(fault.consequence ?? ""));
}

class Loader {
  readonly #names: Names = accountNames();
  readonly #listings = new Listings();
  readonly #faults: ConfigFault[] = [];
  readonly #stanzas: LogStanza[] = [];
  readonly #notes: LoadNote[] = [];
  readonly #owners = new Map<string, { readonly place: Place; readonly settings: Readonly<Settings> }>();
  #globals: Globals = {
    settings: { ...DEFAULTS },
    origins: {},
    tabooExtensions: [...TABOO_EXTENSIONS],
    tabooPatterns: [],
  };

  finish(): Rotation {
    return { faults: this.#faults, stanzas: this.#stanzas, notes: this.#notes };
  }

  #note(text: string): void {
    if (this.#notes.length < MAX_NOTES) this.#notes.push({ text, afterFaults: this.#faults.length });
  }

  #fault(place: Place, key: string, message: string, mend: string, consequence: string): void {
    const last = this.#faults.at(-1);
    // Two patterns of a stanza in one directory that cannot be read are one fault.
    if (last?.file === place.file && last.line === place.line && last.key === key && last.message === message)
      return;
    this.#faults.push({ file: place.file, line: place.line, key, message, mend, consequence });
  }

  readPath(path: string, from: string, depth: number, place: Place = { file: path, line: 0 }): void {
    if (this.#tooDeep(depth, place)) return;
    for (const file of this.#filesOf(path, from, place)) this.#readFile(file, depth, place);
  }

  #tooDeep(depth: number, place: Place): boolean {
    if (depth <= MAX_INCLUDE_DEPTH) return false;
    const message = `is nested deeper than ${MAX_INCLUDE_DEPTH} files`;
    this.#fault(place, "include", message, "include fewer levels", "file skipped");
    return true;
  }

  // The files that a path stands for.
  #filesOf(path: string, from: string, place: Place): readonly string[] {
    if (from !== "") this.#note(`including ${path}`);
    try {
      const { files, notes } = filesAt(path, this.#globals);
      for (const note of notes) this.#note(note);
      return files;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "EIO";
      const key = from === "" ? "" : "include";
      this.#fault(place, key, `cannot stat ${path}: ${SAID[code] ?? code}`, "check the path", "file skipped");
      return [];
    }
  }

  #readFile(path: string, depth: number, place: Place): void {
    const text = this.#trustedText(path, place);
    if (text === null) return;
    this.#note(`reading config file ${path}`);
    const parsed = parseSyntax(text, path);
    this.#faults.push(...parsed.faults);
    const saved = snapshot(this.#globals);
    for (const entry of parsed.entries) {
      if (entry.kind === "stanza") this.#stanza(entry, path, depth);
      else if (entry.kind === "script") {
        this.#fault(
          { file: path, line: entry.line },
          entry.name,
          "may only stand inside a stanza",
          "move it into the stanza it belongs to",
          "script ignored",
        );
      } else if (!this.#global(entry, path, depth)) {
        // A stanza that inherits a setting nobody can read might delete what it should keep.
        if (depth > 0) this.#globals = saved;
        return;
      }
    }
    if (parsed.stopped && depth > 0) this.#globals = saved;
  }

  // The text of a file that only its owner can have written; null and a fault otherwise.
  #trustedText(path: string, place: Place): string | null {
    const refuse = (message: string, mend: string): null => {
      this.#fault({ file: path, line: 0 }, "", message, mend, "file skipped");
      return null;
    };
    let fd: number;
    try {
      fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "EIO";
      this.#fault(place, "", `cannot read ${path}: ${code}`, "check who may read it", "file skipped");
      return null;
    }
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile()) return refuse("is not a regular file", "name a file or a directory");
      if (process.getuid?.() === 0) {
        if (stat.uid !== 0)
          return refuse(`belongs to user ${stat.uid}, and should to root`, `chown root ${path}`);
        if ((stat.mode & 0o022) !== 0)
          return refuse("is writable by its group or others", `chmod go-w ${path}`);
      }
      if (stat.size > MAX_CONFIG_BYTES)
        return refuse(`is ${stat.size} bytes, at most ${MAX_CONFIG_BYTES} are read`, "split it");
      return textOf(readFileSync(fd));
    } finally {
      closeSync(fd);
    }
  }

  // Applies a global directive; false when the rest of its file must not be used.
  #global(entry: DirectiveEntry, file: string, depth: number): boolean {
    const place = { file, line: entry.line };
    if (entry.key === "include") {
      if (entry.value === "") {
        this.#fault(
          place,
          "include",
          "wants a file or directory, found nothing",
          "write include /etc/logrotate.d",
          "rest of the file skipped",
        );
        return false;
      }
      this.readPath(untilde(entry.value), file, depth + 1, place);
      return true;
    }
    if (entry.key === "tabooext" || entry.key === "taboopat") {
      this.#changeTaboo(entry);
      return true;
    }
    return this.#apply(entry, file, this.#globals, "rest of the file skipped");
  }

  #changeTaboo(entry: DirectiveEntry): void {
    const adding = /^\+\s*/.exec(entry.value);
    const list = entry.value
      .slice(adding?.[0].length ?? 0)
      .split(/[\s,]+/)
      .filter((word) => word !== "");
    const key = entry.key === "tabooext" ? "tabooExtensions" : "tabooPatterns";
    this.#globals[key] = adding === null ? list : [...this.#globals[key], ...list];
  }

  #apply(
    entry: DirectiveEntry,
    file: string,
    into: Pick<Globals, "settings" | "origins">,
    consequence: string,
  ): boolean {
    const place = { file, line: entry.line };
    const directive = DIRECTIVES.get(entry.key);
    if (directive === undefined) {
      const near = nearestDirective(entry.key);
      this.#fault(
        place,
        entry.key,
        "unknown option",
        near === null ? "remove the line" : `did you mean ${near}?`,
        "line ignored",
      );
      return true;
    }
    const value = entry.key === "olddir" ? inHome(entry.value) : entry.value;
    const refusal = directive.apply(into.settings, value, this.#names);
    if (refusal !== null) {
      this.#fault(place, entry.key, refusal.message, refusal.mend, consequence);
      return false;
    }
    this.#noteOverride(entry.key, into.origins, into === this.#globals ? {} : this.#globals.origins);
    // Of directives that change the same setting, the last one is in force.
    for (const other of Object.keys(into.origins)) {
      if (DIRECTIVES.get(other)?.sets === directive.sets) delete into.origins[other];
    }
    into.origins[entry.key] = place;
    return true;
  }

  // A size and a period in one place exclude each other, which many do not expect.
  #noteOverride(
    key: string,
    origins: Readonly<Record<string, Place>>,
    inherited: Readonly<Record<string, Place>>,
  ): void {
    const isCriterion = (name: string): boolean =>
      name === "size" || DIRECTIVES.get(name)?.sets === "criterion";
    if (!isCriterion(key)) return;
    const other = Object.keys(origins).find(
      (name) => name !== key && isCriterion(name) && origins[name] !== inherited[name],
    );
    if (other !== undefined) this.#note(`note: '${key}' overrides previously specified '${other}'`);
  }

  #stanza(entry: StanzaEntry, file: string, depth: number): void {
    const place = { file, line: entry.line };
    const own: Own = {
      settings: { ...this.#globals.settings },
      origins: { ...this.#globals.origins },
      scripts: {},
    };
    let usable = !entry.broken;
    for (const inner of entry.entries) usable = this.#inner(inner, file, depth, own) && usable;
    if (!usable) return;
    const patterns = entry.patterns.map(untilde);
    const logs = this.#logs(patterns, own.settings, place);
    this.#stanzas.push({
      id: this.#stanzas.length + 1,
      place,
      patternText: entry.patternText,
      patterns,
      logs,
      ...own,
    });
  }

  // Applies what stands in a stanza; false when the stanza must not be used.
  #inner(entry: DirectiveEntry | ScriptEntry, file: string, depth: number, own: Own): boolean {
    if (entry.kind === "script") {
      own.scripts[entry.name] = entry.script;
      return true;
    }
    const place = { file, line: entry.line };
    if (entry.key === "include") return this.#includeInside(untilde(entry.value), place, depth + 1, own);
    if (entry.key === "tabooext" || entry.key === "taboopat") {
      this.#fault(
        place,
        entry.key,
        "may not appear inside of log file definition",
        "move it out of the stanza",
        "stanza skipped",
      );
      return false;
    }
    return this.#apply(entry, file, own, "stanza skipped");
  }

  // A file that a stanza includes is read as if its lines stood there, so it holds directives and scripts only.
  #includeInside(path: string, place: Place, depth: number, own: Own): boolean {
    if (this.#tooDeep(depth, place)) return false;
    const files = this.#filesOf(path, place.file, place);
    let usable = files.length > 0;
    for (const file of files) {
      const text = this.#trustedText(file, place);
      if (text === null) return false;
      this.#note(`reading config file ${file}`);
      const parsed = parseSyntax(text, file);
      this.#faults.push(...parsed.faults);
      usable &&= parsed.faults.length === 0;
      for (const entry of parsed.entries) {
        if (entry.kind !== "stanza") usable = this.#inner(entry, file, depth, own) && usable;
        else {
          const at = { file, line: entry.line };
          const message = "a stanza may not stand in a file that a stanza includes";
          this.#fault(at, "", message, "include it outside of stanzas", "stanza skipped");
          usable = false;
        }
      }
    }
    return usable;
  }

  #logs(patterns: readonly string[], settings: Readonly<Settings>, place: Place): string[] {
    const logs: string[] = [];
    const ownership = { place, settings };
    for (const pattern of patterns) {
      const expansion = expandPattern(pattern, this.#listings);
      if (expansion.trouble !== null) {
        this.#fault(
          place,
          "",
          `cannot read ${expansion.trouble}`,
          "check who may read the directory",
          "logs in it are not rotated",
        );
      }
      for (const path of expansion.paths) {
        const log = isAbsolute(path) ? path.replace(/\/{2,}/g, "/") : resolve(path);
        const owner = this.#owners.get(log);
        if (owner === undefined && logs.length < MAX_LOGS) {
          this.#owners.set(log, ownership);
          logs.push(log);
        } else if (owner !== undefined && !owner.settings.ignoreDuplicates) {
          this.#fault(
            place,
            "",
            `duplicate log entry for ${log}: it is also in ${owner.place.file}:${owner.place.line}`,
            "name it in one stanza, or write ignoreduplicates in the first",
            "the first entry holds",
          );
        }
      }
    }
    return logs;
  }
}

function snapshot(globals: Globals): Globals {
  return {
    settings: { ...globals.settings },
    origins: { ...globals.origins },
    tabooExtensions: [...globals.tabooExtensions],
    tabooPatterns: [...globals.tabooPatterns],
  };
}

// `~/x` is in the home of whoever runs this; a home with glob characters in its name stays one directory.
function untilde(pattern: string): string {
  return pattern === "~" || pattern.startsWith("~/") ? escapePattern(homedir()) + pattern.slice(1) : pattern;
}

function inHome(path: string): string {
  return path.startsWith("~/") ? join(homedir(), path.slice(2)) : path;
}
