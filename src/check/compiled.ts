// Rules as they were compiled by an earlier run, kept in one file of the user's own. Compiling two thousand rules is most
// of what a small run costs. The file only ever saves time: what is missing, changed, foreign or damaged is compiled.
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { pack, unpack } from "../pattern/compiled/pack.ts";
import { compilePatternSet, type PatternSet, patternSetKey } from "../pattern/set.ts";

/** Compiles patterns; as `compilePatternSet`. */
export type CompileSet = typeof compilePatternSet;

// Debian's server rules in one locale take 2 MB, with the states of a busy server's lines.
const FILE_MAX_BYTES = 8 << 20;
const CHECKSUM_BYTES = 4;
const OTHERS_MAY_WRITE = 0o022;
// Writing anew is worth it once a quarter of the states is new: after a few runs there are none.
const GROWTH = 1.25;
const GROWTH_STATES = 64;

type InUse = { readonly set: PatternSet; readonly knownStates: number };

/** One file of compiled rules. */
export class CompiledRules {
  readonly path: string;
  readonly uid: number;
  readonly #kept: ReadonlyMap<string, Uint8Array>;
  readonly #inUse = new Map<string, InUse>();

  /**
   * @param path the file; it need not exist
   * @param uid who must own it and its directory
   */
  constructor(path: string, uid: number) {
    this.path = path;
    this.uid = uid;
    this.#kept = this.#read();
  }

  /** How many sets the file held. */
  get keptCount(): number {
    return this.#kept.size;
  }

  /** As `compilePatternSet`, from the file where that is possible. */
  readonly compile: CompileSet = (patterns, options = {}) => {
    const bytes = patterns.map((pattern) => (typeof pattern === "string" ? Buffer.from(pattern) : pattern));
    const key = patternSetKey(bytes, options);
    const saved = this.#kept.get(key);
    const compiled = compilePatternSet(bytes, saved === undefined ? options : { ...options, saved });
    const knownStates = saved === undefined ? -1 : compiled.set.stats().states;
    this.#inUse.set(key, { set: compiled.set, knownStates });
    return compiled;
  };

  /**
   * Writes the file when this run has learnt something. Returns why that failed, or null: no one loses anything but
   * time.
   */
  keep(): string | null {
    if (![...this.#inUse.values()].some(hasLearnt)) return null;
    try {
      mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
      if (!this.#isOurs(lstatSync(dirname(this.path)))) return "its directory is open to others";
      const draft = `${this.path}.${process.pid}`;
      try {
        writeFileSync(draft, this.#content(), { mode: 0o600, flag: "wx" });
        renameSync(draft, this.path);
      } catch (error) {
        rmSync(draft, { force: true });
        throw error;
      }
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  // What this run used comes first; of the rest, as much as there is room for.
  #content(): Uint8Array {
    const sets: Record<string, Uint8Array> = {};
    let room = FILE_MAX_BYTES;
    const add = (key: string, bytes: Uint8Array): void => {
      if (bytes.length > room) return;
      room -= bytes.length;
      sets[key] = bytes;
    };
    for (const [key, used] of this.#inUse) {
      const kept = this.#kept.get(key);
      add(key, kept !== undefined && !hasLearnt(used) ? kept : used.set.save());
    }
    for (const [key, bytes] of this.#kept) if (!this.#inUse.has(key)) add(key, bytes);
    const block = pack({}, sets);
    const content = new Uint8Array(block.length + CHECKSUM_BYTES);
    content.set(block);
    new DataView(content.buffer).setUint32(block.length, crc32(block));
    return content;
  }

  #read(): ReadonlyMap<string, Uint8Array> {
    const none = new Map<string, Uint8Array>();
    let fd: number;
    try {
      if (!this.#isOurs(lstatSync(dirname(this.path)))) return none;
      fd = openSync(this.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch {
      return none; // the first run, or a place that is not for us: the rules are compiled
    }
    try {
      const stats = fstatSync(fd);
      if (!stats.isFile() || !this.#isOurs(stats) || stats.size > 2 * FILE_MAX_BYTES) return none;
      return setsIn(readFileSync(fd));
    } catch {
      return none; // a file that cannot be read is no reason to fail: the rules are compiled
    } finally {
      closeSync(fd);
    }
  }

  #isOurs(stats: { readonly uid: number; readonly mode: number }): boolean {
    return stats.uid === this.uid && (stats.mode & OTHERS_MAY_WRITE) === 0;
  }
}

function hasLearnt({ set, knownStates }: InUse): boolean {
  return knownStates < 0 || set.stats().states > knownStates * GROWTH + GROWTH_STATES;
}

function setsIn(content: Buffer): ReadonlyMap<string, Uint8Array> {
  const sets = new Map<string, Uint8Array>();
  const end = content.length - CHECKSUM_BYTES;
  if (end < 0 || crc32(content.subarray(0, end)) !== content.readUInt32BE(end)) return sets;
  const arrays = unpack(content.subarray(0, end))?.arrays ?? {};
  for (const [key, bytes] of Object.entries(arrays)) if (bytes instanceof Uint8Array) sets.set(key, bytes);
  return sets;
}
