// Who is never blocked, and why.
import { formatPrefix } from "../../core/address.ts";
import { describeError, formatFault } from "../../core/errors.ts";
import { showable } from "../../core/hostile.ts";
import { allGuards } from "../../respond/guardrails.ts";
import type { Store } from "../../store/store.ts";
import type { CommandCall } from "../catalogue.ts";
import { openHistory } from "../history.ts";
import { rememberedLogins, withLogins } from "../logins.ts";
import { allowList, factsReader } from "../protected.ts";
import { gatherSettings, type Settings } from "../settings.ts";
import { table } from "../terminal.ts";

export async function run({ values }: CommandCall): Promise<number> {
  const settings = gatherSettings(values["config"] as string | undefined);
  for (const fault of settings.faults) process.stderr.write(`${formatFault(fault)}\n`);
  const reader = factsReader();
  await reader.prepare();
  const facts = reader.current();
  let missing = facts.unread.length > 0;
  using store = mayOpenHistory(settings);
  const allow = allowList(settings, store, {
    onFault: (entry, why) => {
      missing = true;
      process.stderr.write(`telltale guardrails: respond.allow: ${showable(entry)} ${showable(why)}\n`);
    },
  });
  await allow.refresh();
  const rows = [...allow.guards, ...allGuards(facts)].map(({ prefix, because }) => ({
    target: formatPrefix(prefix),
    because,
  }));
  const { loginNetworks = [] } = withLogins(facts, rememberedLogins(store), Date.now());
  const brief = loginNetworks.map(({ prefix, because }) => ({ target: formatPrefix(prefix), because }));
  if (values["json"] === true) {
    for (const row of rows) process.stdout.write(`${JSON.stringify(row)}\n`);
    for (const row of brief) process.stdout.write(`${JSON.stringify({ ...row, provisional: true })}\n`);
  } else {
    const show = (head: string, some: typeof rows): string =>
      table(
        [head, "BECAUSE"],
        some.map((row) => [row.target, row.because]),
      );
    process.stdout.write(show("NEVER BLOCKED", rows));
    if (brief.length > 0) process.stdout.write(`\n${show("BLOCKED BRIEFLY", brief)}`);
  }
  for (const { what, why } of facts.unread) {
    process.stderr.write(
      `telltale guardrails: ${showable(what)} cannot be read: ${showable(why)}; whom it names is not protected\n`,
    );
  }
  return missing ? 1 : 0;
}

// What names meant to the last run; a damaged history takes nothing away from those who are protected by address.
function mayOpenHistory(settings: Settings): Store | null {
  try {
    return openHistory(settings);
  } catch (error) {
    process.stderr.write(`telltale guardrails: the history cannot be read: ${describeError(error)}\n`);
    return null;
  }
}
