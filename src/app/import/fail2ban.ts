// What maps of fail2ban's jail.local and jail.d: whom never to block, for how long and by which firewall, and who is told.
// Its jails count failures in logs, which telltale leaves to logcheck's rules; each is named.
import { parsePrefix } from "../../core/address.ts";
import { isHostName } from "../../core/hostname.ts";
import type { Files } from "./files.ts";
import { type IniEntry, interpolate, parseIni } from "./ini/parse.ts";
import { type Note, type Ruling, rule } from "./types.ts";

const FOLDER = "/etc/fail2ban";
// fail2ban's abbreviations in seconds (jail.conf(5)); a year is 365.25 days, and a month a twelfth of it.
const UNIT_S: Readonly<Record<string, number>> = {
  s: 1,
  ss: 1,
  sec: 1,
  second: 1,
  m: 60,
  mm: 60,
  min: 60,
  minute: 60,
  h: 3_600,
  hh: 3_600,
  hour: 3_600,
  d: 86_400,
  dd: 86_400,
  day: 86_400,
  w: 604_800,
  ww: 604_800,
  week: 604_800,
  mo: 2_629_800,
  month: 2_629_800,
  y: 31_557_600,
  year: 31_557_600,
};
const LONGEST_S = 4 * 604_800;

type Placed = IniEntry & { readonly file: string };
type At = Parameters<Note>[0];

/** Takes down jail.local and jail.d/*; jail.conf, which is the package's, only lends values. */
export function importFail2ban(files: Files, note: Note): void {
  const extras = files.list(`${FOLDER}/jail.d`);
  const conf = readJails(files, `${FOLDER}/jail.conf`);
  // jail.conf(5): .conf before .local, and jail.* before jail.d/*.
  const local = [
    ...extras.filter((file) => file.endsWith(".conf")),
    `${FOLDER}/jail.local`,
    ...extras.filter((file) => file.endsWith(".local")),
  ].flatMap((file) => readJails(files, file));
  const known = new Map<string, string>();
  for (const { section, name, value } of [...conf, ...local]) known.set(`${section}\0${name}`, value);
  const last = new Map(local.map((entry) => [`${entry.section}\0${entry.name}`, entry]));

  for (const entry of local) {
    const { file, line, section, name, value } = entry;
    if (section === "INCLUDES") continue;
    const at = { file, line, name: section === "DEFAULT" ? name : `[${section}] ${name}`, value };
    if (last.get(`${section}\0${name}`) !== entry) {
      note(at, "changed", "a later file says otherwise, and that holds");
      continue;
    }
    const lookUp = (other: string) => known.get(`${section}\0${other}`) ?? known.get(`DEFAULT\0${other}`);
    // What an action is called says enough, also where its parts are filled in by fail2ban.
    const meant = interpolate(value, lookUp) ?? (name === "action" ? value : null);
    if (section !== "DEFAULT") note(at, ...judgeJail(section, name, meant));
    else if (meant === null) note(at, "unsupported", "refers to a value that is not there");
    else note(at, ...judgeDefault(at, meant));
  }
}

function readJails(files: Files, file: string): Placed[] {
  return parseIni(files.read(file) ?? "").map((entry) => ({ ...entry, file }));
}

function judgeJail(jail: string, name: string, value: string | null): Ruling {
  if (jail === "recidive") return rule("changed", "repeaters get longer blocks without a jail for them");
  if (name === "enabled" && !/^(true|yes|on|1)$/i.test(value ?? ""))
    return rule("honoured", "is off, and stays off");
  if (name === "ignoreip" && value !== null) return judgeIgnored(value);
  const because =
    name === "enabled"
      ? "telltale has no jails: logcheck's rules report these failures, and only scans are blocked; keep fail2ban for it"
      : "belongs to a jail, which stays with fail2ban";
  return rule("unsupported", because);
}

