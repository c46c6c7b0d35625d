// Logs through the rules, once: what remains is printed under logcheck's headings.
import type { ReportLevel, RuleBook } from "../../check/rules.ts";
import { systemClock } from "../../core/clock.ts";
import { describeError, formatFault } from "../../core/errors.ts";
import type { Event, Layer } from "../../core/events.ts";
import { showable, showableBytes } from "../../core/hostile.ts";
import { followFiles, type LineBatch } from "../../sources/tail/follow.ts";
import { openStore, type Store } from "../../store/store.ts";
import { Bus } from "../bus.ts";
import type { CommandCall } from "../catalogue.ts";
import { findLogSources } from "../log-sources.ts";
import { readLog } from "../read-log.ts";
import { gatherSettings } from "../settings.ts";
import { surveyRules } from "./check-rules.ts";
import { testRule } from "./check-test.ts";

const TITLES: Record<Layer, string> = {
  cracking: "Active System Attack Alerts",
  violations: "Security Violations",
  system: "Unusual System Events",
};
const LEVELS = ["workstation", "server", "paranoid"];

export async function run({ values, operands }: CommandCall): Promise<number> {
  const level = values["level"] as ReportLevel | undefined;
  if (level !== undefined && !LEVELS.includes(level)) {
    process.stderr.write(
      `telltale check: --level wants one of ${LEVELS.join(", ")}, found "${showable(level)}"\n`,
    );
    return 64;
  }
  const json = values["json"] === true;
  const settings = gatherSettings(values["config"] as string | undefined);
  const rules = values["rules"] as string | undefined;
  const sources = findLogSources(settings.config, {
    ...(rules !== undefined && { rules }),
    ...(level && { level }),
  });
  const faults = [...settings.faults, ...sources.faults];
  for (const fault of faults) process.stderr.write(`${formatFault(fault)}\n`);
  if (sources.rules.ruleCount === 0) {
    process.stderr.write(
      `telltale check: no rules in ${showable(sources.rulesDirectory)}\n    mend: apt install logcheck-database\n`,
    );
    return 1;
  }
  const [word, ...rest] = operands;
  if (word === "rules") return await surveyRules(sources.rules, rest.length > 0 ? rest : sources.logs, json);
  if (word === "test" && rest.length > 0) {
    const [rule, ...logs] = rest;
    return await testRule(rule!, logs.length > 0 ? logs : sources.logs, json);
  }
  const output = new Output(sources.rules, json, new Bus(settings.host, systemClock));
  let failed = faults.length > 0;
  if (operands.length > 0 || values["all"] === true) {
    for (const path of operands.length > 0 ? operands : sources.logs) {
      try {
        await readLog(path, (bytes, start, end) => output.take(path, bytes.subarray(start, end)));
      } catch (error) {
        failed = true;
        process.stderr.write(`telltale check: ${showable(path)}: ${describeError(error)}\n`);
      }
    }
    output.finish();
    return failed ? 1 : 0;
  }
  using store = openStore(settings.storeFile);
  await readNew(store, sources.logs, output);
  output.finish();
  return failed || output.unreadable > 0 ? 1 : 0;
}

// What is new since the last `telltale check`; its cursors are its own, so that it takes nothing from a guard.
async function readNew(store: Store, paths: readonly string[], output: Output): Promise<void> {
  const mine = (source: string) => `check:${source}`;
  const later: LineBatch[] = [];
  const follower = followFiles({
    paths,
    cursors: {
      get: (source) =>
        later.findLast((batch) => batch.source === source)?.cursor ?? store.cursors.get(mine(source)),
      set: (source, cursor) => store.cursors.set(mine(source), cursor),
    },
    from: "start",
    commit: (batch) => {
      for (const line of batch.lines) output.take(batch.source, line);
      later.push({ ...batch, lines: [] });
    },
    emit: (body) => output.tell(body),
  });
  await follower.poll();
  await follower.stop();
  // Everything was printed: only now it counts as read.
  store.transaction(() => {
    for (const { source, cursor } of later) store.cursors.set(mine(source), cursor);
  });
}

/** Findings, held until all is read, because the most serious come first. */
class Output {
  unreadable = 0;
  readonly #rules: RuleBook;
  readonly #json: boolean;
  readonly #bus: Bus;
  readonly #lines: Record<Layer, string[]> = { cracking: [], violations: [], system: [] };
  #read = 0;

  constructor(rules: RuleBook, json: boolean, bus: Bus) {
    this.#rules = rules;
    this.#json = json;
    this.#bus = bus;
  }

  take(source: string, line: Uint8Array): void {
    this.#read++;
    const found = this.#rules.classify(line);
    if (found === null) return;
    if (!this.#json) {
      this.#lines[found.layer].push(showableBytes(line));
      return;
    }
    const { layer, rule } = found;
    this.tell({ type: "line.found", layer, source, line: showableBytes(line), ...(rule && { rule }) });
  }

  tell(body: Parameters<Bus["stamp"]>[0]): Event {
    const event = this.#bus.stamp(body);
    if (this.#json) process.stdout.write(`${JSON.stringify(event)}\n`);
    if (event.type === "log.unreadable") {
      this.unreadable++;
      process.stderr.write(
        `telltale check: ${showable(event.path)}: ${showable(event.why)}\n    mend: ${showable(event.mend)}\n`,
      );
    }
    return event;
  }

  finish(): void {
    if (this.#json) return;
    let found = 0;
    for (const layer of ["cracking", "violations", "system"] as const) {
      const lines = this.#lines[layer];
      found += lines.length;
      if (lines.length === 0) continue;
      const title = TITLES[layer];
      process.stdout.write(
        `${title}\n${"=-".repeat(title.length).slice(0, title.length)}\n${lines.join("\n")}\n\n`,
      );
    }
    process.stderr.write(
      `${found.toLocaleString("en")} of ${this.#read.toLocaleString("en")} lines remain.\n`,
    );
  }
}
