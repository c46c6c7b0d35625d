// Every key of telltale.toml in one table: the parser, `--help`, the manual and the commented example read it,
// so that none of them can disagree about a name, a default, a unit, a bound or a reason.

/** How a value is read. `duration` becomes milliseconds, `size` bytes, `prefixes` and `hosts` (which may be names too) stay text. */
export type KeyKind =
  | { is: "text" }
  | { is: "choice"; of: readonly string[] }
  | { is: "switch" }
  | { is: "count"; min: number; max: number }
  | { is: "duration"; minMs: number; maxMs: number }
  | { is: "schedule"; minMs: number; maxMs: number }
  | { is: "size" }
  /** A size, or a share of a file system: `10%`. */
  | { is: "room" }
  | { is: "texts" }
  | { is: "ports" }
  | { is: "prefixes" }
  | { is: "hosts" };

export type KeyDefinition = {
  /** `section.key`. */
  readonly name: string;
  readonly kind: KeyKind;
  /** As somebody would write it in the file. */
  readonly fallback: string | number | boolean | readonly string[] | readonly number[];
  readonly summary: string;
  /** Why this default, or what goes wrong with another. */
  readonly reason: string;
};

const MINUTE_MS = 60_000;
const WEEK_MS = 604_800_000;

// `as const` keeps the names and kinds as types, so that `config.respond.mode` is checked by the compiler.
export const KEYS = [
  {
    name: "respond.mode",
    kind: { is: "choice", of: ["observe", "block"] },
    fallback: "observe",
    summary: "observe: report what would have been blocked; block: do it",
    reason: "an administrator sees a week of verdicts before anything is cut off",
  },
  {
    name: "respond.block_for",
    kind: { is: "duration", minMs: 1_000, maxMs: 4 * WEEK_MS },
    fallback: "10m",
    summary: "how long a first block lasts; repeaters get longer ones",
    reason: "a scan is over in minutes, and an address may belong to somebody else tomorrow",
  },
  {
    name: "respond.first_offence",
    kind: { is: "choice", of: ["block", "throttle"] },
    fallback: "block",
    summary:
      "a first scan whose sender could be forged: block it, or throttle it, so that it may still open 10 TCP connections a minute",
    reason: "a scan learns a host within seconds, and a short block by mistake heals by itself",
  },
  {
    name: "respond.backend",
    kind: { is: "choice", of: ["nftables", "iptables", "route", "hosts-deny", "command"] },
    fallback: "nftables",
    summary:
      "what blocks: nftables; iptables with ipset; a blackhole route; /etc/hosts.deny; a command of your own",
    reason: "the only one that expires blocks by itself, counts packets, and is there before any service",
  },
  {
    name: "respond.block_command",
    kind: { is: "texts" },
    fallback: [],
    summary:
      'for backend = "command": program and arguments, run without a shell; {target} stands for the address',
    reason: "there is no command that fits every firewall",
  },
  {
    name: "respond.lift_command",
    kind: { is: "texts" },
    fallback: [],
    summary: "the command that undoes it; empty: blocks last until you lift them yourself",
    reason: "as above",
  },
  {
    name: "respond.kernel",
    kind: { is: "switch" },
    fallback: true,
    summary:
      "let the kernel make the first decision, at the third unused port, for a minute; the guard takes it over",
    reason: "a scanner asks hundreds of ports in the time a program needs to wake up",
  },
  {
    name: "respond.allow",
    kind: { is: "hosts" },
    fallback: [],
    summary:
      "addresses, networks (CIDR) and host names that are never blocked; names are looked up every 5 minutes",
    reason: "monitoring hosts and your own office belong here",
  },
  {
    name: "respond.max_blocks_per_minute",
    kind: { is: "count", min: 1, max: 100_000 },
    fallback: 60,
    summary: "new blocks a minute before the guard alarms instead of blocking",
    reason: "a flood from forged addresses must not make the guard block the world",
  },
  {
    name: "respond.max_blocks",
    kind: { is: "count", min: 1, max: 1_000_000 },
    fallback: 100_000,
    summary: "blocks in force at one time",
    reason: "kernel memory: an element of an nftables set takes a few hundred bytes",
  },
  {
    name: "respond.aggregate_from",
    kind: { is: "count", min: 0, max: 256 },
    fallback: 8,
    summary:
      "past these caps, a network (IPv4 /24, IPv6 /48) with this many scanners whose evidence cannot be forged is blocked whole; 0: never",
    reason: "one attacker with many addresses; networks that hold a protected address are left alone",
  },
  {
    name: "sentry.enabled",
    kind: { is: "switch" },
    fallback: true,
    summary: "watch for port scans",
    reason: "needs root or CAP_NET_RAW; named as off without",
  },
  {
    name: "sentry.interfaces",
    kind: { is: "texts" },
    fallback: [],
    summary: "interfaces to watch; empty: all but loopback",
    reason: "loopback is this host talking to itself",
  },
  {
    name: "sentry.loopback",
    kind: { is: "switch" },
    fallback: false,
    summary: "watch loopback too",
    reason: "only of use for trying things out",
  },
  {
    name: "sentry.tripwire_ports",
    kind: { is: "ports" },
    fallback: [],
    summary: "TCP and UDP ports where a single touch is a scan",
    reason: "empty, because one mistyped address must not lock anybody out unless you say so",
  },
  {
    name: "sentry.ignore",
    kind: { is: "prefixes" },
    fallback: [],
    summary: "sources whose probes are not even counted",
    reason: "vulnerability scanners of your own",
  },
  {
    name: "sentry.exclude_ports",
    kind: { is: "ports" },
    fallback: [],
    summary: "TCP and UDP ports whose probes never count",
    reason:
      "113 (ident) and 137 to 139 (NetBIOS) belong here where mail servers and Windows neighbours ask for them",
  },
  {
    name: "sentry.ratio",
    kind: { is: "count", min: 2, max: 1_000_000 },
    fallback: 99,
    summary:
      "how many times likelier than an honest visitor a source must be a scanner before it is told as one",
    reason:
      "99 to 1 means 99 % found and 1 % wrong in the paper the method comes from (Jung, S&P 2004): four failed first contacts; 390 means five",
  },
  {
    name: "sentry.forget_after",
    kind: { is: "duration", minMs: 60_000, maxMs: 520 * WEEK_MS },
    fallback: "30d",
    summary: "failed contacts older than this no longer count",
    reason: "a scan of one port a week is still seen, an office that errs every other month is not",
  },
  {
    name: "sentry.restart_grace",
    kind: { is: "duration", minMs: 0, maxMs: WEEK_MS },
    fallback: "10m",
    summary: "a port that was in use is no evidence for this long after it closed",
    reason: "a service that restarts or fails must not make scanners of its visitors",
  },
  {
    name: "sentry.crowd",
    kind: { is: "count", min: 1, max: 100 },
    fallback: 8,
    summary: "live connections at once that speak for a source as one more success",
    reason:
      "a NAT or a monitoring host holds many, a scanner lets go at once; eight are remembered for each source",
  },
  {
    name: "sentry.weak_bits",
    kind: { is: "count", min: 1, max: 32 },
    fallback: 22,
    summary: "echo requests and late answers that make a scan by themselves, as bits of 32 that they set",
    reason: "22 bits take about 37 different ones; late answers of a busy name server touch a few",
  },
  {
    name: "sentry.weak_within",
    kind: { is: "duration", minMs: 1_000, maxMs: WEEK_MS },
    fallback: "10m",
    summary: "the time in which such weak evidence adds up",
    reason: "a sweep is over in minutes, and late answers come all day",
  },
  {
    name: "sentry.site_bits",
    kind: { is: "count", min: 1, max: 32 },
    fallback: 20,
    summary:
      "different contacts from one IPv6 /48 after which every source in it that probes is told, as bits of 32",
    reason: "20 bits take about 31 different ports; a site has 65,536 networks to spread a scan over",
  },
  {
    name: "sentry.site_within",
    kind: { is: "duration", minMs: 60_000, maxMs: 4 * WEEK_MS },
    fallback: "1d",
    summary: "the time in which the contacts of a /48 add up",
    reason: "the telephones of a town share a /48 and err, too",
  },
  {
    name: "sentry.distributed_ports",
    kind: { is: "count", min: 0, max: 65_535 },
    fallback: 128,
    summary: "different ports, tried by many sources together, that are told as a distributed scan; 0: never",
    reason:
      "a public address hears from some fifty strangers in ten minutes anyway, half of them at the same few ports",
  },
  {
    name: "sentry.distributed_sources",
    kind: { is: "count", min: 2, max: 100_000 },
    fallback: 64,
    summary: "sources that it takes; each counts with its first two contacts",
    reason: "fewer would soon be told one by one",
  },
  {
    name: "sentry.distributed_within",
    kind: { is: "duration", minMs: 10_000, maxMs: WEEK_MS },
    fallback: "10m",
    summary: "the time in which they add up",
    reason: "in hours, the noise of the Internet touches every port",
  },
  {
    name: "sentry.escalate_at",
    kind: { is: "count", min: 10, max: 6_000 },
    fallback: 100,
    summary: "different contacts at which a known scanner is told again, and once more at ten times as many",
    reason: "from a few ports to a sweep, and from a sweep to the whole host",
  },
  {
    name: "sentry.repeat_after",
    kind: { is: "duration", minMs: 60_000, maxMs: 52 * WEEK_MS },
    fallback: "1h",
    summary: "a scanner, or a distributed scan, that goes on is told again after this time",
    reason: "default blocks last ten minutes; who goes on after an hour deserves a second look",
  },
  {
    name: "sentry.max_scans_per_second",
    kind: { is: "count", min: 1, max: 10_000 },
    fallback: 32,
    summary: "scans told one by one, after a burst of eight times as many; the rest as a number",
    reason: "forged scanners must not drown the history and the report",
  },
  {
    name: "sentry.max_sources",
    kind: { is: "count", min: 1_024, max: 524_288 },
    fallback: 65_536,
    summary: "sources remembered at a time, at 128 bytes each",
    reason: "8 MB; forged sources push each other out, known scanners last",
  },
  {
    name: "check.enabled",
    kind: { is: "switch" },
    fallback: true,
    summary: "read logs for trouble",
    reason: "named as off when neither rules nor logs are found",
  },
  {
    name: "check.rules",
    kind: { is: "text" },
    fallback: "/etc/logcheck",
    summary: "folder of logcheck rule directories and logcheck.conf",
    reason: "where Debian's logcheck-database puts them",
  },
  {
    name: "check.level",
    kind: { is: "choice", of: ["auto", "workstation", "server", "paranoid"] },
    fallback: "auto",
    summary: "which ignore directories apply; auto: REPORTLEVEL of logcheck.conf, else server",
    reason: "the same words mean the same as in logcheck",
  },
  {
    name: "check.logs",
    kind: { is: "texts" },
    fallback: [],
    summary: "logs to follow; empty: those of logcheck.logfiles, else the usual ones that exist",
    reason: "what logcheck reads today is read tomorrow",
  },
  {
    name: "check.journal",
    kind: { is: "choice", of: ["auto", "on", "off"] },
    fallback: "auto",
    summary: "follow the systemd journal; auto: when logcheck.logfiles asks for it, or lists nothing",
    reason: "what logcheck reads today is read tomorrow; a line that is in a log file too is reported once",
  },
  {
    name: "check.either_timestamp",
    kind: { is: "switch" },
    fallback: true,
    summary:
      'a rule written for one spelling of the timestamp ("Nov 22 19:51:02" or RFC 3339) accepts the other',
    reason: "rules outlive a syslog daemon's date format; as logcheck, which is always strict, when false",
  },
  {
    name: "rotate.enabled",
    kind: { is: "switch" },
    fallback: true,
    summary: "rotate logs by their schedules",
    reason:
      "named as off when no configuration is found; where it is off, logs that nobody rotates are still named",
  },
  {
    name: "rotate.config",
    kind: { is: "texts" },
    fallback: ["/etc/logrotate.conf"],
    summary: "logrotate configuration files",
    reason: "the ones logrotate itself reads",
  },
  {
    name: "rotate.state",
    kind: { is: "text" },
    fallback: "",
    summary: "rotation state file; empty: logrotate's own where that exists, else one in store.directory",
    reason: "shared with logrotate, so that a log rotated by one is not rotated again by the other",
  },
  {
    name: "rotate.every",
    kind: { is: "schedule", minMs: 1_000, maxMs: WEEK_MS },
    fallback: "1h",
    summary: "when the guard looks whether something is due",
    reason: "hourly logs need an hourly look; one with nothing to do takes milliseconds",
  },
  {
    name: "rotate.roots",
    kind: { is: "texts" },
    fallback: ["/var/log"],
    summary: "folders in which a log without any rotation is pointed out",
    reason: "where software puts its logs when it is not told otherwise",
  },
  {
    name: "disk.enabled",
    kind: { is: "switch" },
    fallback: true,
    summary: "watch how logs grow, which nobody rotates, and when disks will be full",
    reason: "looking costs a thousandth of a core; nothing is removed unless a limit below is set",
  },
  {
    name: "disk.every",
    kind: { is: "duration", minMs: 1_000, maxMs: WEEK_MS },
    fallback: "1m",
    summary: "how often sizes are looked at; who writes what is looked at less often where that is costly",
    reason: "a log that moved out of rotation's sight is named within a minute",
  },
  {
    name: "disk.max_log_bytes",
    kind: { is: "size" },
    fallback: "0",
    summary: "logs of one file system are kept below this (500M, 20G); 0: no limit",
    reason: "nothing is removed unasked: a limit you write is what asks",
  },
  {
    name: "disk.min_free",
    kind: { is: "room" },
    fallback: "0",
    summary: "logs give way when less than this is free: a share (10%) or a size (2G); 0: they never do",
    reason: "as above; below a tenth the report warns in any case",
  },
  {
    name: "disk.keep_high",
    kind: { is: "texts" },
    fallback: ["/var/log/audit/*", "/var/log/auth.log", "/var/log/secure", "/var/log/wtmp", "/var/log/btmp"],
    summary: "logs (paths with wildcards) whose generations these limits never remove",
    reason: "what tells of a break-in must not be what a flood of lines pushes out",
  },
  {
    name: "disk.keep_low",
    kind: { is: "texts" },
    fallback: [],
    summary: "logs whose generations go first",
    reason: "what is of no use after a day is known to you alone",
  },
  {
    name: "disk.min_generations",
    kind: { is: "count", min: 0, max: 10_000 },
    fallback: 1,
    summary: "so many generations of each log stay, whatever the limits say",
    reason: "the night before is what somebody wants to read in the morning",
  },
  {
    name: "disk.reserve",
    kind: { is: "size" },
    fallback: "16M",
    summary: "a file of this size on each limited file system, given up first when it is full; 0: none",
    reason: "compressing and rotating need a little room of their own",
  },
  {
    name: "report.to",
    kind: { is: "text" },
    fallback: "root",
    summary: "who gets the report",
    reason: "every Unix host has a root mailbox or an alias for it",
  },
  {
    name: "report.from",
    kind: { is: "text" },
    fallback: "",
    summary: "sender address; empty: telltale@HOST",
    reason: "some relays accept only known senders",
  },
  {
    name: "report.via",
    kind: { is: "choice", of: ["auto", "sendmail", "smtp", "file", "stdout", "none"] },
    fallback: "auto",
    summary: "how reports travel; auto: sendmail where it exists, else kept for `telltale report`",
    reason: "a local mailer queues and retries better than anybody else",
  },
  {
    name: "report.sendmail",
    kind: { is: "text" },
    fallback: "/usr/sbin/sendmail",
    summary: "the sendmail command",
    reason: "every Debian mailer provides this path",
  },
  {
    name: "report.smtp_host",
    kind: { is: "text" },
    fallback: "localhost",
    summary: 'SMTP server for via = "smtp"',
    reason: "a relay on this host is the common case",
  },
  {
    name: "report.smtp_port",
    kind: { is: "count", min: 1, max: 65_535 },
    fallback: 25,
    summary: "its port; 465 speaks TLS from the start",
    reason: "RFC 5321",
  },
  {
    name: "report.file",
    kind: { is: "text" },
    fallback: "",
    summary:
      'file to which each report is appended, whatever via says; for via = "file" empty means /var/log/telltale-report.txt',
    reason: "a mail that is lost leaves its report here",
  },
  {
    name: "report.smtp_user",
    kind: { is: "text" },
    fallback: "",
    summary: "user for the SMTP server; empty: no login",
    reason: "a relay on this host asks for none",
  },
  {
    name: "report.smtp_password_file",
    kind: { is: "text" },
    fallback: "",
    summary: "file whose first line is the password",
    reason: "a configuration is copied and shown more easily than a secret should be",
  },
  {
    name: "report.encrypt_to",
    kind: { is: "text" },
    fallback: "",
    summary:
      "file with the reader's OpenPGP public key: mails are encrypted to it by gpg; empty: sent in the clear",
    reason: "most reports stay on the host; one that leaves it tells strangers what is weak",
  },
  {
    name: "report.webhook",
    kind: { is: "text" },
    fallback: "",
    summary: "address that gets each report too, by HTTP POST; empty: none",
    reason: "nothing leaves the host that was not asked for",
  },
  {
    name: "report.webhook_shape",
    kind: { is: "choice", of: ["generic", "slack", "mattermost", "ntfy"] },
    fallback: "generic",
    summary: "what the webhook understands; generic is JSON with subject and text",
    reason: "works with anything that can read JSON",
  },
  {
    name: "report.webhook_token_file",
    kind: { is: "text" },
    fallback: "",
    summary: "file whose first line is sent to the webhook as its bearer token (ntfy); empty: none",
    reason: "Slack and Mattermost have their secret in the address",
  },
  {
    name: "report.alerts",
    kind: { is: "switch" },
    fallback: false,
    summary: "tell attacks at once too, in batches, ever more seldom while they last",
    reason: "on the internet scans never end; the hourly report has them all",
  },
  {
    name: "report.heartbeat",
    kind: { is: "duration", minMs: 0, maxMs: 52 * WEEK_MS },
    fallback: "0s",
    summary: "send a report after this long even when there is no news; 0s: never",
    reason: "silence is good news, for those who trust it",
  },
  {
    name: "report.metrics_port",
    kind: { is: "count", min: 0, max: 65_535 },
    fallback: 0,
    summary: "port on 127.0.0.1 where Prometheus reads figures; 0: none",
    reason: "a port nobody asked for is a port to attack",
  },
  {
    name: "report.every",
    kind: { is: "schedule", minMs: 1_000, maxMs: WEEK_MS },
    fallback: "1h",
    summary: "when a report goes out, if there is something to say",
    reason: "logcheck's rhythm",
  },
  {
    name: "guard.split",
    kind: { is: "choice", of: ["auto", "off"] },
    fallback: "auto",
    summary:
      "auto: started as root, packets and logs are read by a process of user telltale; off: one process as root",
    reason: "whoever finds a fault in the reading of packets must not be root by it",
  },
  {
    name: "guard.jitter",
    kind: { is: "duration", minMs: 0, maxMs: 86_400_000 },
    fallback: "2m",
    summary:
      "longest delay of this host behind hourly, daily, weekly and monthly work; its own is always the same",
    reason:
      "a hundred hosts must not mail in the same second; a time of day that you write is kept to the second",
  },
  {
    name: "guard.control_socket",
    kind: { is: "text" },
    fallback: "",
    summary:
      "where telltale status, reload and stop reach the guard, from its next start on; empty: /run/telltale/control.sock, or in store.directory when that is set",
    reason: "a guard with a store of its own is a guard of its own",
  },
  {
    name: "guard.control_group",
    kind: { is: "text" },
    fallback: "adm",
    summary:
      "group that may ask the guard, from its next start on; empty: root only. Only root may change anything",
    reason: "who may read the logs may see what is found in them",
  },
  {
    name: "store.directory",
    kind: { is: "text" },
    fallback: "",
    summary: "where history lives; empty: /var/lib/telltale, or ~/.local/state/telltale when not root",
    reason: "the place the Filesystem Hierarchy Standard names for it",
  },
  {
    name: "store.keep",
    kind: { is: "duration", minMs: MINUTE_MS, maxMs: 520 * WEEK_MS },
    fallback: "90d",
    summary: "how long events are kept",
    reason: 'a quarter covers slow scans and the question "since when?"',
  },
  {
    name: "store.max_events",
    kind: { is: "count", min: 1_000, max: 100_000_000 },
    fallback: 1_000_000,
    summary: "events kept at most; the oldest go first",
    reason: "about 500 MB; whoever fills the log must not fill the disk",
  },
] as const satisfies readonly KeyDefinition[];

