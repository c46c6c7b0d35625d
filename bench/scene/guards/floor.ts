// The yardsticks for a guard in user space: the least program that reads packets and blocks, in C, and the same one that
// writes a line instead.
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Lab, ROOT } from "../../../tests/system/lab.ts";
import { waitFor } from "../../../tests/system/wait.ts";
import { buildC } from "../../compiled.ts";
import { missing } from "../../machine.ts";
import { startAccount } from "../costs.ts";
import { OPEN_PORTS } from "../ports.ts";
import { readBy } from "../reader.ts";
import type { Alarm, Guard, Standing } from "./types.ts";

const SOURCE = join(ROOT, "bench/engines/floor.c");
const TABLE = `table inet floor { set blocked { type ipv4_addr; }; chain prerouting { type filter hook prerouting priority -300; ip saddr @blocked drop; }; }`;

/** @param decisionAt how many different closed ports it waits for */
export const floor = (decisionAt: number): Guard => ({
  name: "the least in user space",
  role: "limit",
  command: `floor floor blocked ${decisionAt} # C: counts ports of each source, sends one message to nftables`,
  obstacle: missing("nft", "nftables") ?? missing("cc", "gcc libc6-dev"),
  blocks: true,
  start: (lab) => {
    lab.run("host", ["nft", TABLE]);
    return start(lab, ["floor", "blocked", String(decisionAt)]);
  },
});

/** Blocks nobody, and says whom it counted. @param decisionAt how many different closed ports it waits for */
export const floorThatTells = (decisionAt: number): Guard => ({
  name: "the least in user space",
  role: "limit",
  command: `floor - - ${decisionAt} # C: counts ports of each source, writes one line`,
  obstacle: missing("cc", "gcc libc6-dev"),
  blocks: false,
  start: (lab) => start(lab, ["-", "-", String(decisionAt)]),
});

async function start(lab: Lab, args: readonly string[]): Promise<Standing> {
  const program = join(lab.dir, "floor");
  const obstacle = buildC(SOURCE, program);
  if (obstacle !== null) throw new Error(obstacle);
  const cost = startAccount(lab);
  const reader = readBy(lab);
  const child = lab.start("host", [program, ...args, ...OPEN_PORTS.map(String)], { as: reader.as });
  const words: string[] = [];
  createInterface({ input: child.stdout! }).on("line", (line) => words.push(line));
  child.stderr!.resume();
  await waitFor("the floor to listen", () => words[0] === "ready");
  const alarms = (): Alarm[] => {
    const readMs = reader.linesMs();
    return words.slice(1).map((source, index) => {
      const atMs = readMs[index + 1]!;
      return { source, atMs, heardMs: atMs };
    });
  };
  return { cost, alarms };
}
