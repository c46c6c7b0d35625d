// Every command of telltale in one table: the argument parser, `--help` and the man pages read it.

export type OptionDefinition = {
  readonly name: string;
  readonly short?: string;
  /** The word for its value; absent for a switch. */
  readonly value?: string;
  readonly multiple?: boolean;
  readonly summary: string;
};

export type CommandDefinition = {
  readonly name: string;
  readonly summary: string;
  /** What stands behind the name: `[--plan] [LOG...]`. */
  readonly usage: string;
  readonly options: readonly OptionDefinition[];
  /** One paragraph for --help and the man page. */
  readonly description: string;
  readonly examples: readonly (readonly [command: string, does: string])[];
  readonly run: () => Promise<CommandModule>;
  /** Words that are no options mean something to it; to the others they are a mistake. */
  readonly takesOperands?: true;
};

/** What a command file exports. Returns the exit status. */
export type CommandModule = { run(call: CommandCall): Promise<number> };

export type CommandCall = {
  readonly values: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
  readonly operands: readonly string[];
};

const CONFIG: OptionDefinition = {
  name: "config",
  short: "c",
  value: "FILE",
  summary: "read this telltale.toml instead of /etc/telltale/telltale.toml",
};
const JSON_OUT: OptionDefinition = { name: "json", summary: "print for programs: JSON, one value a line" };

/** Options every command has; they are not repeated in each. */
export const COMMON_OPTIONS: readonly OptionDefinition[] = [
  { name: "help", short: "h", summary: "show this help" },
  { name: "version", short: "V", summary: "show the version" },
];

