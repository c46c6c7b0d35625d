// logcheck's command line: the same report from the same rules and logs, from one process instead of hundreds of greps.
// It differs where logcheck loses something: a rule that does not compile costs itself and not every line, a log that
// cannot be read is named and the others are read, and no line counts as read before the report is delivered.
import { spawnSync } from "node:child_process";
import { closeSync, openSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, hostname } from "node:os";
import { join } from "node:path";
import { type Collected, collectUnseen } from "../check/collect.ts";
import { CompiledRules } from "../check/compiled.ts";
import { formatDate } from "../check/datetext.ts";
import { type GatheredSection, Gatherer } from "../check/gather.ts";
import { FIRST_LOOK_HOURS } from "../check/journal.ts";
import { localeOf } from "../check/locale.ts";
import { takeLock } from "../check/lockfile.ts";
import { readLogLists, readSettings } from "../check/logfiles.ts";
import {
  errorBlock,
  firstJournalNotice,
  mailSubject,
  sectionHeading,
  sectionTitle,
} from "../check/render.ts";
import { loadRuleBook } from "../check/rules.ts";
import { type Settings, SUBJECT_DATE } from "../check/settings.ts";
import type { Locale } from "../check/types.ts";
import { type ConfigFault, describeError, formatFault } from "../core/errors.ts";
import type { Layer } from "../core/events.ts";
import { showableBytes } from "../core/hostile.ts";
import type { LogcheckMail } from "./logcheck-mail.ts";
import { LOGCHECK_USAGE, type LogcheckRequest, readLogcheckOptions } from "./logcheck-options.ts";
import { cacheDirOf, isExecutable, isReadable, makeTemporary, readText } from "./logcheck-places.ts";
import { BlockWriter, type FaceOutput, standardOutput } from "./output.ts";

/** The logcheck whose behaviour this is. */
const VERSION = "1.4.2";
const DEFAULT_CONFIG = "/etc/logcheck/logcheck.conf";

/** The run cannot go on; the text is for whoever reads its mail or terminal. */
class LogcheckFailure extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "LogcheckFailure";
  }
}

/** Who runs it, with what environment, and how a report leaves when it is not printed. */
export type LogcheckCaller = {
  readonly uid: number;
  readonly env: NodeJS.ProcessEnv;
  /** Where compiled rules are kept between runs; nowhere when not given. */
  readonly cacheDir?: string;
  /** Threads that may help with large logs; none when not given. */
  readonly helpers?: number;
  readonly deliver: (report: Uint8Array, mail: LogcheckMail) => Promise<void>;
};

/** The face's door. */
export async function main(argv: readonly string[]): Promise<number> {
  process.umask(0o077);
  const uid = process.getuid?.() ?? 0;
  const helpers = Math.min(availableParallelism() - 1, HELPERS_MAX);
  const caller = { uid, env: process.env, ...cacheDirOf(process.env), helpers, deliver: sendMail };
  return runLogcheck(argv, standardOutput, caller);
}

/**
 * Runs logcheck with these arguments.
 * @returns the exit status: 0, or 1 when log lines may not have been checked; rules that were skipped are named in the
 *   report and on standard error, and leave the status at 0 as they leave logcheck's
 */
export async function runLogcheck(
  args: readonly string[],
  output: FaceOutput,
  caller: LogcheckCaller,
): Promise<number> {
  const request = readLogcheckOptions(args);
  if (typeof request === "string") {
    output.err(`logcheck: ${request}\n`);
    output.out(Buffer.from(LOGCHECK_USAGE));
    return 1;
  }
  if (request.show !== null) {
    const text = request.show === "help" ? LOGCHECK_USAGE : `logcheck ${VERSION} (telltale)\n`;
    output.out(Buffer.from(text));
    return 0;
  }
  if (caller.uid === 0) {
    output.out(Buffer.from(rootRefusal(args)));
    return 1;
  }
  return await new LogcheckRun(request, output, caller).run();
}

class LogcheckRun {
  readonly #request: LogcheckRequest;
  readonly #output: FaceOutput;
  readonly #startedAt = new Date();
  readonly #caller: LogcheckCaller;
  readonly #locale: Locale;
  readonly #settings: Settings;
  readonly #faults: ConfigFault[];
  #temporary: string | null = null;

