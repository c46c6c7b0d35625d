// logrotate's command line over telltale's rotation: the same options, files, exit statuses and phrases, so that cron jobs and
// units that call logrotate may call this. Where the two differ on purpose is in docs/rotate-differences.md.
import { spawn } from "node:child_process";
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { describeError } from "../core/errors.ts";
import { EVENT_SCHEMA_VERSION, type EventBody } from "../core/events.ts";
import { showable } from "../core/hostile.ts";
import { faultsMatter } from "../rotate/load.ts";
import {
  loadRotation,
  planRotations,
  type RotateOptions,
  type Rotation,
  runRotations,
} from "../rotate/run.ts";
import { splitWords } from "../rotate/syntax/parse.ts";
import { tuneForRotation } from "../rotate/tuning.ts";
import { COMPRESSOR_SAID } from "../rotate/types.ts";
import { canCarryAccess } from "../sys/files.ts";
import { wordsOfFault, wordsOfStateFault } from "./logrotate-faults.ts";
import {
  LOGROTATE_HELP,
  LOGROTATE_USAGE,
  type LogrotateRequest,
  readLogrotateOptions,
} from "./logrotate-options.ts";
import { wordsOfStanza } from "./logrotate-words.ts";
import { type FaceOutput, standardOutput } from "./output.ts";

/** The logrotate whose behaviour this is. */
const VERSION = "3.22.0";

const VERSION_TEXT = `logrotate ${VERSION} (telltale)

    Default mail command:       /usr/bin/mail
    Default compress command:   /bin/gzip
    Default uncompress command: /bin/gunzip
    Default compress extension: .gz
    Default state file path:    /var/lib/logrotate/status
`;

// Scripts ask here what a logrotate can carry over; both are extended attributes, and one library call away.
function abilities(): string {
  const answer = canCarryAccess() ? "yes" : "no";
  return `    ACL support:                ${answer}\n    SELinux support:            ${answer}\n`;
}

const DEBUG_WARNING =
  "warning: logrotate in debug mode does nothing except printing debug messages!  Consider using verbose mode (-v) instead if this is not what you want.\n\n";

/** The face's door. */
export function main(argv: readonly string[]): Promise<number> {
  tuneForRotation();
  return runLogrotate(argv, standardOutput);
}

/**
 * Runs logrotate with these arguments.
 * @returns the exit status: 0; 1 when something went wrong; 2 for an unknown option; 3 when another run holds the state
 */
export async function runLogrotate(args: readonly string[], output: FaceOutput): Promise<number> {
  const request = readLogrotateOptions(args);
  if ("message" in request) {
    output.err(`${request.message}\n`);
    return request.status;
  }
  if (request.show !== null) {
    const text = { help: LOGROTATE_HELP, usage: LOGROTATE_USAGE, version: VERSION_TEXT }[request.show];
    output.out(Buffer.from(request.show === "version" ? text + abilities() : text));
    return 0;
  }
  if (request.configs.length === 0) {
    output.err(`${VERSION_TEXT.split("\n", 1)[0]}\n\n${LOGROTATE_USAGE}`);
    return 1;
  }
  const voice = voiceFor(request, output);
  try {
    return await rotate(request, voice);
  } finally {
    await voice.close();
  }
}

/** Where messages go: errors always to stderr, the rest there with -v; all of it to the log of -l. */
type Voice = {
  error(text: string): void;
  warning(text: string): void;
  message(text: string): void;
  /** Whether anybody reads messages. */
  readonly heard: boolean;
  /** The log's descriptor, which scripts get as 3; null when there is none. */
  readonly logFd: number | null;
  close(): Promise<void>;
};

// Logs that are not rotated fill the disk; an account that cannot be written does not keep them from it.
function voiceFor(request: LogrotateRequest, output: FaceOutput): Voice {
  try {
    return openVoice(request, output);
  } catch (error) {
    output.err(`error: error opening log file ${request.log}: ${describeError(error)}\n`);
    return openVoice({ ...request, log: null }, output);
  }
}

