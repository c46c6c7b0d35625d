// Man pages, laid out from the catalogue in man(7) macros: one for the program and one for each command.
import { ALL_KEYS } from "../config/keys.ts";
import { COMMANDS, COMMON_OPTIONS, type CommandDefinition, type OptionDefinition } from "./catalogue.ts";
import { FACE_PAGES, type FacePage } from "./face-pages.ts";

/** File name → text of every page. */
export function manPages(version: string): ReadonlyMap<string, string> {
  const pages = new Map<string, string>([["telltale.8", programPage(version)]]);
  for (const command of COMMANDS) pages.set(`telltale-${command.name}.8`, commandPage(command, version));
  for (const face of FACE_PAGES) pages.set(`telltale-${face.name}.8`, facePage(face, version));
  pages.set("telltale.toml.5", configurationPage(version));
  return pages;
}

function programPage(version: string): string {
  return page("TELLTALE", 8, version, [
    ".SH NAME",
    "telltale \\- rotate logs, read them for trouble, notice port scans, lock the scanner out, report",
    ".SH SYNOPSIS",
    ".B telltale",
    "\\fICOMMAND\\fR [\\fIOPTION\\fR...]",
    ".SH DESCRIPTION",
    text(
      "telltale keeps a host's logs rotated, reads them for trouble, notices port scans while they run, locks the scanner out, " +
        "and mails the administrator what happened. It reads the configuration that logrotate, logcheck and PortSentry already have on the " +
        "host. With no configuration of its own it observes: it reports what it would have blocked.",
    ),
    ".SH COMMANDS",
    ...COMMANDS.flatMap(({ name, summary }) => [".TP", `\\fBtelltale\\-${name}\\fR(8)`, text(summary)]),
    ".SH FACES",
    text("Under the names of the tools it replaces it takes their options and reads their files:"),
    ...FACE_PAGES.flatMap(({ name, does }) => [".TP", `\\fBtelltale\\-${text(name)}\\fR(8)`, text(does)]),
    ".SH EXIT STATUS",
    ...[
      ["0", "all went well"],
      ["1", "something failed or is faulty, and was named"],
      ["64", "the command line is wrong"],
      ["69", "a part of this machine is missing, and how to get it was named"],
      ["74", "lines for standard output could not be written, and are lost"],
    ].flatMap(([status, meaning]) => [".TP", `.B ${status}`, text(meaning!)]),
    ".SH FILES",
    ...[
      [
        "/etc/telltale/telltale.toml, /etc/telltale/telltale.d/*.toml",
        "configuration, optional; see telltale.toml(5)",
      ],
      ["/etc/logrotate.conf, /etc/logcheck, /etc/portsentry/portsentry.conf", "read where they exist"],
      ["/var/lib/telltale", "history, cursors, reports that wait for delivery"],
      [
        "/run/telltale/control.sock",
        "where the running guard answers telltale status, events, reload and stop",
      ],
    ].flatMap(([file, meaning]) => [".TP", `.I ${text(file!)}`, text(meaning!)]),
    ".SH ENVIRONMENT",
    ".TP",
    ".B NO_COLOR",
    text("when set, nothing is coloured"),
    ".SH SEE ALSO",
    [
      ...[...COMMANDS, ...FACE_PAGES].map(({ name }) => `\\fBtelltale\\-${text(name)}\\fR(8)`),
      "\\fBtelltale.toml\\fR(5)",
      "\\fBnft\\fR(8)",
    ].join(", "),
  ]);
}

function commandPage(command: CommandDefinition, version: string): string {
  const options = [...command.options, ...COMMON_OPTIONS];
  return page(`TELLTALE-${command.name.toUpperCase()}`, 8, version, [
    ".SH NAME",
    `telltale\\-${command.name} \\- ${text(command.summary)}`,
    ".SH SYNOPSIS",
    `.B telltale ${command.name}`,
    text(command.usage),
    ".SH DESCRIPTION",
    text(command.description),
    ".SH OPTIONS",
    ...options.flatMap((option) => [".TP", optionHead(option), text(option.summary)]),
    ".SH EXAMPLES",
    ...command.examples.flatMap(([example, does]) => [".TP", `.B ${text(example)}`, text(does)]),
    ".SH SEE ALSO",
    "\\fBtelltale\\fR(8), \\fBtelltale.toml\\fR(5)",
  ]);
}

