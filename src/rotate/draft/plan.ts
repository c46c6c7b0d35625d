// Writes the steps of one log that is due: which generations move, which go, and what becomes of the log itself.
import {
  baseOf,
  compareDates,
  datedPath,
  dateFormatOf,
  formatStamp,
  type GenerationMatcher,
  generationMatcher,
  type NameScheme,
  numberedPath,
  stampMoment,
} from "../names/match.ts";
import type {
  FileFact,
  LogFacts,
  LogPlan,
  LogStanza,
  RotationStep,
  ScriptName,
  ScriptStep,
  Settings,
} from "../types.ts";

const DAY_MS = 86_400_000;

/** A stanza's script as a step, or null when it has none of that name. */
export function scriptStep(stanza: LogStanza, name: ScriptName, args: readonly string[]): ScriptStep | null {
  const script = stanza.scripts[name];
  return script === undefined ? null : { do: "script", name, script, args };
}

/**
 * The steps for a log that is due.
 * @returns the steps, or the path that is in the way of the new generation
 */
export function draftLog(stanza: LogStanza, facts: LogFacts, log: FileFact, now: Date): Drafted | string {
  return new Draft(stanza, facts, log, now).draft();
}

// Stands for the inode of a file that the rotation itself makes; no file system gives it out.
const MADE = -1;

function inode(ino: number): number | null {
  return ino === MADE ? null : ino;
}

/** What matters of a file that may be moved. */
type Here = Pick<FileFact, "path" | "kind" | "ino" | "sizeBytes" | "mtimeMs">;

function moved(file: Here, path: string, ino = file.ino): Here {
  return { path, kind: file.kind, ino, sizeBytes: file.sizeBytes, mtimeMs: file.mtimeMs };
}

type Times = Pick<FileFact, "atimeMs" | "mtimeMs">;

export type Drafted = Pick<
  LogPlan,
  "before" | "rotate" | "after" | "finalPath" | "bytesFreed" | "stepByStep"
> & {
  handedPath: string;
};

// Writes the steps for one log that is due, keeping a picture of the rotation directory as it will be after each step.
class Draft {
  readonly #stanza: LogStanza;
  readonly #settings: Readonly<Settings>;
  readonly #facts: LogFacts;
  readonly #log: FileFact;
  readonly #now: Date;
  readonly #scheme: NameScheme;
  readonly #format: string;
  /** Path → file, as things stand after the steps so far. */
  readonly #there: Map<string, Here>;
  readonly #before: RotationStep[] = [];
  readonly #rotate: RotationStep[] = [];
  readonly #after: RotationStep[] = [];
  #freed = 0;
  #stepByStep = false;
  #dispose: string | null = null;

  constructor(stanza: LogStanza, facts: LogFacts, log: FileFact, now: Date) {
    this.#stanza = stanza;
    this.#settings = stanza.settings;
    this.#facts = facts;
    this.#log = log;
    this.#now = now;
    this.#scheme = facts.scheme;
    this.#format = dateFormatOf(stanza.settings);
    this.#there = new Map();
    for (const file of facts.generations) this.#there.set(file.path, file);
  }

  /** The steps, or the path that is in the way. */
  draft(): Drafted | string {
    const { compress, delayCompress, dateExt, start } = this.#settings;
    const final = dateExt ? this.#datedPath() : numberedPath(this.#scheme, start);
    const compressed = final + this.#scheme.compressExt;
    if (dateExt) {
      const taken = [final, compressed].find((path, i) => this.#there.has(path) && (i === 0 || compress));
      if (taken !== undefined) return taken;
    }
    if (this.#facts.rotationDirectory === null) {
      this.#before.push({
        do: "mkdir",
        path: this.#scheme.directory,
        attributes: this.#settings.createOlddir!,
      });
    }
    if (compress) this.#compressWaiting();
    if (dateExt) this.#dropDated();
    else this.#renumber();
    const copied = this.#moveLog(final);
    const compressNow = compress && !delayCompress && copied;
    if (compressNow) this.#compress(this.#after, this.#there.get(final)!, this.#copyTimes());
    this.#mailAndDispose(compressNow ? compressed : final, compressNow);
    const kept =
      this.#dispose === final || this.#dispose === compressed || !copied
        ? null
        : compressNow
          ? compressed
          : final;
    return {
      before: this.#before,
      rotate: this.#rotate,
      after: this.#after,
      finalPath: kept,
      bytesFreed: this.#freed,
      ...(this.#stepByStep && { stepByStep: true }),
      handedPath: final,
    };
  }

