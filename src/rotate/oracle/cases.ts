// Random configurations, trees, states and clocks for the comparison with logrotate, and the cases in which the two differ on
// purpose.
import fc from "fast-check";

export type FileSpec = {
  name: string;
  kind: "file" | "link" | "hardlink";
  sizeBytes: number;
  ageDays: number;
  mode: number;
  uid: number;
  stamp: number | null;
};
export type Case = {
  zone: string;
  now: string;
  force: boolean;
  /** A second run so many hours later, after every log has grown. */
  again: { hours: number; force: boolean } | null;
  globals: string[];
  stanzas: { patterns: string; lines: string[] }[];
  files: FileSpec[];
};

const pick = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
export const LOGS = [
  "a.log",
  "b.log",
  "c d.log",
  "x[1].log",
  "{y}.log",
  "q*.log",
  "q1.log",
  ".hid.log",
  "plain",
  "e.foo",
];
const maybe = (line: fc.Arbitrary<string>, weight = 3): fc.Arbitrary<string[]> =>
  fc.oneof(
    { weight, arbitrary: fc.constant<string[]>([]) },
    { weight: 1, arbitrary: line.map((text) => [text]) },
  );

const directives = fc
  .tuple(
    fc.oneof(
      pick(
        [""],
        ["hourly"],
        ["daily"],
        ["weekly"],
        ["weekly 3"],
        ["weekly 7"],
        ["monthly"],
        ["yearly"],
        ["size 50"],
        ["size 1k"],
      ),
    ),
    maybe(pick("rotate -1", "rotate 0", "rotate 1", "rotate 2", "rotate=3", "rotate 4", "rotate 010"), 1).map(
      (l) => l,
    ),
    maybe(pick("start 0", "start 2", "start 5")),
    fc.oneof(pick<string[]>([], ["compress"], ["compress", "delaycompress"], ["delaycompress"])),
    fc.oneof(
      pick(
        [],
        [],
        ["dateext"],
        ["dateext", "dateformat .%Y-%m-%d"],
        ["dateext", "dateformat -%s"],
        ["dateext", "dateformat -%d%m%Y%H%M"],
        ["dateext", "dateyesterday"],
        ["dateext", "datehourago", "dateformat -%Y%m%d%H"],
      ),
    ),
    maybe(pick("olddir old", "olddir ROOT/d/old")),
    maybe(pick("extension .log", "addextension .log", "addextension .arc", "extension log")),
    fc.oneof(
      pick<string[]>(
        [],
        ["create"],
        ["create 0600"],
        ["create 0640 daemon adm"],
        ["create root"],
        ["nocreate"],
      ),
    ),
    fc.oneof(
      pick<string[]>([], [], [], ["copy"], ["copytruncate"], ["renamecopy"], ["copytruncate", "create"]),
    ),
    maybe(pick("maxage 1", "maxage 3", "maxage 10")),
    maybe(pick("minage 1", "minage 4"), 6),
    maybe(pick("minsize 40", "minsize 1k"), 6),
    maybe(pick("maxsize 40", "maxsize 100"), 6),
    maybe(pick("missingok"), 1),
    maybe(pick("notifempty", "ifempty"), 1),
    maybe(pick("allowhardlink"), 6),
    maybe(pick("su daemon daemon", "su root root"), 8),
    maybe(pick("shred", "shred\n  shredcycles 1"), 12),
    maybe(pick("mail root", "mail root\n  mailfirst"), 5),
  )
  .map((groups) => groups.flat().filter((line) => line !== ""));

const scripts = fc
  .tuple(
    fc.boolean(),
    fc.subarray(["firstaction", "prerotate", "postrotate", "lastaction", "preremove"]),
    fc.oneof(
      { weight: 8, arbitrary: fc.constant("") },
      { weight: 1, arbitrary: pick("firstaction", "prerotate", "postrotate", "lastaction") },
    ),
  )
  .map(([shared, names, failing]) => [
    ...(shared ? ["sharedscripts"] : []),
    ...names.flatMap((name) => [
      name,
      `  echo "${name} $1|$2" >> ROOT/calls`,
      ...(name === failing ? ["  exit 3"] : []),
      "endscript",
    ]),
  ]);

const stanza = fc.record({
  patterns: pick(
    "ROOT/d/*.log",
    "ROOT/d/a.log ROOT/d/b.log",
    '"ROOT/d/c d.log" ROOT/d/plain',
    "ROOT/d/x\\[1\\].log",
    "ROOT/d/q1.log\nROOT/d/e.foo",
    "ROOT/d/q\\*.log",
    "ROOT/d/?.log ROOT/d/missing.log",
    "ROOT/d/plain",
  ),
  lines: fc.tuple(directives, scripts).map(([a, b]) => {
    // One missing log makes logrotate renumber, but not rotate, its neighbours under sharedscripts; telltale rotates them.
    return [...a, ...b, ...(b.includes("sharedscripts") ? ["missingok"] : [])];
  }),
});

const generationOf = (log: string): fc.Arbitrary<string> =>
  fc.oneof(
    fc.tuple(fc.nat(6), pick("", ".gz")).map(([n, z]) => `${log}.${n}${z}`),
    fc
      .tuple(pick("20240101", "20240308", "20240309", "20240228"), pick("", ".gz"))
      .map(([day, z]) => `${log}-${day}${z}`),
    fc.tuple(fc.nat(3), pick("", ".gz")).map(([n, z]) => `old/${log}.${n}${z}`),
    fc.nat(3).map((n) => `${log.replace(/\.log$/, "")}.${n}.log`),
  );