export const COMMANDS: readonly CommandDefinition[] = [
  {
    name: "guard",
    summary: "rotate, read logs, watch for scans, report: all in one, in the foreground",
    usage: "[--block] [--config FILE] [--json]",
    description:
      "Runs until SIGTERM or SIGINT. Without configuration it finds logrotate's, logcheck's and PortSentry's own, and observes: " +
      "it reports what it would have blocked. SIGHUP reads the configuration again; a broken one is refused and the old one stays. " +
      "Started as root where there is a user telltale, it is two processes: packets and logs are read by that user, without any right; " +
      "root's process hands out what the configuration allows, rotates, and starts the other one again when it ends.",
    options: [
      { name: "block", summary: 'lock scanners out (the same as mode = "block" under [respond])' },
      CONFIG,
      JSON_OUT,
    ],
    examples: [
      ["telltale guard", "observe, and print one line per event"],
      ["telltale guard --block", "lock scanners out too"],
    ],
    run: () => import("./commands/guard.ts"),
  },
  {
    name: "status",
    summary: "say what the running guard does: its parts, today's figures, what comes next",
    usage: "[--watch] [--json | --metrics] [--config FILE]",
    description:
      "Asks the guard over its control socket: what each part watches, what happened since midnight, how many blocks are in force, " +
      "what runs next, and what it costs. Members of the group that guard.control_group names may ask too.",
    options: [
      { name: "watch", short: "w", summary: "go on, once a second" },
      { name: "metrics", summary: "print the counters as Prometheus reads them" },
      CONFIG,
      JSON_OUT,
    ],
    examples: [
      ["telltale status", "is it at work, and what did it see today?"],
      ["telltale status --watch", "the same, again and again"],
      [
        "curl --unix-socket /run/telltale/control.sock http://localhost/metrics",
        "what a Prometheus would get",
      ],
    ],
    run: () => import("./commands/status.ts"),
  },
  {
    name: "events",
    summary: "follow what the running guard says, as it happens",
    usage: "[--json] [--config FILE]",
    description:
      "Prints each event of the guard from now on, a line each, until the guard ends or you stop it. A reader that is too slow is cut off; " +
      "telltale report and telltale explain read what has passed.",
    options: [CONFIG, JSON_OUT],
    examples: [
      ["telltale events", "watch it work"],
      ["telltale events --json | jq 'select(.type == \"scan.detected\")'", "only scans, for a program"],
    ],
    run: () => import("./commands/events.ts"),
  },
  {
    name: "reload",
    summary: "make the running guard read its configuration again",
    usage: "[--json] [--config FILE]",
    description:
      "Prints each setting that changed. A configuration with new faults is refused: every fault is printed, the guard goes on as " +
      "before, and the exit status is 1.",
    options: [CONFIG, JSON_OUT],
    examples: [["telltale reload", "after editing telltale.toml"]],
    run: () => import("./commands/reload.ts"),
  },
  {
    name: "stop",
    summary: "stop the running guard, and wait until it is down",
    usage: "[--config FILE]",
    description:
      "Blocks stay in force and end by themselves. Under systemd, systemctl stop telltale does the same and keeps it from being started again.",
    options: [CONFIG],
    examples: [["telltale stop", "end the guard"]],
    run: () => import("./commands/stop.ts"),
  },
  {
    name: "rotate",
    summary: "rotate the logs that are due, as logrotate would",
    takesOperands: true,
    usage: "[--plan | --apply PLAN | --explain | --uncovered] [--force] [--config FILE] [LOG...]",
    description:
      "Reads logrotate's configuration and state, works out a plan for each log, and carries it out. With LOG, only those logs.",
    options: [
      { name: "plan", summary: "print what would be done, and why; change nothing" },
      {
        name: "apply",
        value: "PLAN",
        summary: "carry out a plan that --plan --json wrote, or refuse if it no longer fits",
      },
      {
        name: "explain",
        summary: "name the file and line behind each setting of these logs; change nothing",
      },
      { name: "force", short: "f", summary: "rotate also what is not due" },
      { name: "uncovered", summary: "list logs that no rotation covers; change nothing" },
      CONFIG,
      JSON_OUT,
    ],
    examples: [
      ["telltale rotate --plan", "what would happen now, log by log"],
      ["telltale rotate --explain /var/log/syslog", "why it rotates as it does"],
      ["telltale rotate --force /var/log/syslog", "rotate this one now"],
    ],
    run: () => import("./commands/rotate.ts"),
  },
  {
    name: "disk",
    summary: "say how full the disks of the logs are, when they will be full, and which logs grow",
    usage: "[--plan | --relieve | --vacuum-journal SIZE|AGE] [--config FILE] [--json]",
    description:
      "Shows each file system that logs lie on with its growth and the day it will be full, the logs that matter, what the next rotation " +
      "frees, and the journal's share. Growth is known once a guard has taken samples. Limits are set under [disk] in telltale.toml.",
    options: [
      {
        name: "plan",
        summary: "print what the limits under [disk] would have removed, and why; change nothing",
      },
      { name: "relieve", summary: "carry that out now, once" },
      {
        name: "vacuum-journal",
        value: "SIZE|AGE",
        summary: "have journalctl shrink the journal to a size (500M) or an age (2weeks)",
      },
      CONFIG,
      JSON_OUT,
    ],
    examples: [
      ["telltale disk", "how full, how fast, until when"],
      ["telltale disk --plan", "what would give way now"],
      ["telltale disk --vacuum-journal 500M", "keep half a gigabyte of the journal"],
    ],
    run: () => import("./commands/disk.ts"),
  },
  {
    name: "check",
    summary: "read logs through logcheck's rules and print what remains",
    takesOperands: true,
    usage:
      "[--all] [--level LEVEL] [--rules DIR] [--config FILE] [LOG... | rules [LOG...] | test RULE [LOG...]]",
    description:
      "Prints the lines that are new since the last check and that no rule ignores, most serious first. With LOG (or - for standard input), " +
      "reads those files whole instead and remembers nothing.",
    options: [
      { name: "all", summary: "read the logs from their beginning, and remember nothing" },
      { name: "level", value: "LEVEL", summary: "workstation, server or paranoid" },
      { name: "rules", value: "DIR", summary: "rule directories, instead of /etc/logcheck" },
      CONFIG,
      JSON_OUT,
    ],
    examples: [
      ["telltale check", "what is new in the configured logs"],
      ["telltale check /var/log/auth.log", "one file, whole"],
      ["telltale check rules /var/log/syslog", "what each rule did on this log"],
    ],
    run: () => import("./commands/check.ts"),
  },
  {
    name: "sentry",
    summary: "watch for scans only: live, or over a recording; blocks nobody",
    takesOperands: true,
    usage: "[--interface NAME...] [--pcap FILE [ADDRESS...]] [--write FILE] [--config FILE] [--json]",
    description:
      "Live, it watches as the guard does and prints each scan. With --pcap, the whole engine runs over a pcap or pcapng file with the file's " +
      "own clock; ADDRESS names the guarded host, when only its side counts.",
    options: [
      {
        name: "interface",
        short: "i",
        value: "NAME",
        multiple: true,
        summary: "watch this interface instead of those of the configuration; may be repeated",
      },
      { name: "pcap", value: "FILE", summary: "read packets from this recording instead" },
      { name: "write", value: "FILE", summary: "save the packets behind each finding, as pcap" },
      CONFIG,
      JSON_OUT,
    ],
    examples: [
      ["telltale sentry", "watch, as root"],
      ["telltale sentry -i eth0 -i lo", "watch these two only"],
      [
        "telltale sentry --pcap night.pcapng --write scans.pcap",
        "what was in that recording, and its evidence",
      ],
    ],
    run: () => import("./commands/sentry.ts"),
  },
  {
    name: "explain",
    summary: "say why: the evidence about an address, or the rule that decides a line",
    takesOperands: true,
    usage: "ADDRESS | LINE",
    description:
      "For an address: every scan from it with its probes, every verdict, every block. For a line of a log: the layer it is reported in, the " +
      "rules that raise it and those that cancel it, each with file and line.",
    options: [CONFIG, JSON_OUT],
    examples: [
      ["telltale explain 192.0.2.7", "why this address is blocked"],
      ['telltale explain "Nov 22 12:00:00 host sshd[1]: ..."', "why this line is reported or not"],
    ],
    run: () => import("./commands/explain.ts"),
  },
  {
    name: "blocks",
    summary: "list the blocks in force",
    usage: "[--config FILE] [--json]",
    description:
      "Lists each blocked address with the time since and until, the packets stopped (which needs root), how the scan was proven, how often " +
      "it was blocked before, and the reason. A terminal of 100 columns or fewer gets less of that; --json and telltale explain have all.",
    options: [CONFIG, JSON_OUT],
    examples: [["telltale blocks", "who is locked out, why and until when"]],
    run: () => import("./commands/blocks.ts"),
  },
  {
    name: "block",
    summary: "lock an address or network out by hand",
    takesOperands: true,
    usage: "ADDRESS... [--for DURATION] [--why TEXT]",
    description: "The guardrails hold here too: what telltale guardrails lists is refused.",
    options: [
      { name: "for", value: "DURATION", summary: "how long (1h, 2d); 1h when not given" },
      { name: "why", value: "TEXT", summary: "the reason, for telltale blocks and the report" },
      CONFIG,
    ],
    examples: [["telltale block 192.0.2.7 --for 1d --why 'guesses passwords'", "lock it out for a day"]],
    run: () => import("./commands/block.ts"),
  },
  {
    name: "unblock",
    summary: "lift the block of an address, or all of them",
    takesOperands: true,
    usage: "ADDRESS... | --all",
    description:
      "Takes the address out of the firewall and marks the block as lifted. --all removes telltale's own nftables table whole; " +
      "it works with the guard down and the store damaged. Only what a command of your own has blocked is known by the history alone: " +
      "as far as that can be read, it is lifted, and what is not known is said.",
    options: [{ name: "all", summary: "lift every block" }, CONFIG],
    examples: [
      ["telltale unblock 192.0.2.7", "let this address in again"],
      ["telltale unblock --all", "let everybody in again"],
    ],
    run: () => import("./commands/unblock.ts"),
  },
  {
    name: "panic",
    summary: "let everybody in and stop blocking, now, whatever else is broken",
    usage: "[--end]",
    description:
      "Removes telltale's table from the firewall and leaves a mark that keeps every guard, also one that starts later, from blocking " +
      "until --end. Works with the guard down, the store damaged and the configuration broken.",
    options: [{ name: "end", summary: "let blocking go on" }, CONFIG],
    examples: [
      ["telltale panic", "nobody is blocked any more"],
      ["telltale panic --end", "back to normal"],
    ],
    run: () => import("./commands/panic.ts"),
  },
  {
    name: "guardrails",
    summary: "list who is never blocked, and why",
    usage: "[--config FILE] [--json]",
    description:
      "Own addresses, loopback, gateways, resolvers, NTP and DHCP servers in use, peers of live SSH and mosh sessions, the allow list and portsentry.ignore. " +
      "Then the networks that somebody logged in from within the last month: a block there ends after two minutes unless it is confirmed by the telltale block that its reason names.",
    options: [CONFIG, JSON_OUT],
    examples: [["telltale guardrails", "is my office in it?"]],
    run: () => import("./commands/guardrails.ts"),
  },
  {
    name: "report",
    summary: "print what happened since the last report, or send it",
    usage: "[--since DURATION] [--send | --test] [--html] [--config FILE]",
    description:
      "Prints the digest that the next mail would carry. --send delivers it now, by every configured way. --test says whether these ways " +
      "work, before there is something to report: each gets a message that says it is a test, and the exit status is 1 when one fails.",
    options: [
      { name: "since", value: "DURATION", summary: "cover this long (1h, 7d), whatever was reported before" },
      { name: "send", summary: "deliver it; what was delivered is not reported again" },
      { name: "test", summary: "send a test by every way that is configured, and say what became of it" },
      { name: "html", summary: "print the HTML form" },
      CONFIG,
      JSON_OUT,
    ],
    examples: [
      ["telltale report --since 1d", "the last day"],
      ["telltale report --test", "does mail leave this host?"],
    ],
    run: () => import("./commands/report.ts"),
  },
  {
    name: "config",
    summary: "check the configuration, explain one key, or show what holds",
    takesOperands: true,
    usage: "check | explain KEY... | show [--all]   [--config FILE] [--json]",
    description:
      "check reads everything that the guard reads (telltale.toml, telltale.d/*.toml, logrotate's, logcheck's and PortSentry's files) and " +
      "prints every fault with its mend; the exit status is 1 when there is one. explain says what holds for a key or a section, which file " +
      "and line it comes from, what it overrides, its default, bounds and reason. show prints what was set, as one file.",
    options: [{ name: "all", summary: "with show: the defaults too" }, CONFIG, JSON_OUT],
    examples: [
      ["telltale config check", "before telltale reload"],
      ["telltale config explain respond.block_for", "why is it ten minutes?"],
      ["telltale config show", "what differs from the defaults, and where it was written"],
    ],
    run: () => import("./commands/config.ts"),
  },
  {
    name: "import",
    summary: "take over the settings of logrotate, logcheck, PortSentry and fail2ban",
    usage: "[--from NAME,...] [--root DIR] [--write FILE] [--json]",
    description:
      "Reads /etc/logrotate.conf, /etc/logcheck, /etc/portsentry and /etc/fail2ban/jail.local with jail.d, and says of each directive " +
      "whether it is honoured, changed or unsupported, and why. What has a key of telltale's goes into a telltale.toml, which names the line " +
      "it came from. Nothing is changed without --write, and no file is overwritten.",
    options: [
      {
        name: "from",
        value: "NAME,...",
        summary: "only from these: logrotate, logcheck, portsentry, fail2ban",
      },
      { name: "root", value: "DIR", summary: "read below this folder, for another host's files" },
      { name: "write", value: "FILE", summary: "write the settings to a new file; - for standard output" },
      JSON_OUT,
    ],
    examples: [
      ["telltale import", "what would become of each line"],
      ["telltale import --write /etc/telltale/telltale.toml", "take it over"],
      ["telltale import --from fail2ban --root /mnt/old --write -", "another host's"],
    ],
    run: () => import("./commands/import.ts"),
  },
  {
    name: "doctor",
    summary: "say what works on this machine, what is missing and how to get it",
    usage: "[--config FILE] [--json]",
    description: "Tries each part for real, changes nothing, and names a mend for whatever does not work.",
    options: [CONFIG, JSON_OUT],
    examples: [["telltale doctor", "before the first guard, and whenever something is off"]],
    run: () => import("./commands/doctor.ts"),
  },
];
