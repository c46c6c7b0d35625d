// What each directive means: one table of names, the values they want, and the setting they change. The parser, the
// reference and `--explain` read this table. Names and meanings are those of logrotate(8), 3.21 and later.
import { splitWords } from "../syntax/parse.ts";
import type { Attributes, Settings } from "../types.ts";
import { editDistance, lookUp, parseWholeNumber } from "../values/parse.ts";
import {
  address,
  constant,
  criterion,
  type Directive,
  flag,
  found,
  type Names,
  number,
  type Refusal,
  refuse,
  size,
  text,
} from "./kinds/parse.ts";

export type { Directive, Names, Refusal } from "./kinds/parse.ts";

export const DEFAULTS: Readonly<Settings> = {
  criterion: "size",
  // What logrotate does with a stanza that names no criterion.
  sizeBytes: 1024 * 1024,
  everyMinutes: 0,
  weekday: 0,
  monthDay: 0,
  minSizeBytes: 0,
  maxSizeBytes: 0,
  minAgeDays: 0,
  maxAgeDays: 0,
  rotate: 0,
  start: 1,
  missingOk: false,
  ifEmpty: true,
  ignoreDuplicates: false,
  allowHardLink: false,
  create: null,
  olddir: null,
  createOlddir: null,
  su: null,
  copy: "no",
  compress: false,
  delayCompress: false,
  compressCommand: "/bin/gzip",
  uncompressCommand: "/bin/gunzip",
  compressExt: ".gz",
  // None: gzip does 6 by itself, and what 6 means to another compressor is its own affair.
  compressOptions: [],
  extension: null,
  addExtension: null,
  dateExt: false,
  dateFormat: null,
  dateYesterday: false,
  dateHourAgo: false,
  mail: null,
  mailFirst: false,
  errors: null,
  shred: false,
  shredCycles: 0,
  sharedScripts: false,
};

// What a well-known compressor calls its files and how they are read back.
const COMPRESSORS: Readonly<Record<string, { readonly ext: string; readonly reader: string }>> = {
  gzip: { ext: ".gz", reader: "gunzip" },
  bzip2: { ext: ".bz2", reader: "bunzip2" },
  xz: { ext: ".xz", reader: "unxz" },
  zstd: { ext: ".zst", reader: "unzstd" },
  compress: { ext: ".Z", reader: "uncompress" },
  zip: { ext: ".zip", reader: "unzip" },
};

function attributes(key: string, value: string, names: Names): Attributes | Refusal {
  const words = splitWords(value);
  const mend = `write ${key} 0640 root adm, or leave out what should stay as it was`;
  let mode: number | null = null;
  // Two numbers, the first not written as octal, are an owner and a group, as in logrotate's main branch.
  const owners = words.length === 2 && /^[1-9]\d*$/.test(words[0]!) && /^\d+$/.test(words[1]!);
  if (!owners && words.length > 0 && /^[0-7]{1,5}$/.test(words[0]!)) {
    mode = Number.parseInt(words.shift()!, 8);
    if (mode > 0o7777) return refuse(`wants an octal mode of at most 7777, found ${mode.toString(8)}`, mend);
  }
  if (mode === null && /^0\d/.test(words[0] ?? "")) {
    return refuse(`wants an octal mode, found "${words[0]}"`, mend);
  }
  if (words.length > 2) return refuse(`has extra arguments, ${found(value)}`, mend);
  const [user, group] = words;
  const gid = group === undefined ? null : lookUp(group, (name) => names.gidOf(name));
  if (group !== undefined && gid === null) return refuse(`unknown group ${JSON.stringify(group)}`, mend);
  const uid = user === undefined ? null : lookUp(user, (name) => names.uidOf(name));
  if (user !== undefined && uid === null) return refuse(`unknown user ${JSON.stringify(user)}`, mend);
  return { mode, uid, gid };
}

