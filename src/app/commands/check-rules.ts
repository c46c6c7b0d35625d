// What each rule did on the given logs: hits, the last of them, and rules that do nothing.

import type { RuleBook } from "../../check/rules.ts";
import { Survey, type SurveyedRule } from "../../check/survey.ts";
import { readLog, sayUnreadable } from "../read-log.ts";
import { table } from "../terminal.ts";

/** Lists every rule with its place and what it did on these logs. Returns the exit status. */
export async function surveyRules(rules: RuleBook, logs: readonly string[], json: boolean): Promise<number> {
  const survey = new Survey(rules);
  let status = 0;
  for (const log of logs) {
    try {
      await readLog(log, (bytes, start, end) => survey.take(bytes.subarray(start, end), log));
    } catch (error) {
      status = 1;
      sayUnreadable("telltale check rules", log, error);
    }
  }
  const result = survey.result();
  if (json) {
    for (const { rule, layer, hits, soleHits, lastHit, shadowedBy, duplicateOf, fault } of result) {
      const others = { shadowedBy: shadowedBy?.rule.place, duplicateOf: duplicateOf?.rule.place };
      process.stdout.write(
        `${JSON.stringify({ ...rule.place, layer, hits, soleHits, lastHit, ...others, fault })}\n`,
      );
    }
    return status;
  }
  const rows = result.map((each) => [
    String(each.hits),
    String(each.soleHits),
    `${each.rule.place.file}:${each.rule.place.line}`,
    remark(each),
    shortened(each.rule.place.text),
  ]);
  process.stdout.write(table(["HITS", "ALONE", "RULE AT", "REMARK", "RULE"], rows));
  const never = result.filter((each) => each.hits === 0).length;
  process.stderr.write(
    `${result.length} rules on ${survey.lineCount.toLocaleString("en")} lines; ${never} never matched.\n`,
  );
  return status;
}

function remark({ fault, duplicateOf, shadowedBy, hits }: SurveyedRule): string {
  if (fault !== undefined) return `invalid: ${fault}`;
  if (duplicateOf !== undefined) return `same as ${placeOf(duplicateOf)}`;
  if (shadowedBy !== undefined) return `shadowed by ${placeOf(shadowedBy)}`;
  return hits === 0 ? "never matched" : "";
}

function placeOf({ rule }: Pick<SurveyedRule, "rule">): string {
  return `${rule.place.file}:${rule.place.line}`;
}

function shortened(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 79)}…`;
}