const file = fc
  .oneof(
    { weight: 2, arbitrary: pick(...LOGS) },
    {
      weight: 3,
      arbitrary: pick("a.log", "b.log", "plain", "c d.log", "x[1].log", "q*.log", "q1.log", "e.foo").chain(
        generationOf,
      ),
    },
  )
  .chain((name) =>
    fc.record<FileSpec>({
      name: fc.constant(name),
      // A link among the generations that leads nowhere stays for ever under logrotate; telltale removes it in its turn.
      kind: !LOGS.includes(name)
        ? fc.constant("file")
        : fc.oneof(
            { weight: 12, arbitrary: fc.constant<"file">("file") },
            { weight: 1, arbitrary: pick<"link" | "hardlink">("link", "hardlink") },
          ),
      sizeBytes: pick(0, 8, 45, 80, 2000),
      ageDays: pick(0, 0, 2, 5, 12),
      mode: pick(0o644, 0o600, 0o640, 0o666),
      uid: pick(0, 1),
      stamp: LOGS.includes(name)
        ? pick(null, 0, 1, 25, 24 * 3, 24 * 7, 24 * 35, 24 * 400, -48)
        : fc.constant(null),
    }),
  );

export const cases = fc.record<Case>({
  zone: pick("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia"),
  now: pick(
    "2024-03-10T12:00:00Z",
    "2024-03-31T01:30:00Z",
    "2024-10-27T00:45:00Z",
    "2024-02-29T23:59:00Z",
    "2024-01-01T00:05:00Z",
    "2024-05-06T10:00:00Z",
    "2024-11-03T05:30:00Z",
  ),
  force: fc.boolean(),
  again: fc.oneof(
    fc.constant(null),
    fc.record({ hours: pick(1, 24, 25, 24 * 8, 24 * 32), force: fc.boolean() }),
  ),
  globals: fc.oneof(pick<string[]>([], ["rotate 2"], ["compress", "rotate 3"], ["missingok"])),
  stanzas: fc.uniqueArray(stanza, { minLength: 1, maxLength: 3, selector: (s) => s.patterns }),
  files: fc.uniqueArray(file, { minLength: 1, maxLength: 12, selector: (f) => f.name }),
});

/**
 * Where telltale does something else on purpose, whatever the settings; each is a row of docs/rotate-differences.md.
 * @param before322 whether the logrotate that judges is older than 3.22, whose ways are telltale's
 */
export function deliberate(given: Case, before322: boolean): boolean {
  return given.stanzas.some(({ patterns, lines }) => {
    const all = [...given.globals, ...lines].map((line) => line.trim());
    // Older logrotates renumber the generations of a log whose prerotate fails, and count ages by the second.
    if (before322 && fails(lines, "prerotate")) return true;
    if (before322 && given.again !== null && all.some((line) => line.startsWith("maxage"))) return true;
    // The owner alone is what `create root` says; newer logrotates take it for a mode, and refuse it.
    if (!before322 && all.includes("create root")) return true;
    const has = (...words: string[]): boolean => words.some((word) => all.includes(word));
    // Older ones compress, mail and remove before prerotate is called, newer ones after it.
    if (before322 && has("prerotate") && has("preremove", "mail root")) return true;
    const kept = all.filter((line) => line.startsWith("rotate")).at(-1);
    const none = kept === undefined || kept === "rotate 0";
    const magic = given.files.some(({ name }) => /[*[{]/.test(name));
    // logrotate takes a log's name for a pattern when it looks for dated generations.
    if (magic && (has("dateext") || kept === "rotate -1")) return true;
    // logrotate overwrites the oldest of unlimited generations when they start at 0.
    if (kept === "rotate -1" && has("start 0")) return true;
    // logrotate's manual mails what maxage removes only under maillast; the program mails it under mailfirst, too.
    if (
      all.some((line) => line.includes("mailfirst")) &&
      (has("dateext") || all.some((line) => line.startsWith("maxage")))
    ) {
      return true;
    }
    // A week is seven days of the calendar; logrotate counts seven times 24 hours, and is a day late where clocks change.
    if (/Berlin|York/.test(given.zone) && all.some((line) => line.startsWith("weekly"))) return true;
    // Generations that the pattern takes for logs: each program ends in its own muddle.
    if (patterns.includes("*") && all.some((line) => line.endsWith("extension .log"))) return true;
    // A generation that is still uncompressed is compressed first; logrotate overwrites it, or forgets it for ever.
    const raw = given.files.some(({ name }) => /\.\d+(\.\w+)?$|-\d{8}$/.test(name) && !name.endsWith(".gz"));
    if (raw && has("compress") && !has("delaycompress")) return true;
    // logrotate wants to write to what it only copies, and leaves the .tmp behind when the user of su may not.
    if (has("su daemon daemon") && has("copy", "renamecopy")) return true;
    // Under su, logrotate keeps root's own groups, and so reads what only root and its group may read.
    if (has("su daemon daemon") && given.files.some((file) => file.uid === 0 && file.mode === 0o640))
      return true;
    // Yesterday's hour is always noon; logrotate slips to 13 or 11 where clocks change.
    if (has("dateyesterday") && has("hourly")) return true;
    // Older logrotates compress a copy that they did not make, and fail; newer ones keep a copy that is to be mailed for a run.
    if (none && has("compress", "mail root") && has("copy", "copytruncate")) return true;
    // logrotate uncompresses what it has not compressed yet before mailing it, and fails.
    return none && has("compress") && has("delaycompress") && has("mail root");
  });
}

function fails(lines: readonly string[], script: string): boolean {
  const at = lines.indexOf(script);
  return at >= 0 && lines[at + 2] === "  exit 3";
}
