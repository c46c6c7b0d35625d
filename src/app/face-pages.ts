// What the man pages of the faces say beside the help that each face prints itself: whose command line it takes, what it reads
// and keeps, how it ends, and where it differs.
import { LOGCHECK_USAGE } from "../faces/logcheck-options.ts";
import { LOGCHECK_TEST_USAGE } from "../faces/logcheck-test-options.ts";
import { LOGROTATE_HELP } from "../faces/logrotate-options.ts";
import { PORTSENTRY_HELP } from "../faces/portsentry-options.ts";

export type FacePage = {
  readonly name: string;
  readonly does: string;
  readonly text: string;
  /** As the face prints it, line by line. */
  readonly help: string;
  readonly files: readonly (readonly [file: string, meaning: string])[];
  readonly exits: readonly (readonly [status: string, meaning: string])[];
  /** A document beside the package's copyright that lists differences. */
  readonly differences?: string;
};

const LOGTAIL_HELP = (name: string): string => `usage: ${name} [-t] -f LOG [-o OFFSETFILE]
       ${name} LOG [OFFSETFILE]

 -f LOG         the log to read
 -o OFFSETFILE  where it is kept how far LOG was read (LOG.offset)
 -t             test: print, but keep nothing
`;

const LOGTAIL_EXITS = [
  ["0", "what was new was printed, or nothing was"],
  ["65", "the log cannot be looked at"],
  ["66", "there is no such log, or none was named"],
  ["73", "the offset file cannot be written"],
] as const;

export const FACE_PAGES: readonly FacePage[] = [
  {
    name: "logrotate",
    does: "rotate logs, by logrotate's own command line",
    text:
      "Takes logrotate's options, reads its configuration files and keeps its state file, so that either of the two goes on where the other " +
      "stopped. What is rotated, named, compressed, mailed and run is what logrotate 3.22 does; an interrupted rotation is finished by the next run.",
    help: LOGROTATE_HELP,
    files: [
      ["/var/lib/logrotate/status", "when each log was last rotated"],
      ["/etc/logrotate.conf", "the usual configuration, to be named on the command line"],
    ],
    exits: [
      ["0", "all went well"],
      ["1", "something is faulty or failed, and was named; the other logs were rotated"],
      ["2", "an option that there is not"],
      ["3", "another run holds the state file"],
    ],
    differences: "rotate-differences.md",
  },
  {
    name: "logcheck",
    does: "mail unusual lines of logs, by logcheck's own command line",
    text:
      "Takes logcheck's options, reads its configuration, its rules and its lists of logs, and keeps its offset files. All rules are one " +
      "automaton, so that a line is read once.",
    help: LOGCHECK_USAGE,
    files: [
      ["/etc/logcheck/logcheck.conf", "configuration"],
      ["/etc/logcheck/*.d", "rules, by layer and level"],
      ["/etc/logcheck/logcheck.logfiles, logcheck.logfiles.d", "the logs that are read"],
      ["/var/lib/logcheck", "how far each log was read"],
    ],
    exits: [
      ["0", "done; a report was sent if there was something to say"],
      ["1", "lines may not have been checked, and why was named"],
    ],
    differences: "logcheck-differences.md",
  },
  {
    name: "logcheck-test",
    does: "show which lines a rule matches, by logcheck-test's own command line",
    text: "Tries one rule, or a file of rules, on a log, before it goes into /etc/logcheck.",
    help: LOGCHECK_TEST_USAGE,
    files: [["/var/log/syslog, /var/log/auth.log", "the logs of -s and -a"]],
    exits: [
      ["0", "lines were shown"],
      ["1", "none were, or the rule or the log cannot be read"],
      [
        "more",
        "each thing that can be wrong with the command line has a status of its own, as in the script",
      ],
    ],
    differences: "logcheck-differences.md",
  },
  {
    name: "logtail",
    does: "print what was added to a log since the last time",
    text: "The first logtail: after a rotation it begins with the new log, and what the old one had in the meantime is not printed.",
    help: LOGTAIL_HELP("logtail"),
    files: [["LOG.offset", "inode and place where the next call begins"]],
    exits: LOGTAIL_EXITS,
  },
  {
    name: "logtail2",
    does: "print what was added to a log since the last time, across rotations",
    text: "Like logtail, but after a rotation what was added to the rotated log is printed first.",
    help: LOGTAIL_HELP("logtail2"),
    files: [["LOG.offset", "inode and place where the next call begins"]],
    exits: LOGTAIL_EXITS,
  },
  {
    name: "portsentry",
    does: "watch ports and deal with whoever scans them, by PortSentry's own command line",
    text:
      "Takes the options of PortSentry 1.x and 2.x and reads portsentry.conf. Whoever is not on the ignore list and touches a watched port is " +
      "logged with PortSentry's lines, and blocked by what the configuration names.",
    help: PORTSENTRY_HELP,
    files: [
      ["/etc/portsentry/portsentry.conf", "configuration"],
      ["/etc/portsentry/portsentry.ignore", "whom it never blocks"],
    ],
    exits: [
      ["0", "ended by a signal"],
      ["1", "a fault in the command line, the configuration or the permissions"],
      ["255", "the same, where the command line names a mode of 1.x"],
    ],
    differences: "portsentry-differences.md",
  },
];