function openVoice(request: LogrotateRequest, output: FaceOutput): Voice {
  const { log, verbose } = request;
  if (log === "syslog") {
    const logger = spawn("logger", ["-t", "logrotate", "-p", "user.info"], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    let gone = false;
    logger.on("error", () => {
      gone = true;
      output.err("error: logger cannot be run, so nothing reaches syslog\n    mend: apt install bsdutils\n");
    });
    logger.stdin.on("error", () => {
      gone = true;
    });
    const ended = new Promise<void>((resolve) => {
      logger.on("close", () => resolve());
      logger.on("error", () => resolve());
    });
    const send = (text: string): void => {
      if (!gone) logger.stdin.write(text);
    };
    return voiceOf(output, verbose, send, null, async () => {
      logger.stdin.end();
      await ended;
    });
  }
  if (log === null) return voiceOf(output, verbose, null, null, async () => {});
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOCTTY;
  const fd = openSync(log, flags, 0o644);
  const send = (text: string): void => {
    writeSync(fd, text);
  };
  return voiceOf(output, verbose, send, fd, async () => closeSync(fd));
}

function voiceOf(
  output: FaceOutput,
  verbose: boolean,
  log: ((text: string) => void) | null,
  logFd: number | null,
  close: () => Promise<void>,
): Voice {
  return {
    error: (text) => {
      output.err(`error: ${text}\n`);
      log?.(`error: ${text}\n`);
    },
    warning: (text) => {
      output.err(`warning: ${text}\n`);
      log?.(`warning: ${text}\n`);
    },
    message: (text) => {
      if (verbose) output.err(text);
      log?.(text);
    },
    heard: verbose || log !== null,
    logFd,
    close,
  };
}

async function rotate(request: LogrotateRequest, voice: Voice): Promise<number> {
  const now = new Date();
  const { force, debug, state: statePath, configs } = request;
  if (debug) voice.message(DEBUG_WARNING);
  const rotation = await loadRotation({ configs });
  sayConfiguration(rotation, voice);
  voice.message(`Reading state from file: ${statePath}\n\nHandling ${rotation.stanzas.length} logs\n`);
  const said = new Set<string>();
  const options: RotateOptions = {
    configs,
    statePath,
    force,
    strict: true,
    now,
    mailCommand: splitWords(request.mail),
    inherit: true,
    lock: request.skipLock ? "skip" : request.waitForLock ? "wait" : "fail",
    ...(voice.logFd === null ? {} : { scriptLog: voice.logFd }),
    whole: voice.heard,
    observe: (stanza, plans) => {
      // Ten thousand logs are not talked about when nobody listens.
      const told = voice.heard ? plans : plans.filter((plan) => plan.verdict === "fail");
      if (!voice.heard && told.length === 0) return;
      for (const word of wordsOfStanza(stanza, told, now, force)) {
        if (word.kind === "line") voice.message(word.text);
        else {
          voice.error(`${showable(word.text)}\n    mend: ${showable(word.plan.mend)}`);
          said.add(failureKey(word.plan.log, word.plan.why));
        }
      }
    },
  };
  return debug ? debugRun(rotation, options) : realRun(rotation, options, voice, said);
}

// What reading said, and what was wrong, in the order of the files.
function sayConfiguration(rotation: Rotation, voice: Voice): void {
  let next = 0;
  const faultsUpTo = (count: number): void => {
    for (; next < count; next++) {
      const fault = rotation.faults[next]!;
      // What logrotate carries on from with a warning.
      const say = fault.message === "unknown option" ? voice.warning : voice.error;
      say(wordsOfFault(fault));
    }
  };
  for (const { text, afterFaults } of rotation.notes ?? []) {
    faultsUpTo(afterFaults);
    voice.message(`${showable(text)}\n`);
  }
  faultsUpTo(rotation.faults.length);
}

function failureKey(log: string, why: string): string {
  return `${log}\n${why}`;
}

async function debugRun(rotation: Rotation, options: RotateOptions): Promise<number> {
  const plans = await planRotations(rotation, options);
  for (const stanza of rotation.stanzas) {
    options.observe?.(
      stanza,
      plans.filter((plan) => plan.stanza.id === stanza.id),
    );
  }
  const failed = plans.some((plan) => plan.verdict === "fail");
  return failed || faultsMatter(rotation.faults) ? 1 : 0;
}

async function realRun(
  rotation: Rotation,
  options: RotateOptions,
  voice: Voice,
  said: ReadonlySet<string>,
): Promise<number> {
  const at = new Date().toISOString();
  const emit = (body: EventBody) => {
    if (body.type === "rotation.failed") {
      if (!said.has(failureKey(body.log, body.why))) voice.error(failureText(body, options));
    } else if (body.type === "config.faulty") {
      for (const fault of body.faults) {
        if (fault.line === 0 && fault.consequence === "Skipping lock acquisition")
          voice.warning(wordsOfStateFault(fault));
        else voice.error(wordsOfStateFault(fault));
      }
    } else if (body.type === "log.rotated" && body.warning?.includes(COMPRESSOR_SAID)) {
      voice.error(body.warning.split("\n").map(showable).join("\n"));
    }
    // Nobody keeps these events: they need no identity of their own.
    return { ...body, v: EVENT_SCHEMA_VERSION, id: "", host: "", at } as const;
  };
  return (await runRotations(rotation, options, emit)).exitStatus;
}

// A script's failure names what it was for, and the lock's names the state; the others begin with the log.
function failureText(
  failed: Extract<EventBody, { type: "rotation.failed" }>,
  options: RotateOptions,
): string {
  const { log, why, mend } = failed;
  const busy = log === options.statePath ? why.replace(/^nothing rotated: /, "") : why;
  const text = busy !== why || why.startsWith("error running ") ? busy : `${log}: ${why}`;
  return `${showable(text)}\n    mend: ${showable(mend)}`;
}