  constructor(request: LogcheckRequest, output: FaceOutput, caller: LogcheckCaller) {
    this.#request = request;
    this.#output = output;
    this.#caller = caller;
    this.#locale = localeOf(caller.env);
    const conf = readSettings(request.configFile ?? DEFAULT_CONFIG, this.#startedAt);
    this.#settings = { ...conf.settings, ...request.change };
    this.#faults = conf.faults;
  }

  async run(): Promise<number> {
    try {
      this.#requireConfigFile();
      using _lock = this.#lock();
      this.#debug(`holding ${this.#settings.lockFile}.lock`);
      await this.#check();
      return 0;
    } catch (error) {
      if (error instanceof Error) this.#debug(error.stack ?? error.message);
      await this.#fail(describeError(error));
      return 1;
    } finally {
      this.#removeTemporary();
    }
  }

  async #check(): Promise<void> {
    const settings = this.#settings;
    const { cacheDir, uid } = this.#caller;
    const compiled = cacheDir === undefined ? null : new CompiledRules(join(cacheDir, "compiled-rules"), uid);
    const book = loadRuleBook(settings.ruleDir, {
      level: settings.level,
      supportCrackingIgnore: settings.supportCrackingIgnore,
      locale: this.#locale,
      eitherTimestamp: false,
      ...(compiled && { compiled }),
    });
    // logcheck does without a rule directory that is not there, and so is silent about it.
    this.#faults.push(...book.faults.filter(({ file }) => !book.missing.includes(file)));
    this.#debug(`${book.ruleCount} rules in ${settings.ruleDir} at level ${settings.level}`);
    for (const fault of this.#faults) this.#output.err(`${formatFault(fault)}\n`);

    using gatherer = new Gatherer(book, {
      sortUniq: settings.sortUniq,
      spillDir: () => this.#temporaryDir(),
      helpers: {
        count: this.#caller.helpers ?? 0,
        compiled: compiled && { path: compiled.path, uid: compiled.uid },
        // What this thread has compiled, a helper only has to read.
        prepare: () => compiled?.keep(),
      },
    });
    const collected = await collectUnseen(this.#entries(), gatherer, {
      stateDir: settings.stateDir,
      env: this.#caller.env,
      lostLines: async (query, take) => (await import("./lost-lines.ts")).readLostLines(query, take),
    });
    this.#debug(`${gatherer.lineCount} lines read`);
    const errors = collected.unreadable.map(({ entry }) => `E: File could not be read: ${entry}`);
    const failed = gatherer.lineCount === 0 && errors.length > 0;
    for (const { entry, why } of collected.unreadable) {
      const said = `${entry} is not checked: ${why}`;
      // A run that ends with the errors alone says them as logcheck does, since scripts compare that.
      if (failed) this.#debug(said);
      else this.#output.err(`${said}\n`);
    }
    if (failed) {
      this.#commit(collected);
      throw new LogcheckFailure(errors.join("\n"));
    }
    const sections = gatherer.sections();
    if (sections.length > 0) await this.#report(gatherer, collected, errors);
    this.#commit(collected);
    const unkept = compiled?.keep() ?? null;
    if (unkept !== null) this.#debug(`the compiled rules are not kept: ${unkept}`);
  }

