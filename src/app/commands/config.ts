// The configuration as telltale understands it: every fault at once, the reason for one value, or all values in force.
import { existsSync } from "node:fs";
import { everyKey, explainKeys, type KeyAnswer } from "../../config/explain.ts";
import { readConfig } from "../../config/read.ts";
import { kindInWords, tomlValue } from "../../config/render.ts";
import { type ConfigFault, formatFault } from "../../core/errors.ts";
import { showable } from "../../core/hostile.ts";
import { loadRotation } from "../../rotate/run.ts";
import type { CommandCall } from "../catalogue.ts";
import { findLogSources } from "../log-sources.ts";
import { gatherSettings } from "../settings.ts";

const USAGE = 64;

export async function run({ values, operands }: CommandCall): Promise<number> {
  const file = values["config"] as string | undefined;
  const json = values["json"] === true;
  const [what, ...names] = operands;
  if (what === "check" && names.length === 0) return await check(file, json);
  if (what === "explain" && names.length > 0) return explain(file, names, json);
  if (what === "show" && names.length === 0) return show(file, values["all"] === true, json);
  process.stderr.write(
    "telltale config: wants check, explain KEY, or show\n    mend: see telltale config --help\n",
  );
  return USAGE;
}

/** Every fault of everything that is read: telltale's files, logrotate's, logcheck's, PortSentry's. */
async function check(file: string | undefined, json: boolean): Promise<number> {
  const settings = gatherSettings(file);
  const { rotateConfigs: configs, rotateState: statePath, config } = settings;
  const rotation = await loadRotation({ configs, statePath });
  const logs = findLogSources(config);
  // A host without logcheck's rules has none to check; the guard says that it reads no logs.
  const rules = existsSync(logs.rulesDirectory) ? logs.faults : [];
  const faults = distinct([...settings.faults, ...rotation.faults, ...rules]);
  if (json) {
    for (const fault of faults) process.stdout.write(`${JSON.stringify(fault)}\n`);
  } else {
    for (const fault of faults) process.stdout.write(`${showLines(formatFault(fault))}\n`);
    const own =
      settings.configFiles.length === 0
        ? existsSync(settings.configFile)
          ? `nothing of ${settings.configFile}, so the defaults`
          : `no ${settings.configFile}, so the defaults`
        : settings.configFiles.join(", ");
    const read = [
      ...configs.map((path) => `${path} with ${counted(rotation.stanzas.length, "stanza", "stanzas")}`),
      `${counted(logs.rules.ruleCount, "rule", "rules")} of ${logs.rulesDirectory}`,
      ...(settings.portsentryConfig === null ? [] : [settings.portsentryConfig]),
      own,
    ];
    const count = counted(faults.length, "fault", "faults");
    process.stdout.write(`${count}; read: ${showable(read.join("; "))}\n`);
  }
  return faults.length === 0 ? 0 : 1;
}

function explain(file: string | undefined, names: readonly string[], json: boolean): number {
  const read = readOwn(file);
  let status = 0;
  for (const name of names) {
    const answers = explainKeys(name, read);
    if ("nearest" in answers) {
      process.stderr.write(
        `telltale config: "${showable(name.slice(0, 80))}" is no key or section\n    mend: did you mean ${oneOf(answers.nearest)}?\n`,
      );
      status = 1;
      continue;
    }
    for (const answer of answers) {
      process.stdout.write(json ? `${JSON.stringify(answer)}\n` : `${explained(answer)}\n`);
    }
  }
  return status;
}

function oneOf(names: readonly string[]): string {
  return names.length < 2 ? names.join() : `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}

function explained({ key, value, from, overridden, fallback, kind, summary, reason }: KeyAnswer): string {
  const place = from === null ? "the default" : `${from.file}:${from.line}`;
  const rows: (readonly [name: string, text: string])[] = [
    ["from", place],
    ...overridden.map(
      ({ file, line, written }) => ["instead of", `${tomlValue(written)} of ${file}:${line}`] as const,
    ),
    ["does", summary],
    ["takes", kindInWords(kind)],
    ["default", `${tomlValue(fallback)}, because: ${reason}`],
  ];
  return [
    showable(`${key} = ${tomlValue(value)}`),
    ...rows.map(([name, text]) => `    ${`${name}:`.padEnd(12)}${showable(text)}`),
  ].join("\n");
}

/** What holds, as one file that could be used instead of them all; without `all`, only what somebody wrote. */
function show(file: string | undefined, all: boolean, json: boolean): number {
  const answers = everyKey(readOwn(file)).filter(({ from }) => all || from !== null);
  if (json) {
    for (const answer of answers) process.stdout.write(`${JSON.stringify(answer)}\n`);
    return 0;
  }
  let section = "";
  for (const { key, value, from } of answers) {
    const dot = key.lastIndexOf(".");
    const of = key.slice(0, dot);
    if (of !== section) process.stdout.write(`${section === "" ? "" : "\n"}[${of}]\n`);
    section = of;
    const place = from === null ? "default" : `${from.file}:${from.line}`;
    process.stdout.write(
      `${showable(`${key.slice(dot + 1)} = ${tomlValue(value)}`)}  # ${showable(place)}\n`,
    );
  }
  if (answers.length === 0)
    process.stdout.write("# every key has its default; telltale config show --all lists them\n");
  return 0;
}

function readOwn(file: string | undefined): ReturnType<typeof readConfig> {
  const read = readConfig(file ?? gatherSettings(undefined).configFile, file !== undefined);
  for (const fault of read.faults) process.stderr.write(`${showLines(formatFault(fault))}\n`);
  return read;
}

// The same file may be read by two parts, and has its faults only once.
function distinct(faults: readonly ConfigFault[]): ConfigFault[] {
  return [...new Map(faults.map((fault) => [formatFault(fault), fault])).values()];
}

function showLines(text: string): string {
  return text.split("\n").map(showable).join("\n");
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