// Each `[retention.NAME]` section may hold these. For logs that no rotation names, or that are named by date or by
// request: files are judged as a group, not renamed.
export const RETENTION_KEYS: readonly KeyDefinition[] = [
  {
    name: "retention.NAME.paths",
    kind: { is: "texts" },
    fallback: [],
    summary: "the files of the group: paths with wildcards",
    reason: "there is no sensible guess at which files may be removed",
  },
  {
    name: "retention.NAME.max_bytes",
    kind: { is: "size" },
    fallback: "0",
    summary: "all files together are kept below this (500M, 2G); 0: no limit",
    reason: "a group without a limit is only compressed",
  },
  {
    name: "retention.NAME.max_age",
    kind: { is: "duration", minMs: 0, maxMs: 520 * WEEK_MS },
    fallback: "0s",
    summary: "files not written for this long are removed; 0s: no limit",
    reason: "nothing is removed unasked",
  },
  {
    name: "retention.NAME.max_files",
    kind: { is: "count", min: 0, max: 10_000_000 },
    fallback: 0,
    summary: "so many files are kept; 0: no limit",
    reason: "nothing is removed unasked",
  },
  {
    name: "retention.NAME.min_keep",
    kind: { is: "count", min: 0, max: 10_000_000 },
    fallback: 3,
    summary: "the newest files, which no limit removes",
    reason: "a limit that is set too low must not leave nothing to look at",
  },
  {
    name: "retention.NAME.compress_after",
    kind: { is: "duration", minMs: 0, maxMs: 520 * WEEK_MS },
    fallback: "0s",
    summary: "files not written for this long are compressed with gzip; 0s: never",
    reason: "some readers want plain files",
  },
];

export type KeyName = (typeof KEYS)[number]["name"];