function owning(sets: "create" | "createOlddir", key: string): Directive {
  return {
    wants: "[mode] [owner [group]]",
    sets,
    apply(settings, value, names) {
      const given = attributes(key, value, names);
      if ("message" in given) return given;
      settings[sets] = given;
      return null;
    },
  };
}

const su: Directive = {
  wants: "user group",
  sets: "su",
  apply(settings, value, names) {
    const words = splitWords(value);
    const mend = "write su USER GROUP with the user and group that own the directory";
    if (words.length < 2) return refuse(`wants a user and a group, ${found(value)}`, mend);
    if (words.length > 2) return refuse(`has extra arguments, ${found(value)}`, mend);
    // The group first, as logrotate does: where both are unknown, scripts see the message they know.
    const gid = lookUp(words[1]!, (name) => names.gidOf(name));
    if (gid === null) return refuse(`unknown group ${JSON.stringify(words[1])}`, mend);
    const uid = lookUp(words[0]!, (name) => names.uidOf(name));
    if (uid === null) return refuse(`unknown user ${JSON.stringify(words[0])}`, mend);
    settings.su = { uid, gid };
    return null;
  },
};

const weekly: Directive = {
  wants: "[weekday: 0 is Sunday to 6, 7 every seven days]",
  sets: "criterion",
  apply(settings, value) {
    if (value !== "" && !/^[0-7]$/.test(value)) {
      return refuse(`wants a weekday from 0 to 7, ${found(value)}`, "write weekly, or weekly 1 for Mondays");
    }
    settings.criterion = "weekly";
    settings.weekday = Number(value);
    return null;
  },
};

const monthly: Directive = {
  wants: "[day of the month: 1 to 31]",
  sets: "criterion",
  apply(settings, value) {
    const day = value === "" ? 0 : parseWholeNumber(value);
    if (day === null || day < 0 || day > 31) {
      return refuse(`wants a day from 1 to 31, ${found(value)}`, "write monthly, or monthly 15");
    }
    settings.criterion = "monthly";
    settings.monthDay = day;
    return null;
  },
};

const minutes: Directive = {
  wants: "a whole number of minutes",
  sets: "criterion",
  apply(settings, value) {
    const every = parseWholeNumber(value);
    if (every === null || every < 1) {
      return refuse(`wants a whole number of minutes, ${found(value)}`, "write minutes 15");
    }
    settings.criterion = "minutes";
    settings.everyMinutes = every;
    return null;
  },
};

const compresscmd: Directive = {
  wants: "a command",
  sets: "compressCommand",
  apply(settings, value) {
    if (value === "") return refuse("wants a command, found nothing", "write compresscmd /usr/bin/xz");
    settings.compressCommand = value;
    const known = COMPRESSORS[value.slice(value.lastIndexOf("/") + 1)];
    if (known !== undefined) settings.compressExt = known.ext;
    return null;
  },
};

const compressoptions: Directive = {
  wants: "options for the compressor",
  sets: "compressOptions",
  apply(settings, value) {
    if (value === "") return refuse("wants options, found nothing", "write compressoptions -9");
    settings.compressOptions = splitWords(value);
    return null;
  },
};

const dateformat: Directive = {
  wants: "a strftime format of %Y %m %d %H %M %S %V %s %z and plain text",
  sets: "dateFormat",
  apply(settings, value) {
    // logrotate takes the first word.
    const word = value.split(/\s/, 1)[0]!;
    if (word === "") return refuse("wants a format, found nothing", "write dateformat -%Y%m%d");
    if (word.includes("/")) {
      return refuse(
        `must not hold a /, ${found(word)}`,
        "write dateformat -%Y%m%d, and olddir for another directory",
      );
    }
    settings.dateFormat = word;
    return null;
  },
};

function copying(to: Settings["copy"]): Directive {
  return constant("copy", to);
}

function notCopying(from: Settings["copy"]): Directive {
  return {
    wants: "nothing",
    sets: "copy",
    apply(settings) {
      if (settings.copy === from) settings.copy = "no";
      return null;
    },
  };
}

