// Writes the manual's page on configuration from the table of keys. Pure.
import { ALL_KEYS } from "../keys.ts";
import { kindInWords, tomlValue } from "../render.ts";

const INTRODUCTION = `# Configuration

Everything is optional: with no file, telltale finds what logrotate, logcheck and PortSentry have on the host, and observes.

## Files

\`/etc/telltale/telltale.toml\` is read first, then \`/etc/telltale/telltale.d/*.toml\` in the order of their names. The last word on a
key holds; a list replaces a list. With \`--config FILE\` the same rule holds beside that file: \`night.toml\` has \`night.d/*.toml\`.

A faulty value costs its own key: what holds without it stands in, and the fault is told with file, line and mend. A fault in
\`[respond]\`, or a file that cannot be read at all, means that nobody is blocked: a lost allow list could lock you out.

## See what holds

\`\`\`console
$ telltale config check
0 faults; read: …
$ telltale config explain respond.block_for
respond.block_for = "10m"
    from:       the default
…
$ telltale config show
…
\`\`\`

\`check\` reads everything that the guard reads, the files of logrotate, logcheck and PortSentry too, and exits with 1 when there is a
fault. \`explain\` names the file and line, what they override, bounds and reason. After an edit, \`telltale reload\` prints what has
changed, or every fault; then the guard goes on as before.

## Take over what you have

\`\`\`console
$ telltale import
honoured    /etc/logrotate.conf:1: weekly: telltale reads this file itself
…
$ telltale import --write /etc/telltale/telltale.toml
…
written: /etc/telltale/telltale.toml; telltale config check reads it
\`\`\`

Each directive of logrotate, logcheck, PortSentry and fail2ban is listed as honoured, changed or unsupported, with the reason. What
has a key here is written with the file and line it came from. No file is overwritten.

## Times

Durations are written \`90s\`, \`10m\`, \`1h30m\`, \`7d\`, \`1w\`. Where a key takes a schedule:

| written | means |
| --- | --- |
| \`1h\`, \`every 15 minutes\` | at round times, counted from midnight UTC |
| \`hourly\`, \`daily\`, \`weekly\`, \`monthly\` | by the calendar, in local time, up to \`guard.jitter\` later |
| \`hourly at :25\`, \`daily at 06:25\`, \`weekly on monday at 03:00\`, \`monthly on last at 04:00\` | at that very time |
| \`25 6 * * 1-5\`, \`@daily\` | a cron expression of five fields, see crontab(5) |

A time that the change to summer time skips comes right behind the gap; one that is repeated comes once. What fell due while the
guard was down, or the host asleep, is made up for once.

\`\`\`toml
[report]
every = "daily at 06:25"

[rotate]
every = "every 15 minutes"
\`\`\`

## Every key
`;

/** The whole page. */
export function renderManual(): string {
  const out = [INTRODUCTION];
  let section = "";
  for (const { name, kind, fallback, summary, reason } of ALL_KEYS) {
    const of = name.slice(0, name.lastIndexOf("."));
    if (of !== section) out.push(`${section === "" ? "" : "\n"}### \`[${of}]\`\n`);
    section = of;
    const key = name.slice(of.length + 1);
    out.push(
      `- **\`${key}\`** = \`${tomlValue(fallback)}\` ${summary}.`,
      `  Takes ${kindInWords(kind)}. Default, because: ${reason}.`,
    );
  }
  return `${out.join("\n")}\n`;
}
