// Who is never blocked, and why.
import { formatPrefix } from "../../core/address.ts";
import { formatFault } from "../../core/errors.ts";
import { showable } from "../../core/hostile.ts";
import { allGuards } from "../../respond/guardrails.ts";
import type { CommandCall } from "../catalogue.ts";
import { allowedBy, factsReader } from "../protected.ts";
import { gatherSettings } from "../settings.ts";
import { table } from "../terminal.ts";

export async function run({ values }: CommandCall): Promise<number> {
  const settings = gatherSettings(values["config"] as string | undefined);
  for (const fault of settings.faults) process.stderr.write(`${formatFault(fault)}\n`);
  const facts = factsReader().current();
  const rows = [
    ...allowedBy(settings).prefixes.map((prefix) => ({
      target: formatPrefix(prefix),
      because: "allow list",
    })),
    ...allGuards(facts).map(({ prefix, because }) => ({ target: formatPrefix(prefix), because })),
  ];
  if (values["json"] === true) for (const row of rows) process.stdout.write(`${JSON.stringify(row)}\n`);
  else
    process.stdout.write(
      table(
        ["NEVER BLOCKED", "BECAUSE"],
        rows.map((row) => [row.target, row.because]),
      ),
    );
  for (const { what, why } of facts.unread) {
    process.stderr.write(
      `telltale guardrails: ${showable(what)} cannot be read: ${showable(why)}; whom it names is not protected\n`,
    );
  }
  return facts.unread.length > 0 ? 1 : 0;
}