/** Every directive that sets something; `include`, `tabooext`, `taboopat` and scripts are the loader's. */
export const DIRECTIVES: ReadonlyMap<string, Directive> = new Map<string, Directive>([
  [
    "rotate",
    number(
      "rotate",
      -1,
      'write "rotate 7" to keep seven files, or "maxage 7" to drop files older than seven days',
    ),
  ],
  ["start", number("start", 0, "write start 1")],
  ["minage", number("minAgeDays", 0, "write minage 2 for two days")],
  ["maxage", number("maxAgeDays", 0, "write maxage 30 for thirty days")],
  ["shredcycles", number("shredCycles", 0, "write shredcycles 3")],
  [
    "size",
    size("sizeBytes", (settings) => {
      settings.criterion = "size";
    }),
  ],
  ["minsize", size("minSizeBytes")],
  ["maxsize", size("maxSizeBytes")],
  ["hourly", criterion("hourly")],
  ["daily", criterion("daily")],
  ["weekly", weekly],
  ["monthly", monthly],
  ["yearly", criterion("yearly")],
  ["minutes", minutes],
  ["missingok", flag("missingOk", true)],
  ["nomissingok", flag("missingOk", false)],
  ["ifempty", flag("ifEmpty", true)],
  ["notifempty", flag("ifEmpty", false)],
  ["ignoreduplicates", flag("ignoreDuplicates", true)],
  ["allowhardlink", flag("allowHardLink", true)],
  ["noallowhardlink", flag("allowHardLink", false)],
  ["create", owning("create", "create")],
  ["nocreate", constant("create", null)],
  ["olddir", text("olddir", "a directory")],
  ["noolddir", constant("olddir", null)],
  ["createolddir", owning("createOlddir", "createolddir")],
  ["nocreateolddir", constant("createOlddir", null)],
  ["su", su],
  ["copy", copying("copy")],
  ["nocopy", notCopying("copy")],
  ["copytruncate", copying("copytruncate")],
  ["nocopytruncate", notCopying("copytruncate")],
  ["renamecopy", copying("renamecopy")],
  ["norenamecopy", notCopying("renamecopy")],
  ["compress", flag("compress", true)],
  ["nocompress", flag("compress", false)],
  ["delaycompress", flag("delayCompress", true)],
  ["nodelaycompress", flag("delayCompress", false)],
  ["compresscmd", compresscmd],
  ["uncompresscmd", text("uncompressCommand", "a command")],
  ["compressext", text("compressExt", "an extension")],
  ["compressoptions", compressoptions],
  ["extension", text("extension", "an extension")],
  ["addextension", text("addExtension", "an extension")],
  ["dateext", flag("dateExt", true)],
  ["nodateext", flag("dateExt", false)],
  ["dateformat", dateformat],
  ["dateyesterday", flag("dateYesterday", true)],
  ["nodateyesterday", flag("dateYesterday", false)],
  ["datehourago", flag("dateHourAgo", true)],
  ["nodatehourago", flag("dateHourAgo", false)],
  ["mail", address("mail")],
  ["nomail", constant("mail", null)],
  ["mailfirst", flag("mailFirst", true)],
  ["maillast", flag("mailFirst", false)],
  ["errors", address("errors")],
  ["shred", flag("shred", true)],
  ["noshred", flag("shred", false)],
  ["sharedscripts", flag("sharedScripts", true)],
  ["nosharedscripts", flag("sharedScripts", false)],
]);

/** The directive that a misspelt name was most likely meant to be, or null. */
export function nearestDirective(word: string): string | null {
  let best: string | null = null;
  let least = 3;
  for (const name of DIRECTIVES.keys()) {
    const distance = editDistance(word.toLowerCase(), name, least);
    if (distance < least) {
      best = name;
      least = distance;
    }
  }
  return best;
}