  #requireConfigFile(): void {
    const { configFile } = this.#request;
    if (configFile !== null && !isReadable(configFile)) {
      throw new LogcheckFailure(`Config file ${configFile} is unreadable or does not exist`);
    }
  }

  #lock(): Disposable {
    try {
      return takeLock(this.#settings.lockFile);
    } catch (error) {
      throw new LogcheckFailure(`Failed to get lockfile: ${describeError(error)}`, error);
    }
  }

  // What to read: one log, or everything that is listed.
  #entries(): readonly string[] {
    const { logFile, logFilesList, logFilesListDir } = this.#settings;
    if (logFile !== "") {
      if (!isReadable(logFile)) throw new LogcheckFailure(`${logFile} does not exist or could not be read`);
      return [logFile];
    }
    const lists = readLogLists(logFilesList, logFilesListDir, this.#locale);
    const [fault] = lists.faults;
    if (fault !== undefined) throw new LogcheckFailure(`${fault.file} does not exist or could not be read`);
    return lists.entries;
  }

  async #report(gatherer: Gatherer, collected: Collected, errors: readonly string[]): Promise<void> {
    const settings = this.#settings;
    const mail: Uint8Array[] = [];
    const parts = new BlockWriter(
      this.#request.toStdout ? this.#output.out : (block) => mail.push(block.slice()),
    );
    if (collected.firstJournal) parts.add(firstJournalNotice(FIRST_LOOK_HOURS));
    if (settings.intro) parts.add(readText(join(settings.ruleDir, "header.txt")));
    parts.add(errorBlock(errors));
    const subjects: Record<Layer, string> = {
      cracking: settings.attackSubject,
      violations: settings.securitySubject,
      system: settings.eventsSubject,
    };
    const sections = gatherer.sections();
    for (const section of sections) {
      parts.add(sectionHeading(sectionTitle(subjects[section.layer], section.name), this.#locale));
      const lines =
        settings.syslogSummary && isExecutable(settings.syslogSummaryCommand)
          ? this.#summary(gatherer, section)
          : null;
      if (lines !== null) parts.add(lines);
      else this.#addLines(gatherer, section, parts);
      parts.addLine(NOTHING, 0, 0);
    }
    parts.add(this.#warnings());
    if (settings.intro) parts.add(readText(join(settings.ruleDir, "footer.txt")));
    parts.flush();
    if (this.#request.toStdout) return;
    await this.#caller.deliver(Buffer.concat(mail), {
      to: settings.sendmailto,
      subject: this.#subject(subjects[sections[0]!.layer]),
      host: this.#hostName(),
      at: this.#startedAt,
      attach: settings.mailAsAttach,
    });
  }

  #addLines(gatherer: Gatherer, section: GatheredSection, to: BlockWriter): void {
    const onScreen = this.#request.toStdout && this.#output.terminal === true;
    if (!onScreen) gatherer.pour(section, (bytes, start, end) => to.add(bytes, start, end));
    else {
      gatherer.visit(section, (bytes, start, end) =>
        to.add(Buffer.from(`${showableBytes(bytes.subarray(start, end))}\n`)),
      );
    }
  }

  // What syslog-summary makes of the section, or null when it cannot be run: then the lines themselves are better.
  #summary(gatherer: Gatherer, section: GatheredSection): Uint8Array | null {
    const command = this.#settings.syslogSummaryCommand;
    const path = join(this.#temporaryDir(), "section");
    const fd = openSync(path, "w", 0o600);
    try {
      const file = new BlockWriter((block) => writeFileSync(fd, block));
      this.#addLines(gatherer, section, file);
      file.flush();
    } finally {
      closeSync(fd);
    }
    const said = spawnSync(command, [path], { maxBuffer: SUMMARY_MAX_BYTES, timeout: SUMMARY_TIMEOUT_MS });
    if (said.status !== 0) {
      this.#output.err(`${command} ended with status ${said.status}: the lines themselves are reported\n`);
      return null;
    }
    return Buffer.from(said.stdout.toString("latin1").replace(/^Summarizing .*\n/gm, ""), "latin1");
  }

  // logcheck has this section, too, and never fills it.
  #warnings(): Uint8Array {
    if (this.#faults.length === 0) return NOTHING;
    const text = this.#faults.map((fault) => `${formatFault(fault)}\n`).join("");
    return Buffer.concat([sectionHeading("Logcheck Warnings", this.#locale), Buffer.from(`${text}\n`)]);
  }

  #subject(subject: string): string {
    return mailSubject({
      host: this.#hostName(),
      date: this.#date(),
      subject,
      reboot: this.#request.reboot,
      tag: this.#settings.addTag,
    });
  }

  #date(): string {
    return this.#settings.date ?? formatDate(SUBJECT_DATE, this.#startedAt);
  }

  #hostName(): string {
    if (this.#request.hostName !== null) return this.#request.hostName;
    if (!this.#settings.fqdn) return hostname().split(".")[0]!;
    const said = spawnSync("hostname", ["--fqdn"], { encoding: "utf8", timeout: 10_000 });
    return said.status === 0 ? said.stdout.trim() : hostname();
  }

  #commit(collected: Collected): void {
    if (this.#request.test) this.#debug("testing: nothing is marked as read");
    else collected.commit();
  }

  async #fail(message: string): Promise<void> {
    this.#output.err(`Error: ${message}\n`);
    if (this.#request.toStdout) return;
    const text =
      `telltale's logcheck could not finish; log lines may not have been checked.\n\n${message}\n\n` +
      "They count as unread, and the next run takes them up.\n";
    try {
      await this.#caller.deliver(Buffer.from(text), {
        to: this.#settings.sendmailto,
        subject: `Logcheck: ${this.#hostName()} ${this.#date()} exiting due to errors`,
        host: this.#hostName(),
        at: this.#startedAt,
        attach: 0,
      });
    } catch (error) {
      this.#output.err(`Error: ${describeError(error)}\n`);
    }
  }

  #debug(text: string): void {
    if (this.#request.debug) this.#output.err(`DEBUG: [${new Date().toISOString()}] ${text}\n`);
  }

  #temporaryDir(): string {
    return (this.#temporary ??= makeTemporary(this.#settings.tmp));
  }

  #removeTemporary(): void {
    if (this.#temporary === null || this.#request.keepTemporary) return;
    rmSync(this.#temporary, { recursive: true, force: true });
  }
}

// It reads what strangers wrote, and so never as root. logcheck's own words, which scripts compare.
function rootRefusal(args: readonly string[]): string {
  const words = args.map((word) => ` ${word}`).join("");
  return `logcheck should not be run as root. Use su to invoke logcheck:
su -s /bin/bash -c "/usr/sbin/logcheck${words}" logcheck
Or use sudo: sudo -u logcheck logcheck${words}.
`;
}

// With one helper a run over 1 GB takes 180 MB; a second would take what is left of 200, and find little to do.
const HELPERS_MAX = 1;
const NOTHING = new Uint8Array(0);
// A summary is shorter than what it sums up; a program that hangs must not hold up the report.
const SUMMARY_MAX_BYTES = 64 << 20;
const SUMMARY_TIMEOUT_MS = 60_000;

// Loaded when there is something to send: most runs find nothing, and need not pay for reading a mail library.
async function sendMail(report: Uint8Array, mail: LogcheckMail): Promise<void> {
  const { deliverLogcheckReport } = await import("./logcheck-mail.ts");
  await deliverLogcheckReport(report, mail);
}