  #datedPath(): string {
    return datedPath(this.#scheme, formatStamp(this.#format, stampMoment(this.#settings, this.#now)));
  }

  #shredding(): number | null {
    return this.#settings.shred ? this.#settings.shredCycles : null;
  }

  #compress(steps: RotationStep[], file: Here, times: Times | null = null): void {
    const { path: from, sizeBytes, ino } = file;
    const { compressCommand, compressOptions } = this.#settings;
    steps.push({
      do: "compress",
      from,
      to: from + this.#scheme.compressExt,
      with: { command: compressCommand, options: compressOptions },
      sizeBytes,
      ino: inode(ino),
      times,
      preremove: scriptStep(this.#stanza, "preremove", [from]),
      shred: this.#shredding(),
    });
  }

  // A copy is as old as its log; a renamed log knows its own times best.
  #copyTimes(): Times | null {
    const { atimeMs, mtimeMs } = this.#log;
    return this.#settings.copy === "no" ? null : { atimeMs, mtimeMs };
  }

  #matcher(suffix: string): GenerationMatcher {
    return generationMatcher(this.#scheme, this.#format, suffix);
  }

  // Generations with a date in their name, oldest first.
  #dated(suffix: string): Here[] {
    const matcher = this.#matcher(suffix);
    return [...this.#there.values()]
      .flatMap((file) => {
        const date = matcher.dateOf(baseOf(file.path));
        return date === null ? [] : [{ file, date }];
      })
      .sort((a, b) => compareDates(a.date, b.date) || (a.file.path < b.file.path ? -1 : 1))
      .map(({ file }) => file);
  }

  // What `delaycompress` put off, and what an earlier failure left: a generation that is still to be compressed would otherwise
  // be overwritten, or be forgotten for ever.
  #compressWaiting(): void {
    const { dateExt, start } = this.#settings;
    const first = this.#there.get(numberedPath(this.#scheme, start));
    const waiting = dateExt ? this.#dated("") : first === undefined ? [] : [first];
    for (const file of waiting) {
      this.#compress(this.#before, file);
      this.#there.delete(file.path);
      const to = file.path + this.#scheme.compressExt;
      this.#there.set(to, moved(file, to, MADE));
    }
  }

  // By whole days, as logrotate counts since 3.22: "older than one day" begins at two.
  #tooOld(file: Here): boolean {
    const { maxAgeDays } = this.#settings;
    return maxAgeDays > 0 && Math.floor((this.#now.getTime() - file.mtimeMs) / DAY_MS) > maxAgeDays;
  }

  #suffix(): string {
    return this.#settings.compress ? this.#scheme.compressExt : "";
  }

  // Everything over the count or the age goes now, save the newest of those: it goes last, once the log itself is safe.
  #dropDated(): void {
    const { rotate } = this.#settings;
    const found = this.#dated(this.#suffix());
    const doomed = found.filter(
      (file, i) =>
        (rotate >= 0 && found.length >= rotate && i <= found.length - rotate) || this.#tooOld(file),
    );
    for (const file of doomed.slice(0, -1)) this.#remove(this.#before, file);
    this.#dispose = doomed.at(-1)?.path ?? null;
  }

  // Shifts each generation up by one; what leaves the range goes last.
  #renumber(): void {
    const { rotate, start } = this.#settings;
    const suffix = this.#suffix();
    const matcher = this.#matcher(suffix);
    const highest = rotate > 0 ? rotate + start - 1 : rotate === 0 ? start : Number.POSITIVE_INFINITY;
    const present: { file: Here; index: number }[] = [];
    for (const file of this.#there.values()) {
      const index = matcher.indexOf(baseOf(file.path));
      if (index === null || index < start || index > highest) continue;
      // Highest first. There are few, and sorting two of them costs as much memory as all the rest of a plan.
      let at = present.length;
      for (; at > 0 && present[at - 1]!.index < index; at--) present[at] = present[at - 1]!;
      present[at] = { file, index };
    }
    for (const { file, index } of present) {
      if (this.#tooOld(file)) {
        this.#remove(this.#before, file);
        continue;
      }
      const to = numberedPath(this.#scheme, index + 1) + suffix;
      if (this.#there.has(to) || file.kind === "directory") this.#stepByStep = true;
      this.#before.push({ do: "rename", from: file.path, to, ifThere: true, ino: inode(file.ino) });
      this.#there.delete(file.path);
      this.#there.set(to, moved(file, to));
    }
    if (rotate >= 0) {
      const beyond = numberedPath(this.#scheme, highest + 1) + suffix;
      this.#dispose = this.#there.has(beyond) ? beyond : null;
    }
  }

  // The log itself. False when nothing is kept of it: `copy` and `copytruncate` with `rotate 0`.
  #moveLog(final: string): boolean {
    const { copy, rotate } = this.#settings;
    const { path } = this.#facts;
    const sizeBytes = this.#log.sizeBytes;
    if (copy === "copy" || copy === "copytruncate") {
      const truncate = copy === "copytruncate";
      // A copy that nobody keeps is made only to be mailed.
      if (rotate === 0 && this.#settings.mail === null) {
        if (truncate) this.#rotate.push({ do: "truncate", path });
        if (truncate) this.#freed += sizeBytes;
        return false;
      }
      this.#rotate.push({ do: "copy", from: path, to: final, truncate, sizeBytes });
      if (rotate === 0) {
        if (this.#dispose !== null) this.#remove(this.#before, this.#there.get(this.#dispose)!);
        this.#dispose = this.#settings.delayCompress ? final : final + this.#suffix();
      }
    } else {
      const temporary = `${path}.tmp`;
      this.#rotate.push({
        do: "rename",
        from: path,
        to: copy === "renamecopy" ? temporary : final,
        ifThere: false,
        ino: this.#log.ino,
      });
      if (rotate === 0) this.#dispose = this.#settings.delayCompress ? final : final + this.#suffix();
      if (this.#settings.create !== null) this.#create(copy === "renamecopy" ? temporary : final);
      if (copy === "renamecopy") {
        this.#after.push({ do: "copy", from: temporary, to: final, truncate: false, sizeBytes });
        this.#after.push({ do: "unlink", path: temporary });
      }
    }
    this.#there.set(final, moved(this.#log, final, copy === "no" ? this.#log.ino : MADE));
    return true;
  }

  #create(movedTo: string): void {
    const wanted = this.#settings.create!;
    this.#rotate.push({
      do: "create",
      path: this.#facts.path,
      mode: wanted.mode ?? this.#log.mode & 0o777,
      uid: wanted.uid ?? this.#log.uid,
      gid: wanted.gid ?? this.#log.gid,
      accessFrom: wanted.mode === null ? movedTo : null,
      labelFrom: movedTo,
    });
  }

  #mailAndDispose(newest: string, compressed: boolean): void {
    const { mail, mailFirst } = this.#settings;
    const doomed = this.#dispose;
    if (mail !== null && mailFirst) this.#mail(this.#after, newest, compressed ? this.#facts.path : newest);
    if (doomed === null) return;
    const file = this.#there.get(doomed) ?? moved(this.#log, doomed, MADE);
    if (mail !== null && !mailFirst) this.#mail(this.#after, doomed, doomed);
    this.#remove(this.#after, file, false);
  }

  #mail(steps: RotationStep[], path: string, subject: string): void {
    const compressed = this.#settings.compress && path.endsWith(this.#scheme.compressExt);
    steps.push({
      do: "mail",
      path,
      to: this.#settings.mail!,
      subject,
      uncompress: compressed ? this.#settings.uncompressCommand : null,
    });
  }

  #remove(steps: RotationStep[], file: Here, mayMail = true): void {
    const { mail, mailFirst } = this.#settings;
    if (mayMail && mail !== null && !mailFirst) this.#mail(steps, file.path, file.path);
    const preremove = scriptStep(this.#stanza, "preremove", [file.path]);
    if (preremove !== null) steps.push(preremove);
    steps.push({
      do: "remove",
      path: file.path,
      because: this.#tooOld(file) ? "maxage" : "rotate",
      sizeBytes: file.sizeBytes,
      ino: inode(file.ino),
      shred: this.#shredding(),
    });
    this.#freed += file.sizeBytes;
    this.#there.delete(file.path);
  }
}
