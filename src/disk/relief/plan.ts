// Decides how logs give way when a limit of their file system is crossed or about to be. Pure, so that `telltale disk --plan`
// prints the very plan that is carried out. In stages: compress what waits, rotate early what is large, remove the oldest
// generations beyond a protected minimum. When hardly anything is free, removing goes first: the others need room to work in.

export type Keep = "high" | "normal" | "low";

export type GenerationFact = {
  readonly path: string;
  readonly sizeBytes: number;
  /** What it takes on the disk. */
  readonly diskBytes: number;
  readonly mtimeMs: number;
  readonly dev: number;
  readonly ino: number;
  readonly compressed: boolean;
  /** Somebody writes it, or it has a second name: not to be touched. */
  readonly busy: boolean;
};

export type LogFact = {
  readonly path: string;
  readonly sizeBytes: number;
  readonly diskBytes: number;
  readonly keep: Keep;
  /** Its stanza compresses, so that compressing is what its owner wants. */
  readonly compresses: boolean;
  /** Rotating copies it, which needs as much room again. */
  readonly copies: boolean;
  /** Oldest first. */
  readonly generations: readonly GenerationFact[];
  /** Who has it open for writing, as "name[pid]"; null when nobody was seen. */
  readonly writer: string | null;
};

export type ReliefFacts = {
  readonly mount: string;
  readonly sizeBytes: number;
  readonly freeBytes: number;
  /** All logs on it, with their generations and with those that nobody rotates. */
  readonly logBytes: number;
  /** What will be written soon if it goes on like this. */
  readonly aheadBytes: number;
  readonly logs: readonly LogFact[];
};

export type ReliefLimits = {
  /** 0: none. */
  readonly maxLogBytes: number;
  readonly minFreeBytes: number;
  readonly minGenerations: number;
};

export type ReliefStep =
  | { readonly do: "compress"; readonly log: string; readonly file: GenerationFact; readonly because: string }
  | { readonly do: "rotate"; readonly log: string; readonly sizeBytes: number; readonly because: string }
  | { readonly do: "remove"; readonly log: string; readonly file: GenerationFact; readonly because: string };

export type ReliefPlan = {
  readonly mount: string;
  readonly verdict: "calm" | "ahead" | "pressed" | "urgent";
  readonly why: string;
  readonly neededBytes: number;
  readonly steps: readonly ReliefStep[];
  /** What the steps are reckoned to free. */
  readonly expectedBytes: number;
  /** What could be removed at most, of all that lies there now. */
  readonly spareBytes: number;
  /** The steps will not do: somebody has to look. */
  readonly alarm: boolean;
};

// Log text shrinks to a tenth; a fifth is what the worst of them leaves.
const COMPRESSED_SHARE = 0.2;
// Beyond the limit, so that the next line does not cross it again.
const SLACK_SHARE = 0.05;
// A log below this share of its file system is not worth a rotation out of turn.
const LARGE_SHARE = 1 / 32;
const LEAST_LARGE_BYTES = 64 * 1024;
// With less than this of the wanted room left, there is no time to compress first.
const URGENT_SHARE = 0.5;
const ORDER: Readonly<Record<Keep, number>> = { low: 0, normal: 1, high: 2 };

/**
 * What to do now about one file system.
 * @param working something is being compressed or rotated already: meanwhile only what is urgent is done
 */
export function planRelief(facts: ReliefFacts, limits: ReliefLimits, working = false): ReliefPlan {
  const { mount, freeBytes, logBytes, aheadBytes } = facts;
  const over = overLimits(freeBytes, logBytes, limits);
  const soon = overLimits(freeBytes - aheadBytes, logBytes + aheadBytes, limits);
  const spare = facts.logs.flatMap((log) => sparesOf(log, limits.minGenerations));
  const spareBytes = spare.reduce((sum, { file }) => sum + file.diskBytes, 0);
  const base = { mount, neededBytes: 0, steps: [], expectedBytes: 0, spareBytes, alarm: false };
  if (over.bytes <= 0 && soon.bytes <= 0) return { ...base, verdict: "calm", why: "" };
  const urgent = limits.minFreeBytes > 0 && freeBytes < limits.minFreeBytes * URGENT_SHARE;
  const verdict = over.bytes <= 0 ? "ahead" : urgent ? "urgent" : "pressed";
  const { bytes, why } = over.bytes > 0 ? over : { bytes: soon.bytes, why: `soon ${soon.why}` };
  const draft = new Draft(facts, limits, bytes, why);
  if (verdict === "urgent") draft.remove();
  if (!working) {
    draft.compress();
    draft.rotate();
    if (verdict === "pressed") draft.remove();
  }
  const expectedBytes = draft.expected;
  return {
    mount,
    verdict,
    why,
    neededBytes: Math.ceil(bytes),
    steps: inOrder(draft.steps),
    expectedBytes,
    spareBytes,
    alarm: !working && verdict !== "ahead" && expectedBytes < bytes,
  };
}

