// The door: which command or face was called. Everything else is loaded only when it is needed, so that a small command starts fast.
import { FACES } from "./faces.ts";

const IOERR = 74; // EX_IOERR of sysexits.h

process.exitCode = await main(process.argv.slice(2), process.env["TELLTALE_CALLED_AS"] ?? "telltale");

async function main(argv: readonly string[], calledAs: string): Promise<number> {
  let isLossTold = false;
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    // A reader that went away (`telltale report | head`) is no error of ours.
    if (error.code === "EPIPE") process.exit(0);
    // On a full disk the guard goes on: who is shut out counts for more than the lines about it.
    if (isLossTold) return;
    isLossTold = true;
    process.stderr.write(
      `telltale: lines for standard output are lost: ${error.message}\n    mend: make room there\n`,
    );
    process.on("exit", () => {
      process.exitCode ||= IOERR;
    });
  });
  const face = FACES[calledAs];
  if (face !== undefined) return (await face()).main(argv);

  const [name, ...rest] = argv;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    process.stdout.write((await import("./help.ts")).generalHelp());
    return name === undefined ? (await import("./call.ts")).USAGE : 0;
  }
  if (name === "--version" || name === "-V") {
    process.stdout.write(`telltale ${(await import("./version.ts")).VERSION}\n`);
    return 0;
  }
  // The guard's own jobs; nobody types this.
  if (name === "job") return (await import("./jobs.ts")).runJob(rest[0]);
  if (name === "listener") return (await import("./split/listener.ts")).runListener();
  const ownFace = FACES[name];
  if (ownFace !== undefined) return (await ownFace()).main(rest);
  return (await import("./call.ts")).callCommand(name, rest);
}
