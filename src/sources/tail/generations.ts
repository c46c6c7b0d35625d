// Which files beside a log are its earlier generations, and in what order they were written: the names that
// logrotate, savelog and dateext give, told apart from other logs that only look alike.

export type Compression = "gzip" | "zstd" | "xz" | "bzip2";

/** What a file name says about a generation. */
export type GenerationName = {
  /** Files of one shape were named by one scheme and can be ordered by it: `.#`, `-@8`. */
  readonly shape: string;
  /** Sorts generations of one shape, the smaller the older. */
  readonly age: bigint;
  /** The name without the compression's ending: `auth.log.1` for `auth.log.1.gz`. */
  readonly stem: string;
  readonly compression: Compression | null;
};

const ENDINGS: readonly (readonly [string, Compression])[] = [
  [".gz", "gzip"],
  [".zst", "zstd"],
  [".xz", "xz"],
  [".bz2", "bzip2"],
];

// A count has at most four digits; with six or more they are a date, maybe with time or seconds of the epoch.
const COUNT = /^([.-])(\d{1,4})$/;
const DATE = /^([-._])((?:\d{6,}|\d{4}[-._]\d\d)[-._T:\d]*)$/;

/** What `name` says as a generation of the log named `log` (both without their folder); null when it is none. */
export function generationName(log: string, name: string): GenerationName | null {
  const ending = ENDINGS.find(([text]) => name.endsWith(text));
  const stem = ending === undefined ? name : name.slice(0, -ending[0].length);
  const compression = ending === undefined ? null : ending[1];
  if (stem === log) return null;

  const after = stem.startsWith(log) ? stem.slice(log.length) : null;
  if (after !== null) {
    const told = tell(after, "");
    return told === null ? null : { ...told, stem, compression };
  }
  // logrotate's `extension .log`: app.1.log and app-20261122.log belong to app.log. A bare -1 is more often
  // another log (app-1.log of a second worker), so counts need the dot here.
  const dot = log.lastIndexOf(".");
  if (dot <= 0) return null;
  const extension = log.slice(dot);
  if (!stem.startsWith(log.slice(0, dot)) || !stem.endsWith(extension)) return null;
  if (stem.length <= dot + extension.length) return null;
  const between = stem.slice(dot, -extension.length);
  if (/^-\d{1,4}$/.test(between)) return null;
  const told = tell(between, extension);
  return told === null ? null : { ...told, stem, compression };
}

function tell(suffix: string, extension: string): { shape: string; age: bigint } | null {
  if (suffix === ".old") return { shape: ".old", age: 0n };
  const count = COUNT.exec(suffix);
  if (count !== null) return { shape: `${count[1]}#${extension}`, age: -BigInt(count[2]!) };
  const date = DATE.exec(suffix);
  if (date === null) return null;
  const digits = date[2]!.replace(/\D/g, "").slice(0, 30);
  return { shape: `${date[1]}@${digits.length}${extension}`, age: BigInt(digits) };
}

/** A generation that exists. */
export type Generation = GenerationName & {
  readonly path: string;
  readonly device: string;
  readonly inode: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
};

/**
 * The generations written after `found`, oldest first: by their names where one scheme named them, else by time.
 * @param found the generation that was read last; null when it is gone
 * @param afterMs when `found` is null: when it was last written, as far as we saw
 */
export function newerThan(
  all: readonly Generation[],
  found: Generation | null,
  afterMs: number,
): Generation[] {
  const one = withoutTwins(all);
  const newer = one.filter((generation) =>
    found === null
      ? generation.mtimeMs > afterMs
      : generation.stem !== found.stem &&
        (generation.shape === found.shape ? generation.age > found.age : generation.mtimeMs > found.mtimeMs),
  );
  return newer.sort(byAge);
}

/** Oldest first. */
export function byAge(a: Generation, b: Generation): number {
  if (a.shape === b.shape && a.age !== b.age) return a.age < b.age ? -1 : 1;
  return a.mtimeMs - b.mtimeMs;
}

// While a generation is compressed, both files are there; the plain one is whole, the other not yet.
function withoutTwins(all: readonly Generation[]): Generation[] {
  const plain = new Set(all.filter(({ compression }) => compression === null).map(({ stem }) => stem));
  return all.filter(({ compression, stem }) => compression === null || !plain.has(stem));
}

/** Whether both are the same file. */
export function sameFile(
  a: { readonly device: string; readonly inode: string },
  b: { readonly device: string; readonly inode: string },
): boolean {
  return a.device === b.device && a.inode === b.inode;
}

/** Whether both lists name the same files at the same paths. */
export function sameFiles(a: readonly Generation[], b: readonly Generation[]): boolean {
  const names = (list: readonly Generation[]) =>
    list.map(({ path, device, inode }) => `${device} ${inode} ${path}`).sort();
  const [one, other] = [names(a), names(b)];
  return one.length === other.length && one.every((name, index) => name === other[index]);
}
