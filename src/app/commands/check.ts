// Logs through the rules, once: what remains is printed under logcheck's headings.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { CompiledRules } from "../../check/compiled.ts";
import { FIRST_LOOK_HOURS } from "../../check/journal.ts";
import type { ReportLevel } from "../../check/rules.ts";
import { systemClock } from "../../core/clock.ts";
import { formatFault, MissingPartError } from "../../core/errors.ts";
import type { EventBody } from "../../core/events.ts";
import { showable } from "../../core/hostile.ts";
import { standardOutput } from "../../faces/output.ts";
import { followJournal } from "../../sources/journal/follow.ts";
import { followFiles } from "../../sources/tail/follow.ts";
import type { CursorShelf, SourceBatch } from "../../sources/types.ts";
import { openStore, type Store } from "../../store/store.ts";
import { Bus } from "../bus.ts";
import type { CommandCall } from "../catalogue.ts";
import { findLogSources, type LogSources } from "../log-sources.ts";
import { judgeLog, sayUnreadable } from "../read-log.ts";
import { gatherSettings } from "../settings.ts";
import { CheckOutput } from "./check-output.ts";
import { surveyRules } from "./check-rules.ts";
import { testRule } from "./check-test.ts";

// A journal reaches back for months: the first look takes what logcheck's would.
const FIRST_LOOK_MS = FIRST_LOOK_HOURS * 3_600_000;

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
  const compiled = keptRules(settings.storeDirectory);
  const sources = findLogSources(settings.config, {
    ...(rules !== undefined && { rules }),
    ...(level && { level }),
    ...(compiled && { compiled }),
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
  if (word === "test") {
    const [rule, ...logs] = rest;
    if (rule === undefined) {
      process.stderr.write(
        "telltale check test: wants a rule\n    mend: telltale check test 'sshd.*refused'\n",
      );
      return 64;
    }
    return await testRule(rule, logs.length > 0 ? logs : sources.logs, json);
  }
  const wholeLogs = operands.length > 0 || values["all"] === true;
  const oncePerLine = !wholeLogs && (sources.journal || sources.logs.length > 1);
  const bus = new Bus(settings.host, systemClock);
  using output = new CheckOutput(sources.rules, json, bus, standardOutput, oncePerLine);
  let failed = faults.length > 0;
  if (wholeLogs) {
    for (const path of operands.length > 0 ? operands : sources.logs) {
      try {
        await judgeLog(path, sources.rules, output.judged(path));
      } catch (error) {
        failed = true;
        sayUnreadable("telltale check", path, error);
      }
    }
    output.finish();
    compiled?.keep();
    return failed ? 1 : 0;
  }
  using store = openStore(settings.storeFile);
  await readNew(store, sources, output);
  compiled?.keep();
  return failed || output.unreadable > 0 ? 1 : 0;
}

// Rules compiled by an earlier check, kept where the cursors are. A check that remembers nothing makes no directory for it.
function keptRules(directory: string): CompiledRules | null {
  const uid = process.getuid?.();
  if (uid === undefined || !existsSync(directory)) return null;
  return new CompiledRules(join(directory, "compiled-rules"), uid);
}

// What is new since the last `telltale check`; its cursors are its own, so that it takes nothing from a guard.
async function readNew(store: Store, sources: LogSources, output: CheckOutput): Promise<void> {
  const mine = (source: string) => `check:${source}`;
  const later = new Map<string, SourceBatch["cursor"]>();
  const cursors: CursorShelf = {
    get: (source) => later.get(source) ?? store.cursors.get(mine(source)),
  };
  const commit = ({ source, lines, notices, cursor }: SourceBatch): void => {
    for (const notice of notices) output.tell(notice);
    for (const line of lines) output.take(source, line);
    later.set(source, cursor);
  };
  const emit = (body: EventBody) => output.tell(body);
  const followers = [followFiles({ paths: sources.logs, cursors, from: "start", commit, emit })];
  if (sources.journal) {
    const from = new Date(systemClock.now().getTime() - FIRST_LOOK_MS);
    followers.push(followJournal({ cursors, from, commit, emit }));
  }
  for (const path of sources.logs.filter((log) => !existsSync(log))) {
    const mend = "take it off the list of logs, or look why nobody writes it";
    output.tell({ type: "log.unreadable", path, why: "there is no such log", mend });
  }
  for (const follower of followers) {
    try {
      await follower.poll();
    } catch (error) {
      if (!(error instanceof MissingPartError)) throw error;
      output.tell({ type: "log.unreadable", path: "journal", why: error.message, mend: error.mend });
    } finally {
      await follower.stop();
    }
  }
  output.finish();
  // Everything was printed: only now it counts as read.
  store.transaction(() => {
    for (const [source, cursor] of later) store.cursors.set(mine(source), cursor);
  });
}
