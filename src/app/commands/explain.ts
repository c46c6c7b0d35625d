// Why: the evidence behind what was done to an address, or the rule that decides a line.

import { Explainer } from "../../check/explain.ts";
import { formatPrefix, parsePrefix } from "../../core/address.ts";
import { formatFault } from "../../core/errors.ts";
import type { RulePlace } from "../../core/events.ts";
import { showable } from "../../core/hostile.ts";
import { eventLine } from "../../report/eventline.ts";
import type { CommandCall } from "../catalogue.ts";
import { openHistory } from "../history.ts";
import { findLogSources } from "../log-sources.ts";
import { gatherSettings, type Settings } from "../settings.ts";
import { wantsColour } from "../terminal.ts";

export async function run({ values, operands }: CommandCall): Promise<number> {
  if (operands.length === 0) {
    process.stderr.write(
      'telltale explain: wants an address or a line\n    mend: telltale explain 192.0.2.7, or telltale explain "Nov 22 12:00:00 host sshd[1]: ..."\n',
    );
    return 64;
  }
  const settings = gatherSettings(values["config"] as string | undefined);
  for (const fault of settings.faults) process.stderr.write(`${formatFault(fault)}\n`);
  const json = values["json"] === true;
  const text = operands.join(" ");
  const prefix = parsePrefix(text);
  return prefix === null
    ? explainLine(settings, text, json)
    : explainAddress(settings, formatPrefix(prefix), json);
}

function explainAddress(settings: Settings, target: string, json: boolean): number {
  using store = openHistory(settings);
  const events = store?.eventsAbout(target) ?? [];
  if (json) for (const event of events) process.stdout.write(`${JSON.stringify(event)}\n`);
  else if (events.length === 0) process.stdout.write(`Nothing is recorded about ${target}.\n`);
  else {
    for (const event of events) {
      process.stdout.write(
        `${event.at.slice(0, 10)} ${eventLine(event, { colour: wantsColour(process.stdout), width: 0 })}\n`,
      );
      if (event.type !== "scan.detected") continue;
      if (event.scan.hint !== undefined)
        process.stdout.write(
          `             looks like ${showable(event.scan.hint)}: a hint from header fields that anybody can write\n`,
        );
      for (const probe of event.scan.probes) {
        const flags = probe.flags === undefined ? "" : ` flags ${probe.flags}`;
        process.stdout.write(
          `             ${probe.at} ${probe.protocol} port ${probe.port} of ${probe.target} (${probe.kind}${flags})\n`,
        );
      }
    }
  }
  return events.length === 0 ? 1 : 0;
}

function explainLine(settings: Settings, line: string, json: boolean): number {
  const { rules, rulesDirectory } = findLogSources(settings.config);
  if (rules.ruleCount === 0) {
    process.stderr.write(
      `telltale explain: no rules in ${showable(rulesDirectory)}\n    mend: apt install logcheck-database\n`,
    );
    return 1;
  }
  const explanation = new Explainer(rules).explain(Buffer.from(line));
  if (json) {
    process.stdout.write(`${JSON.stringify(explanation)}\n`);
    return 0;
  }
  const out = [explanation.verdict];
  for (const { layer, section, rules: raising, cancelledBy, because } of explanation.raised) {
    out.push("", `${layer}/${section}, raised by`, ...raising.map(ruleLine));
    if (cancelledBy.length > 0)
      out.push(
        `and cancelled by${because === undefined ? "" : ` (${because})`}`,
        ...cancelledBy.map(ruleLine),
      );
  }
  if (explanation.ignoredBy.length > 0)
    out.push("", "ignored as a system event by", ...explanation.ignoredBy.map(ruleLine));
  process.stdout.write(`${out.map(showable).join("\n")}\n`);
  return 0;
}

function ruleLine({ file, line, text }: RulePlace): string {
  return `  ${file}:${line}: ${text}`;
}
