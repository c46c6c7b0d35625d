// Reads what logrotate, logcheck, PortSentry and fail2ban were told, says what becomes of each line, and writes a
// telltale.toml from it.
import { writeFileSync } from "node:fs";
import { describeError } from "../../core/errors.ts";
import { showable } from "../../core/hostile.ts";
import type { CommandCall } from "../catalogue.ts";
import { gatherImport } from "../import/gather.ts";
import { importedToml } from "../import/toml.ts";
import { type Directive, type Fate, type Imported, PEERS, type Peer } from "../import/types.ts";
import { paint, wantsColour } from "../terminal.ts";

const USAGE = 64;
const MAX_VALUE = 60;

export async function run({ values, operands }: CommandCall): Promise<number> {
  const asked = ((values["from"] as string | undefined) ?? PEERS.join(","))
    .split(",")
    .map((name) => name.trim());
  const unknown = asked.find((name) => !PEERS.includes(name as Peer));
  if (unknown !== undefined || operands.length > 0) {
    const found = unknown ?? operands[0]!;
    process.stderr.write(
      `telltale import: "${showable(found.slice(0, 80))}" is nothing to import from\n    mend: --from ${PEERS.join(",")}\n`,
    );
    return USAGE;
  }
  const root = (values["root"] as string | undefined) ?? "/";
  const imported = gatherImport(root, asked as Peer[]);
  const toml = importedToml(imported);
  const target = values["write"] as string | undefined;
  // With the file on standard output, the list goes beside it.
  const out = target === "-" ? process.stderr : process.stdout;

  if (values["json"] === true) out.write(`${JSON.stringify({ ...imported, toml })}\n`);
  else {
    for (const trouble of imported.troubles) process.stderr.write(`telltale import: ${showable(trouble)}\n`);
    for (const directive of imported.directives) out.write(`${listed(directive, wantsColour(out))}\n`);
    out.write(`${summary(imported, asked, root)}\n`);
  }
  if (target === "-") process.stdout.write(toml);
  else if (target !== undefined) {
    try {
      writeFileSync(target, toml, { flag: "wx", mode: 0o644 });
    } catch (error) {
      const exists = (error as NodeJS.ErrnoException).code === "EEXIST";
      process.stderr.write(
        `telltale import: ${exists ? `${target} is there already` : describeError(error)}\n    mend: ${exists ? "move it away, or write to another file and compare" : "write to a place that is yours"}\n`,
      );
      return 1;
    }
    if (values["json"] !== true) out.write(`written: ${target}; telltale config check reads it\n`);
  } else if (values["json"] !== true && imported.settings.length > 0) out.write(`\n${toml}`);
  return imported.troubles.length === 0 ? 0 : 1;
}

const STYLE = { honoured: "green", changed: "yellow", unsupported: "red" } as const;

function listed({ file, line, name, value, fate, because }: Directive, colour: boolean): string {
  const place = line > 0 ? `${file}:${line}` : file;
  const short = value.length > MAX_VALUE ? `${value.slice(0, MAX_VALUE)}...` : value;
  return `${paint(fate.padEnd(11), STYLE[fate], colour)} ${showable(`${place}: ${name}${short === "" ? "" : ` ${short}`}: ${because}`)}`;
}

function summary({ directives, settings }: Imported, asked: readonly string[], root: string): string {
  if (directives.length === 0) return `no configuration of ${asked.join(", ")} below ${showable(root)}`;
  const count = (fate: Fate) => directives.filter((directive) => directive.fate === fate).length;
  const total = `${directives.length} ${directives.length === 1 ? "directive" : "directives"}`;
  const fates = `${total}: ${count("honoured")} honoured, ${count("changed")} changed, ${count("unsupported")} unsupported`;
  return settings.length > 0 ? fates : `${fates}\nnothing of it has to be written into a telltale.toml`;
}
