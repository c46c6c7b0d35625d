// Rotation beside logrotate: many small logs, where system calls and forks decide, and a few large ones, where
// compression does.
import { createHash } from "node:crypto";
import { globSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { buildC } from "./compiled.ts";
import { missing } from "./machine.ts";
import { type LogTree, makeLogTree, type TreeShape, writeLogOfSize } from "./material/log-trees.ts";
import { runMeasured } from "./measure.ts";
import { runtimeAlone } from "./runtime.ts";
import {
  type Bench,
  type Case,
  type Contender,
  CPU,
  type Goal,
  type Metric,
  RSS,
  type Sample,
  WALL,
} from "./types.ts";

const TELLTALE = join(import.meta.dirname, "../bin/telltale");
const SIZE: Metric = { key: "compressedMb", title: "compressed to", unit: "MB", better: "less" };

/** A program that takes logrotate's command line. */
type Rotator = {
  readonly name: string;
  readonly role: Contender["role"];
  argv(tree: LogTree, force: boolean): readonly string[];
  readonly obstacle: string | null;
  /** Directives that take the place of those of the case: another compressor. */
  readonly directives?: readonly string[];
};

const likeLogrotate =
  (...program: readonly string[]): Rotator["argv"] =>
  (tree, force) => [...program, ...(force ? ["-f"] : []), "-s", tree.state, tree.config];

const telltale: Rotator = {
  name: "telltale",
  role: "telltale",
  argv: likeLogrotate(TELLTALE, "logrotate"),
  obstacle: null,
};
const logrotate: Rotator = {
  name: "logrotate",
  role: "peer",
  argv: likeLogrotate("/usr/sbin/logrotate"),
  obstacle: missing("logrotate"),
};

type RotateCase = {
  readonly name: string;
  readonly what: string;
  readonly shape: TreeShape;
  readonly force: boolean;
  readonly rotators: readonly Rotator[];
  /** `dir` is a folder of its own, which is there. */
  readonly limit?: (tree: LogTree, dir: string) => Contender;
  readonly goals: readonly Goal[];
};

function rotateCase(wanted: RotateCase): Case {
  const compresses = wanted.shape.ending !== "";
  return {
    name: wanted.name,
    what: wanted.what,
    metrics: [WALL, CPU, RSS, ...(compresses ? [SIZE] : [])],
    goals: wanted.goals,
    open: (dir) => {
      const content = join(dir, "content");
      writeLogOfSize(content, wanted.shape.sizeBytes, 3);
      const digests = new Map<string, string>();
      const contenders = wanted.rotators.map((rotator): Contender => {
        const shape = { ...wanted.shape, directives: rotator.directives ?? wanted.shape.directives };
        const tree = makeLogTree(join(dir, rotator.name.replaceAll(" ", "-")), shape, content);
        const argv = rotator.argv(tree, wanted.force);
        return {
          name: rotator.name,
          role: rotator.role,
          command: argv
            .join(" ")
            .replace(TELLTALE, "bin/telltale")
            .replaceAll(`${dirname(tree.config)}/`, ""),
          obstacle: rotator.obstacle,
          before: tree.reset,
          run: async () => {
            const cost = await runMeasured(argv);
            digests.set(rotator.name, digestOf(tree));
            return compresses ? { ...cost, ...compressedSize(tree, shape.ending) } : cost;
          },
        };
      });
      if (wanted.limit !== undefined) {
        contenders.push(wanted.limit(makeLogTree(join(dir, "limit"), wanted.shape, content), dir));
      }
      return {
        contenders,
        agreement: () => {
          const [first, ...rest] = digests.values();
          return rest.every((digest) => digest === first)
            ? `same files in the tree afterwards: ${[...digests.keys()].join(", ")}`
            : `THE TREES DIFFER afterwards: ${[...digests].map(([name, digest]) => `${name} ${digest.slice(0, 8)}`).join(", ")}`;
        },
        [Symbol.dispose]: () => {},
      };
    },
  };
}

// Names, and the sizes of what is not compressed: two compressors need not agree to the byte.
function digestOf(tree: LogTree): string {
  const root = join(tree.config, "../logs");
  const hash = createHash("sha256");
  for (const name of globSync("*/*", { cwd: root }).sort()) {
    const { size } = statSync(join(root, name));
    hash.update(`${name} ${/\.(gz|zst)$/.test(name) ? "" : size}\n`);
  }
  return hash.digest("hex");
}

function compressedSize(tree: LogTree, ending: string): Sample {
  const bytes = tree.logs.reduce((sum, log) => sum + statSync(`${log}.1${ending}`).size, 0);
  return { compressedMb: bytes / 1e6 };
}

// The compressor alone on as many cores as there are, with nothing to rename: no rotation can be faster with it.
function compressorLimit(
  program: readonly string[],
  ending: string,
  filesAtOnce = 1,
): (tree: LogTree) => Contender {
  const onAllCores = `xargs -P ${availableParallelism()} -n ${filesAtOnce} ${program.join(" ")}`;
  return (tree) => ({
    name: `${program.join(" ")} on all cores`,
    role: "limit",
    command: `printf '%s\\n' *.log | ${onAllCores}`,
    obstacle: missing(program[0]!),
    before: tree.reset,
    run: async () => {
      const list = `for log in "${join(tree.config, "../logs")}"/*/*.log; do echo "$log"; done`;
      const cost = await runMeasured(["sh", "-c", `${list} | ${onAllCores}`]);
      const bytes = tree.logs.reduce((sum, log) => sum + statSync(`${log}${ending}`).size, 0);
      return { ...cost, compressedMb: bytes / 1e6 };
    },
  });
}

// What no program can do without: finding the files, the renames, the new files, the state; in C, with nothing decided.
const systemCalls =
  (what: "move" | "look") =>
  (tree: LogTree, dir: string): Contender => {
    const program = join(dir, "rotation");
    return {
      name: "the system calls alone, in C",
      role: "limit",
      command: `rotation ${what} logs state # bench/engines/rotation.c`,
      obstacle: buildC(join(import.meta.dirname, "engines/rotation.c"), program),
      before: tree.reset,
      run: () => runMeasured([program, what, join(tree.config, "../logs"), tree.state]),
    };
  };

const ZSTD = ["compresscmd /usr/bin/zstd", "uncompresscmd /usr/bin/unzstd", "compressext .zst"];

function rotateCases(scale: number): Case[] {
  const many = Math.max(1, Math.round(10_000 * scale));
  const manyLogs = `${many.toLocaleString("en-US")} logs`;
  const largeMb = Math.max(1, Math.round(50 * scale));
  const small = { count: many, sizeBytes: 4_096, generations: 2 };
  const large = { count: 20, sizeBytes: largeMb * 1_000_000, generations: 2 };
  const gzipped = ["compress", "compressoptions -6"];
  return [
    rotateCase({
      name: "small",
      what: `${manyLogs} of 4 KiB, two older generations each, all rotated, nothing compressed.`,
      shape: { ...small, directives: [], ending: "" },
      force: true,
      rotators: [telltale, logrotate],
      limit: systemCalls("move"),
      goals: [
        { metric: "wallMs", over: "logrotate", ratioAtLeast: 1 },
        { metric: "rssMb", atMost: 150 },
      ],
    }),
    rotateCase({
      name: "not-due",
      what: `${manyLogs} of 4 KiB, none of them due.`,
      shape: { ...small, directives: [], ending: "", isFresh: true },
      force: false,
      rotators: [telltale, logrotate],
      limit: systemCalls("look"),
      goals: [{ metric: "wallMs", over: "logrotate", ratioAtLeast: 1 }],
    }),
    rotateCase({
      name: "small-gzip",
      what: `${manyLogs} of 4 KiB, all rotated and compressed with gzip.`,
      shape: { ...small, directives: gzipped, ending: ".gz" },
      force: true,
      rotators: [telltale, logrotate],
      limit: compressorLimit(["gzip", "-6"], ".gz", 100),
      goals: [
        { metric: "wallMs", over: "logrotate", ratioAtLeast: 8 },
        { metric: "rssMb", atMost: 150 },
      ],
    }),
    rotateCase({
      name: "large-gzip",
      what: `20 logs of ${largeMb} MB, all rotated and compressed with gzip -6.`,
      shape: { ...large, directives: gzipped, ending: ".gz" },
      force: true,
      rotators: [
        telltale,
        logrotate,
        {
          ...logrotate,
          name: "logrotate with pigz",
          obstacle: logrotate.obstacle ?? missing("pigz"),
          directives: [...gzipped, "compresscmd /usr/bin/pigz"],
        },
      ],
      limit: compressorLimit(["gzip", "-6"], ".gz"),
      goals: [
        { metric: "wallMs", over: "logrotate", ratioAtLeast: 2 },
        { metric: "wallMs", over: "logrotate with pigz", ratioAtLeast: 1 },
        { metric: "compressedMb", over: "logrotate", within: 1.07 },
      ],
    }),
    rotateCase({
      name: "large-zstd",
      what: `20 logs of ${largeMb} MB, all rotated and compressed with zstd.`,
      shape: { ...large, directives: ["compress", ...ZSTD], ending: ".zst" },
      force: true,
      rotators: [telltale, { ...logrotate, obstacle: logrotate.obstacle ?? missing("zstd") }],
      limit: compressorLimit(["zstd", "-q"], ".zst"),
      goals: [{ metric: "wallMs", over: "logrotate", ratioAtLeast: 1 }],
    }),
    rotateCase({
      name: "idle",
      what: "One log, not due: what every cron run costs.",
      shape: { count: 1, sizeBytes: 4_096, generations: 2, directives: [], ending: "", isFresh: true },
      force: false,
      rotators: [telltale, logrotate],
      limit: runtimeAlone,
      goals: [
        { metric: "wallMs", atMost: 120 },
        { metric: "rssMb", atMost: 80 },
      ],
    }),
  ];
}

export const rotateBench: Bench = {
  name: "rotate",
  title: "Rotation",
  about: `The same tree of logs for both programs, on a tmpfs, put back before each round; both get logrotate's own command
line. The limit for compression is the compressor itself on all cores, with nothing to rename; without compression it is
the system calls alone, made by a program in C that decides nothing; and for a run that finds nothing to do it is the start of the
runtime.`,
  packages: ["logrotate", "gzip", "pigz", "zstd", "libdeflate0"],
  cases: rotateCases,
};
