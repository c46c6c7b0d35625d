// logtail2's command line: prints what of a log was not printed before. Scripts call it by name, so options, exit
// statuses and the offset file are logtail2's own. The first logtail differs in knowing no rotation, and in its words.
import {
  LogtailError,
  planUnseen,
  readOffsetMark,
  readUnseen,
  shrinkWarning,
  writeOffsetMark,
} from "../check/logtail.ts";
import { type FaceOutput, standardOutput } from "./output.ts";

/** Which of the two programs is asked for. */
export type LogtailName = "logtail" | "logtail2";

/**
 * Runs `logtail2 [-t] -f LOG [-o OFFSETFILE]`, or `logtail2 LOG [OFFSETFILE]`.
 * @returns the exit status: 0, 65 (no such inode or directory), 66 (no such log), 73 (offset file not written)
 */
export function runLogtail(
  name: LogtailName,
  args: readonly string[],
  output: FaceOutput = standardOutput,
): number {
  const request = readArguments(args, output.err);
  if (request === null) {
    output.err("No logfile to read. Use -f [LOGFILE].\n");
    return 66;
  }
  try {
    const lookedAt = new Date();
    const mark = readOffsetMark(request.offsetFile);
    const plan = planUnseen(request.log, mark, name === "logtail2");
    if (plan === null) return 0;
    if (plan.shrank !== undefined) output.out(shrinkWarning(request.log));
    const next = readUnseen(plan, output.out);
    if (!request.test) writeOffsetMark(request.offsetFile, next, lookedAt);
    return 0;
  } catch (error) {
    if (!(error instanceof LogtailError)) throw error;
    // The first logtail does not say why.
    output.err(name === "logtail" ? `${error.message.replace(/: [^:]*$/, ".")}\n` : `${error.message}\n`);
    return error.status;
  }
}

type Request = { readonly log: string; readonly offsetFile: string; readonly test: boolean };

// Perl's Getopt::Std: options stop at the first word that is none, may be joined (`-tf LOG`), and an unknown
// letter is named and passed over.
function readArguments(args: readonly string[], warn: (text: string) => void): Request | null {
  const options = { f: "", o: "", t: false };
  const words = [...args];
  while (words[0] !== undefined && /^-./.test(words[0])) {
    let letters = words.shift()!.slice(1);
    if (letters === "-") break;
    while (letters !== "") {
      const letter = letters[0]!;
      letters = letters.slice(1);
      if (letter === "t") options.t = true;
      else if (letter === "f" || letter === "o") {
        options[letter] = letters === "" ? (words.shift() ?? "") : letters;
        letters = "";
      } else warn(`Unknown option: ${letter}\n`);
    }
  }
  const byPosition = words.length === 1 || words.length === 2;
  const log = byPosition ? words[0]! : options.f;
  const offset = words.length === 2 ? words[1]! : options.o;
  if (log === "") return null;
  return { log, offsetFile: offset === "" ? `${log}.offset` : offset, test: options.t };
}

/** The face's door. */
export async function main(argv: readonly string[]): Promise<number> {
  return runLogtail("logtail2", argv);
}