// Rotating gives the generations of a log other names: whatever is done to them by name comes before.
function inOrder(steps: readonly ReliefStep[]): ReliefStep[] {
  return [...steps.filter((step) => step.do !== "rotate"), ...steps.filter((step) => step.do === "rotate")];
}

/** By how much the limits are crossed, slack included; 0 or less: they hold. */
function overLimits(
  freeBytes: number,
  logBytes: number,
  limits: ReliefLimits,
): { bytes: number; why: string } {
  const { minFreeBytes, maxLogBytes } = limits;
  const short =
    minFreeBytes > 0 && freeBytes < minFreeBytes ? minFreeBytes * (1 + SLACK_SHARE) - freeBytes : 0;
  const fat = maxLogBytes > 0 && logBytes > maxLogBytes ? logBytes - maxLogBytes * (1 - SLACK_SHARE) : 0;
  return short >= fat
    ? { bytes: short, why: "less is free than disk.min_free wants" }
    : { bytes: fat, why: "logs take more than disk.max_log_bytes allows" };
}

class Draft {
  readonly steps: ReliefStep[] = [];
  expected = 0;
  readonly #facts: ReliefFacts;
  readonly #limits: ReliefLimits;
  readonly #needed: number;
  readonly #because: string;
  readonly #gone = new Set<string>();
  #room: number;

  constructor(facts: ReliefFacts, limits: ReliefLimits, needed: number, because: string) {
    this.#facts = facts;
    this.#limits = limits;
    this.#needed = needed;
    this.#because = because;
    this.#room = facts.freeBytes;
  }

  get #enough(): boolean {
    return this.expected >= this.#needed;
  }

  /** The largest first: fewer of them do. Only where there is room for what comes out. */
  compress(): void {
    const waiting = this.#facts.logs
      .filter((log) => log.compresses)
      .flatMap((log) => log.generations.map((file) => ({ log: log.path, file })))
      .filter(
        ({ file }) => !file.compressed && !file.busy && file.sizeBytes > 0 && !this.#gone.has(file.path),
      )
      .sort((a, b) => b.file.diskBytes - a.file.diskBytes);
    for (const { log, file } of waiting) {
      if (this.#enough) return;
      if (file.sizeBytes * COMPRESSED_SHARE > this.#room) continue;
      this.steps.push({ do: "compress", log, file, because: this.#because });
      this.#freed(file.diskBytes * (1 - COMPRESSED_SHARE));
    }
  }

  /** What is written is moved aside while it is small enough to be compressed and removed later. */
  rotate(): void {
    const large = Math.max(LEAST_LARGE_BYTES, this.#facts.sizeBytes * LARGE_SHARE);
    const logs = this.#facts.logs
      .filter((log) => log.diskBytes >= Math.min(large, Math.max(LEAST_LARGE_BYTES, this.#needed)))
      .sort((a, b) => b.diskBytes - a.diskBytes);
    for (const { path, sizeBytes, diskBytes, compresses, copies } of logs) {
      if (this.#enough) return;
      if (copies && sizeBytes > this.#room) continue;
      this.steps.push({ do: "rotate", log: path, sizeBytes, because: this.#because });
      if (compresses) this.#freed(diskBytes * (1 - COMPRESSED_SHARE));
    }
  }

  /** The oldest of what is valued least, down to the protected minimum of each log. */
  remove(): void {
    const spare = this.#facts.logs
      .flatMap((log) => sparesOf(log, this.#limits.minGenerations))
      .sort((a, b) => ORDER[a.keep] - ORDER[b.keep] || a.ageMs - b.ageMs);
    for (const { log, file } of spare) {
      if (this.#enough) return;
      // What is removed is not compressed first.
      const at = this.steps.findIndex((step) => step.do === "compress" && step.file.path === file.path);
      if (at >= 0) {
        this.steps.splice(at, 1);
        this.expected -= file.diskBytes * (1 - COMPRESSED_SHARE);
      }
      this.#gone.add(file.path);
      this.steps.push({ do: "remove", log, file, because: this.#because });
      this.#freed(file.diskBytes);
    }
  }

  #freed(bytes: number): void {
    this.expected += bytes;
    this.#room += bytes;
  }
}

// Those beyond the protected minimum, of what may be removed at all. A time that was changed must not put a newer generation of a log before an older one: none
// counts as older than the one before it.
function sparesOf(
  { path, keep, generations }: LogFact,
  minGenerations: number,
): { log: string; keep: Keep; file: GenerationFact; ageMs: number }[] {
  if (keep === "high") return [];
  let ageMs = Number.NEGATIVE_INFINITY;
  return generations
    .slice(0, Math.max(0, generations.length - minGenerations))
    .filter((file) => !file.busy)
    .map((file) => {
      ageMs = Math.max(ageMs, file.mtimeMs);
      return { log: path, keep, file, ageMs };
    });
}