function judgeDefault(at: At, value: string): Ruling {
  switch (at.name) {
    case "ignoreip":
      return judgeIgnored(value);
    case "ignoreself":
      if (/^(true|yes|on|1)$/i.test(value))
        return rule("honoured", "this host's own addresses are never blocked");
      return rule("unsupported", "this host's own addresses are never blocked, whatever is written");
    case "bantime":
      return judgeBanTime(value);
    case "bantime.increment":
      if (/^(true|yes|on|1)$/i.test(value)) return rule("honoured", "repeaters get longer blocks");
      return rule("changed", "repeaters get longer blocks");
    case "bantime.factor":
    case "bantime.formula":
    case "bantime.maxtime":
    case "bantime.multipliers":
    case "bantime.rndtime":
      return rule("changed", "repeaters get longer blocks by telltale's own measure; see telltale.toml(5)");
    case "backend":
      return rule("changed", "files and the journal are followed as logcheck lists them; see check.journal");
    case "sendername":
      return rule("unsupported", "the sender is an address only: report.from");
    case "findtime":
    case "maxretry":
      return rule(
        "unsupported",
        "a source is judged by how many of its first contacts fail, not by a count in a time",
      );
    case "banaction":
    case "banaction_allports":
      return judgeAction(at, value);
    case "destemail":
      return rule("honoured", "becomes report.to", { key: "report.to", value });
    case "sender":
      if (/[<>\s]/.test(value))
        return rule("changed", "holds what fail2ban fills in; reports come from telltale@HOST");
      return rule("honoured", "becomes report.from", { key: "report.from", value });
    case "mta":
      if (value === "sendmail")
        return rule("honoured", "becomes report.via", { key: "report.via", value: "sendmail" });
      if (value === "mail")
        return rule("changed", 'becomes report.via = "sendmail": the same mailer without mail(1)', {
          key: "report.via",
          value: "sendmail",
        });
      return rule("unsupported", "telltale mails by sendmail or SMTP; see report.via");
    case "action":
      if (/sendmail|mail|mwl?\b/.test(value))
        return rule("changed", "becomes report.alerts: attacks are told at once, in batches", {
          key: "report.alerts",
          value: true,
        });
      return rule("changed", "telltale blocks by respond.backend and tells by report.via");
    case "usedns":
      return rule("honoured", "names in logs are never looked up");
    case "dbpurgeage":
      return rule("unsupported", "see store.keep");
    default:
      return rule("unsupported", "belongs to jails, which stay with fail2ban");
  }
}

function judgeIgnored(value: string): Ruling {
  const words = value.split(/[\s,]+/).filter((word) => word !== "");
  const good = words.filter(
    (word) => (parsePrefix(word) !== null || isHostName(word)) && word !== "localhost",
  );
  const bad = words.filter((word) => !good.includes(word) && word !== "localhost");
  const wishes = good.length === 0 ? [] : [{ key: "respond.allow", value: good } as const];
  if (bad.length === 0) return rule("honoured", "becomes respond.allow", ...wishes);
  const because = `respond.allow takes addresses, networks and names; not ${bad.slice(0, 5).join(", ")}`;
  return rule(good.length === 0 ? "unsupported" : "changed", because, ...wishes);
}

function judgeBanTime(value: string): Ruling {
  if (value.startsWith("-")) {
    return rule("changed", "blocks end after four weeks at the latest, for an address changes hands", {
      key: "respond.block_for",
      value: "4w",
    });
  }
  const seconds = secondsOf(value);
  if (seconds === null || seconds < 1)
    return rule("unsupported", "is no time that fail2ban would understand");
  const kept = Math.min(seconds, LONGEST_S);
  const wish = { key: "respond.block_for", value: durationText(kept) } as const;
  if (kept < seconds) return rule("changed", "blocks end after four weeks at the latest", wish);
  else return rule("honoured", "becomes respond.block_for", wish);
}

function secondsOf(value: string): number | null {
  const text = value.trim().toLowerCase();
  if (!/^(?:\d{1,10}(?:\.\d{1,6})?\s*[a-z]*\s*)+$/.test(text)) return null;
  let total = 0;
  // A number without a unit is seconds, also behind others: "1h30" is an hour and half a minute.
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]*)/g)) {
    const seconds = unit === "" ? 1 : (UNIT_S[unit!] ?? UNIT_S[unit!.replace(/s$/, "")]);
    if (seconds === undefined) return null;
    total += Number(count) * seconds;
  }
  return Math.round(total);
}

/** In the largest unit that loses nothing. */
function durationText(seconds: number): string {
  for (const [unit, length] of [
    ["w", 604_800],
    ["d", 86_400],
    ["h", 3_600],
    ["m", 60],
  ] as const) {
    if (seconds % length === 0) return `${seconds / length}${unit}`;
  }
  return `${seconds}s`;
}

function judgeAction(at: At, value: string): Ruling {
  const backend = /^nftables/.test(value)
    ? "nftables"
    : /^iptables|^firewallcmd|^shorewall/.test(value)
      ? "iptables"
      : /^route/.test(value)
        ? "route"
        : /^hostsdeny/.test(value)
          ? "hosts-deny"
          : null;
  if (at.name === "banaction_allports") return rule("changed", "a block always covers all ports");
  if (/^(?:ufw|pf|ipfw|npf|bsd-ipfw)/.test(value) && backend === null)
    return rule("changed", "telltale blocks in an nftables table of its own, beside whatever else there is");
  if (backend === null) return rule("unsupported", "see respond.backend for what can block");
  return rule("honoured", "becomes respond.backend; a block covers all ports", {
    key: "respond.backend",
    value: backend,
  });
}
