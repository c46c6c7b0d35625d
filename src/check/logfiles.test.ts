// logcheck's configuration is a shell script with globbed lists; what we read from it is held against the shell.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import { parseShellAssignments } from "./conf/parse.ts";
import { formatDate } from "./datetext.ts";
import { readLogcheckConfig } from "./logfiles.ts";
import { SETTING_KEYS } from "./settings.ts";

const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 40);
const NOW = new Date(2026, 10, 22, 9, 5, 7);

function scratch(t: test.TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "telltale-check-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function read(text: string) {
  return parseShellAssignments(text, { file: "logcheck.conf", formatDate: (f) => formatDate(f, NOW) });
}

test("reads logcheck.conf as its package ships it", (t) => {
  const dir = scratch(t);
  mkdirSync(join(dir, "logcheck.logfiles.d"));
  writeFileSync(
    join(dir, "logcheck.conf"),
    '# comment\nREPORTLEVEL="server"\n\nSENDMAILTO="logcheck"\nMAILASATTACH=0\nFQDN=1\n#SORTUNIQ=1\nTMP="/tmp"\n',
  );
  writeFileSync(join(dir, "logcheck.logfiles"), "# nothing here\n");
  writeFileSync(join(dir, "logcheck.logfiles.d", "journal.logfiles"), "## the journal\n\njournal\n");
  writeFileSync(join(dir, "logcheck.logfiles.d", "syslog.logfiles"), "/var/log/syslog\n/var/log/auth.log\n");
  writeFileSync(join(dir, "logcheck.logfiles.d", "old.logfiles~"), "/never\n");
  const config = readLogcheckConfig(dir, NOW);
  assert.deepEqual(config.faults, []);
  assert.equal(config.level, "server");
  assert.equal(config.sendmailto, "logcheck");
  assert.equal(config.fqdn, true);
  assert.equal(config.sortUniq, false);
  assert.equal(config.journal, true);
  assert.deepEqual(config.logfiles, ["/var/log/syslog", "/var/log/auth.log"]);
});

test("values may build on what logcheck has set before, as they may in its script", (t) => {
  const dir = scratch(t);
  writeFileSync(
    join(dir, "logcheck.conf"),
    'SECURITYSUBJECT="$SECURITYSUBJECT!"\nEVENTSSUBJECT="$ATTACKSUBJECT or not"\nLOCKFILE=$LOCKDIR/mine\nDATE="at $DATE"\nSENDMAILTO=$constructor\n',
  );
  const config = readLogcheckConfig(dir, NOW);
  assert.equal(config.securitySubject, "Security Events!");
  assert.equal(config.eventsSubject, "Security Alerts or not");
  assert.equal(config.lockFile, "/run/lock/logcheck/mine");
  assert.match(config.date ?? "", /^at 2026-11-22 09:05 [+-]\d{4}$/);
  const fault = config.faults.find(({ key }) => key === "SENDMAILTO");
  assert.match(fault?.message ?? "", /\$constructor is not assigned above/);
});

test("expands wildcards in the list of logs as the shell does, finding nothing included", (t) => {
  const dir = scratch(t);
  for (const name of ["b.log", "a.log", ".hidden.log", "c.txt"]) writeFileSync(join(dir, name), "");
  writeFileSync(join(dir, "logcheck.logfiles"), `${dir}/*.log\n${dir}/none-*\n/plain/file\n`);
  assert.deepEqual(readLogcheckConfig(dir).logfiles, [`${dir}/a.log`, `${dir}/b.log`, "/plain/file"]);
});

test("a missing list is a fault, and the other lists still count", (t) => {
  const dir = scratch(t);
  mkdirSync(join(dir, "logcheck.logfiles.d"));
  writeFileSync(join(dir, "logcheck.logfiles.d", "x.logfiles"), "/var/log/x\n");
  const config = readLogcheckConfig(dir);
  assert.deepEqual(config.logfiles, ["/var/log/x"]);
  assert.deepEqual(
    config.faults.map((fault) => fault.message),
    ["does not exist"],
  );
});

test("the defaults are those of the logcheck that is installed", (t) => {
  if (!existsSync("/usr/sbin/logcheck")) return t.skip("needs logcheck: apt install logcheck");
  const script = readFileSync("/usr/sbin/logcheck", "utf8").replaceAll("$LOCKDIR", "/run/lock/logcheck");
  const said = new Map(
    [...script.matchAll(/^([A-Z_]+)="?([^"\n]*)"?$/gm)].map(([, name, value]) => [name!, value!]),
  );
  const asText = (value: unknown) => (value === true ? "1" : value === false ? "0" : String(value));
  for (const { name, default: ours } of Object.values(SETTING_KEYS)) {
    const real = said.get(name);
    if (name === "DATE" || real === undefined) continue;
    assert.equal(asText(ours), name === "ADDTAG" ? asText(real === "yes") : real, name);
    said.delete(name);
  }
  assert.equal(said.has("REPORTLEVEL"), false);
});

