// A listener in a stranger's hands the first time that it is started, and telltale's own from then on: who had taken it over
// was ended, and the history belongs to the guard again.
import { existsSync, writeFileSync } from "node:fs";

const mark = process.env["ROGUE_MARK"]!;
const hasPlayed = existsSync(mark);
if (!hasPlayed) writeFileSync(mark, "");
await import(hasPlayed ? "../../src/app/main.ts" : "./rogue-listener.ts");