function facePage(
  { name, does, text: about, help, files, exits, differences }: FacePage,
  version: string,
): string {
  const listed = (rows: FacePage["files"], macro: string) =>
    rows.flatMap(([head, meaning]) => [".TP", `${macro} ${text(head)}`, text(meaning)]);
  return page(`TELLTALE-${name.toUpperCase()}`, 8, version, [
    ".SH NAME",
    `telltale\\-${text(name)} \\- ${text(does)}`,
    ".SH SYNOPSIS",
    `.B telltale ${text(name)}`,
    "\\fIOPTION\\fR...",
    ".SH DESCRIPTION",
    text(about),
    ".PP",
    text(
      `A link called ${name} to the program telltale answers in the same way, and so does /usr/lib/telltale/faces/${name}; README.Debian says how ` +
        "it takes the system-wide name and gives it back.",
    ),
    ".SH OPTIONS",
    ".nf",
    ...help.trimEnd().split("\n").map(text),
    ".fi",
    ".SH FILES",
    ...listed(files, ".I"),
    ".SH EXIT STATUS",
    ...listed(exits, ".B"),
    ...(differences === undefined
      ? []
      : [
          ".SH DIFFERENCES",
          text(`Where it differs is listed in /usr/share/doc/telltale/${differences}.gz.`),
        ]),
    ".SH SEE ALSO",
    "\\fBtelltale\\fR(8), \\fBtelltale.toml\\fR(5)",
  ]);
}

function configurationPage(version: string): string {
  const lines = [
    ".SH NAME",
    "telltale.toml \\- configuration of telltale",
    ".SH DESCRIPTION",
    text(
      "The file /etc/telltale/telltale.toml is optional, and so is every key in it. The files /etc/telltale/telltale.d/*.toml are read after it, in " +
        "the order of their names; the last word on a key holds, lists included. Beside a file that --config names, FILE.d stands for FILE.toml.",
    ),
    ".PP",
    text(
      "A faulty value costs its own key: what holds without it stands in, and the fault is reported with file, line and mend. A fault under [respond], " +
        "or a file that cannot be read, means that nobody is blocked. See telltale config check, explain and show.",
    ),
    ".PP",
    text(
      "Durations are written 90s, 10m, 1h30m, 7d, 1w. A schedule is a duration; every 15 minutes; hourly, daily, weekly or monthly, which come up to " +
        "guard.jitter later; hourly at :25, daily at 06:25, weekly on monday at 03:00, monthly on last at 04:00; or a cron expression of five fields as in " +
        "crontab(5). All but durations are local time. What the change to summer time skips comes right behind the gap, what it repeats comes once, and " +
        "what fell due while nothing ran is made up for once.",
    ),
  ];
  let section = "";
  for (const { name, fallback, summary, reason } of ALL_KEYS) {
    const of = name.slice(0, name.lastIndexOf("."));
    const key = name.slice(of.length + 1);
    if (of !== section) lines.push(`.SH [${of}]`);
    section = of;
    lines.push(
      ".TP",
      `\\fB${text(key)}\\fR = ${text(JSON.stringify(fallback))}`,
      text(`${summary}. Default, because: ${reason}.`),
    );
  }
  return page("TELLTALE.TOML", 5, version, [...lines, ".SH SEE ALSO", "\\fBtelltale\\fR(8)"]);
}

function page(title: string, section: number, version: string, lines: readonly string[]): string {
  return `${[`.TH ${title} ${section} "" "telltale ${version}" "telltale manual"`, ...lines].join("\n")}\n`;
}

function optionHead({ name, short, value }: OptionDefinition): string {
  const long = `\\fB\\-\\-${text(name)}\\fR${value === undefined ? "" : ` \\fI${value}\\fR`}`;
  return short === undefined ? long : `\\fB\\-${short}\\fR, ${long}`;
}

// Backslashes, hyphens and leading dots or quotes mean something to roff(7).
function text(plain: string): string {
  return plain
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^([.'])/, "\\&$1");
}