test("names every line that is no assignment, and does nothing of it", (t) => {
  const dir = scratch(t);
  const bait = join(dir, "bait");
  const reading = read(
    [
      "A=1",
      `touch ${bait}`,
      `B="$(touch ${bait})"`,
      `C=\`touch ${bait}\``,
      `D=2 touch ${bait}`,
      "E=3; F=4 # both",
      "if true; then G=5; fi",
      "H=a|b",
      "I=(x y)",
      `J="${"$"}{K:-default}"`,
      ". /etc/other.conf",
      "export L=6",
      "M=$UNSET",
      "N=7",
    ].join("\n"),
  );
  assert.deepEqual(
    reading.assignments.map(({ name, value }) => `${name}=${value}`),
    ["A=1", "E=3", "F=4", "L=6", "N=7"],
  );
  assert.deepEqual(
    reading.faults.map((fault) => fault.line),
    [2, 3, 4, 5, 7, 8, 9, 10, 11, 13],
  );
});

test("an open quote is one fault, not a crash", () => {
  const reading = read('A=1\nB="never closed\nC=2\n');
  assert.deepEqual(
    reading.assignments.map(({ name }) => name),
    ["A"],
  );
  assert.match(reading.faults[0]!.message, /quote that does not close/);
});

test("DATE takes the date command of the shipped example", () => {
  const reading = read(
    "DATE=\"$(date +'%Y-%m-%d %H:%M')\"\nSHORT=$(date +%F)\nBOTH=\"at $(date +%T) on $(date '+%d')\"\n",
  );
  assert.deepEqual(reading.faults, []);
  assert.deepEqual(
    reading.assignments.map(({ value }) => value),
    ["2026-11-22 09:05", "2026-11-22", "at 09:05:07 on 22"],
  );
});

test("dates come out as date(1) writes them", () => {
  const letters = "YCymdeHIklMSpaAbhBjuwszFTRD%";
  const moments = [NOW, new Date(2024, 1, 29, 0, 0, 0), new Date(2025, 0, 1, 12, 30, 59)];
  for (const moment of moments) {
    const format = [...letters].map((letter) => `${letter}=%${letter}`).join(" ");
    const real = execFileSync("date", ["-d", `@${moment.getTime() / 1000}`, `+${format}`], {
      encoding: "utf8",
      env: { ...process.env, LC_ALL: "C" },
    });
    assert.equal(`${formatDate(format, moment)}\n`, real);
  }
});

test("a value out of bounds keeps the default and says what was wanted", (t) => {
  const dir = scratch(t);
  writeFileSync(join(dir, "logcheck.logfiles"), "");
  writeFileSync(
    join(dir, "logcheck.conf"),
    'REPORTLEVEL="loud"\nMAILASATTACH=3\nFQDN=yes\nINTRO=maybe\nRULEDIR="rules"\nSENTMAILTO=me\n',
  );
  const config = readLogcheckConfig(dir);
  assert.equal(config.level, "server");
  assert.equal(config.ruleDir, "/etc/logcheck");
  assert.deepEqual(
    config.faults.map(({ line, key, message }) => `${line} ${key} ${message}`),
    [
      '1 REPORTLEVEL wants workstation, server or paranoid, found "loud"',
      '2 MAILASATTACH wants 0, 1 or 2, found "3"',
      '3 FQDN wants 1 or 0, found "yes"',
      '4 INTRO wants 1, 0, yes or no, found "maybe"',
      '5 RULEDIR wants an absolute path, found "rules"',
      "6 SENTMAILTO is no setting of logcheck's that is read here",
    ],
  );
});

test("a value reads as the shell reads it", (t) => {
  const dir = scratch(t);
  const piece = fc.oneof(
    fc.stringMatching(/^[a-zA-Z0-9_.,:/@%+^-]{0,5}$/),
    fc.stringMatching(/^'[^']{0,6}'$/).filter((s) => !s.includes("\0")),
    fc.stringMatching(/^"[^"\\$`]{0,6}"$/).filter((s) => !s.includes("\0")),
    fc.constantFrom(
      "\\a",
      "\\\\",
      '\\"',
      "\\'",
      "\\ ",
      '"\\$"',
      '"\\`"',
      '"\\""',
      '"a\\qb"',
      "\\$",
      '"\\\n"',
      `\${A}`,
      '"$A"',
      `"\${A}"`,
    ),
  );
  const script = join(dir, "sourced");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 5 }), (pieces) => {
      const text = `A='old value'\nB=${pieces.join("")}\n`;
      writeFileSync(script, text);
      const real = execFileSync("bash", ["-c", `. "${script}"; printf %s "$B"`], { encoding: "utf8" });
      const reading = read(text);
      assert.deepEqual(reading.faults, []);
      assert.equal(reading.assignments.at(-1)!.value, real);
    }),
    { numRuns: RUNS },
  );
});

test("an unreadable configuration file leaves the defaults and says so", (t) => {
  const dir = scratch(t);
  mkdirSync(join(dir, "logcheck.conf"));
  chmodSync(join(dir, "logcheck.conf"), 0o755);
  writeFileSync(join(dir, "logcheck.logfiles"), "");
  const config = readLogcheckConfig(dir);
  assert.equal(config.sendmailto, "root");
  assert.match(config.faults[0]!.message, /cannot be read/);
});
