// What a listener would be in the hands of somebody who has taken it over: it says hello as it should, and then sends the
// lines it was told to, one at a time, printing each answer.
import { readFileSync } from "node:fs";
import { Socket } from "node:net";
import { createInterface } from "node:readline";

const lines = readFileSync(process.env["ROGUE_LINES"]!, "utf8")
  .split("\n")
  .filter((line) => line !== "");
const channel = new Socket({ fd: 3, readable: true, writable: true });
const say = (line: string) => channel.write(`${line}\n`);
channel.on("close", () => process.exit(0));
channel.on("error", () => process.exit(0));
say('{"id":1,"ask":"hello"}');
for await (const line of createInterface({ input: channel })) {
  if (line.startsWith('{"tell":"quit"')) process.exit(0);
  if (line.startsWith('{"tell"')) continue;
  const { value, ...rest } = JSON.parse(line) as { id: number; value?: unknown };
  console.log(JSON.stringify({ ...rest, value: rest.id === 1 ? "the settings" : value }));
  const next = lines.shift();
  if (next === undefined) console.log("done");
  else say(next);
}
