// The yardstick for a guard in user space: the least program that reads packets and blocks, in C.
import { join } from "node:path";
import { waitFor } from "../../../tests/system/wait.ts";
import { buildC } from "../../compiled.ts";
import { missing } from "../../machine.ts";
import { startAccount } from "../costs.ts";
import { OPEN_PORTS } from "../ports.ts";
import type { Guard } from "./types.ts";

const SOURCE = join(import.meta.dirname, "../../engines/floor.c");
const TABLE = `table inet floor { set blocked { type ipv4_addr; }; chain prerouting { type filter hook prerouting priority -300; ip saddr @blocked drop; }; }`;

/** @param decisionAt how many different closed ports it waits for */
export const floor = (decisionAt: number): Guard => ({
  name: "the least in user space",
  role: "limit",
  command: `floor floor blocked ${decisionAt} # C: counts ports of each source, sends one message to nftables`,
  obstacle: missing("nft", "nftables") ?? missing("cc", "gcc libc6-dev"),
  blocks: true,
  start: async (lab) => {
    const program = join(lab.dir, "floor");
    const obstacle = buildC(SOURCE, program);
    if (obstacle !== null) throw new Error(obstacle);
    lab.run("host", ["nft", TABLE]);
    const account = startAccount(lab);
    const child = lab.start("host", [
      program,
      "floor",
      "blocked",
      String(decisionAt),
      ...OPEN_PORTS.map(String),
    ]);
    let said = "";
    child.stdout!.setEncoding("utf8").on("data", (chunk: string) => {
      said += chunk;
    });
    child.stderr!.resume();
    await waitFor("the floor to listen", () => said.includes("ready"));
    return { cost: account, alarms: () => [] };
  },
});
