// logrotate's command line, read as popt reads it: letters may be joined, a value may stick to its letter or follow an `=`,
// and options may stand after operands.

export type LogrotateRequest = {
  readonly show: "help" | "usage" | "version" | null;
  readonly debug: boolean;
  readonly force: boolean;
  readonly verbose: boolean;
  readonly skipLock: boolean;
  readonly waitForLock: boolean;
  readonly mail: string;
  readonly state: string;
  /** A file, or `syslog`; null for none. */
  readonly log: string | null;
  readonly configs: readonly string[];
};

type Draft = { -readonly [K in keyof LogrotateRequest]: LogrotateRequest[K] } & { configs: string[] };

const SWITCHES: Readonly<Record<string, (draft: Draft) => void>> = {
  debug: (draft) => {
    draft.debug = true;
    draft.verbose = true;
  },
  force: (draft) => {
    draft.force = true;
  },
  verbose: (draft) => {
    draft.verbose = true;
  },
  "skip-state-lock": (draft) => {
    draft.skipLock = true;
  },
  "wait-for-state-lock": (draft) => {
    draft.waitForLock = true;
  },
  version: (draft) => {
    draft.show ??= "version";
  },
  help: (draft) => {
    draft.show ??= "help";
  },
  usage: (draft) => {
    draft.show ??= "usage";
  },
};

const VALUES: Readonly<Record<string, (draft: Draft, value: string) => void>> = {
  mail: (draft, value) => {
    draft.mail = value;
  },
  state: (draft, value) => {
    draft.state = value;
  },
  log: (draft, value) => {
    draft.log = value;
  },
};

const LETTERS: Readonly<Record<string, string>> = {
  d: "debug",
  f: "force",
  v: "verbose",
  m: "mail",
  s: "state",
  l: "log",
  "?": "help",
};

/** A command line that asks for something else than it can get. */
export type BadArguments = { readonly message: string; readonly status: 1 | 2 };

/** Reads the arguments. */
export function readLogrotateOptions(args: readonly string[]): LogrotateRequest | BadArguments {
  const draft: Draft = {
    show: null,
    debug: false,
    force: false,
    verbose: false,
    skipLock: false,
    waitForLock: false,
    mail: "/usr/bin/mail",
    state: "/var/lib/logrotate/status",
    log: null,
    configs: [],
  };
  const bad = (word: string, why: string): BadArguments => ({
    message: `logrotate: bad argument ${word}: ${why}`,
    status: 2,
  });
  for (let at = 0; at < args.length; at++) {
    const word = args[at]!;
    if (word === "--") {
      draft.configs.push(...args.slice(at + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      draft.configs.push(word);
      continue;
    }
    if (word.startsWith("--")) {
      const [name, ...rest] = word.slice(2).split("=");
      const value = rest.length > 0 ? rest.join("=") : undefined;
      const taker = Object.hasOwn(VALUES, name!) ? VALUES[name!] : undefined;
      const flag = Object.hasOwn(SWITCHES, name!) ? SWITCHES[name!] : undefined;
      if (taker !== undefined) {
        const given = value ?? args[++at];
        if (given === undefined) return bad(word, "missing argument");
        taker(draft, given);
      } else if (flag !== undefined && value === undefined) flag(draft);
      else return bad(word, "unknown option");
      continue;
    }
    for (let i = 1; i < word.length; i++) {
      const name = LETTERS[word[i]!];
      if (name === undefined) return bad(word, "unknown option");
      const taker = VALUES[name];
      if (taker === undefined) {
        SWITCHES[name]!(draft);
        continue;
      }
      const stuck = word.slice(i + 1).replace(/^=/, "");
      const given = stuck === "" ? args[++at] : stuck;
      if (given === undefined) return bad(word, "missing argument");
      taker(draft, given);
      break;
    }
  }
  if (draft.skipLock && draft.waitForLock) {
    const message = "logrotate: options --skip-state-lock and --wait-for-state-lock are mutually exclusive";
    return { message, status: 1 };
  }
  return draft;
}

/** `--usage`, and what follows a command line without operands. */
export const LOGROTATE_USAGE = `Usage: logrotate [-dfv?] [-d|--debug] [-f|--force] [-m|--mail=command]
        [-s|--state=statefile] [--skip-state-lock] [--wait-for-state-lock]
        [-v|--verbose] [-l|--log=logfile] [--version] [-?|--help] [--usage]
        [OPTION...] <configfile>
`;

/** `--help`. */
export const LOGROTATE_HELP = `Usage: logrotate [OPTION...] <configfile>...
Rotates, compresses, removes and mails logs as the configuration files say.

  -d, --debug                 say what would be done, and do nothing
  -f, --force                 rotate whether due or not
  -m, --mail=COMMAND          mail logs with this (default /usr/bin/mail)
  -s, --state=FILE            state file (default /var/lib/logrotate/status)
      --skip-state-lock       do not lock the state file
      --wait-for-state-lock   wait while another run holds the lock
  -v, --verbose               say what is done
  -l, --log=FILE              write what is done to FILE, or to syslog
      --version               show the version
  -?, --help                  show this
      --usage                 show a short usage
`;
