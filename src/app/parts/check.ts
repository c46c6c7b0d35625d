// Logs and the journal, followed live through the rules. A batch's findings and its cursor go into the store in
// one transaction, so that a line is classified exactly once whatever happens in between.
import { join } from "node:path";
import { CompiledRules } from "../../check/compiled.ts";
import { EchoFilter } from "../../check/echoes.ts";
import { type Heartbeats, SilenceWatch } from "../../check/silence/detect.ts";
import { MissingPartError } from "../../core/errors.ts";
import type { Event } from "../../core/events.ts";
import { showableBytes } from "../../core/hostile.ts";
import { nameScheme } from "../../rotate/names/match.ts";
import { coveredBy, loadRotation } from "../../rotate/run.ts";
import { followJournal, type JournalBatch } from "../../sources/journal/follow.ts";
import { type Follower, followFiles, type LineBatch } from "../../sources/tail/follow.ts";
import { findLogSources } from "../log-sources.ts";
import { keepMark } from "../marks.ts";
import type { PartContext, PartDefinition } from "../part.ts";
import { repeat } from "../schedule.ts";

// One stored finding; what is longer is cut, and says so. 8 kB shows any syslog message (RFC 5424 asks for 2 kB).
const MAX_SHOWN_CHARS = 8_192;

// Timestamp, host name and program name stand at the very beginning of a line.
const MAX_HEADER_BYTES = 160;
// A log counts as silent after an hour at the least.
const SILENCE_LOOK_MS = 300_000;
const HEARTBEATS_MARK = "check.heartbeats";

export const checkPart: PartDefinition = {
  name: "check",
  stillRuns: "scan detection, rotation and reports go on",
  async start(context: PartContext) {
    const { settings, store, bus, clock, powers } = context;
    const { config } = settings;
    if (!config.check.enabled) return { off: "check.enabled = false" };
    const compiled = new CompiledRules(
      join(settings.storeDirectory, "code", "compiled-rules"),
      process.getuid!(),
    );
    const sources = findLogSources(config, { compiled });
    const { rules, logs } = sources;
    if (rules.ruleCount === 0) {
      throw new MissingPartError(
        "check",
        `no rules in ${sources.rulesDirectory}`,
        "apt install logcheck-database",
      );
    }
    if (sources.faults.length > 0) bus.emit({ type: "config.faulty", faults: sources.faults });

    const isOwn = ownLines(powers.ownPids);
    const echoes = new EchoFilter();
    const severalSources = sources.journal || logs.length > 1;
    const silences = new SilenceWatch(heartbeatsFrom(store.marks.get(HEARTBEATS_MARK)));
    const startedMs = clock.now().getTime();
    const lookForSilence = async (): Promise<void> => {
      for (const { log, lastAt, quietMs, usualLongestMs } of silences.overdue(
        clock.now().getTime(),
        startedMs,
      )) {
        bus.emit({
          type: "log.silent",
          path: log,
          lastAt: new Date(lastAt).toISOString(),
          quietMs,
          usualLongestMs,
        });
      }
      keepMark(store, HEARTBEATS_MARK, JSON.stringify(silences.remember()));
    };
    const silenceLooks = repeat(SILENCE_LOOK_MS, clock, lookForSilence);

    const commit = (batch: LineBatch | JournalBatch): void => {
      const events: Event[] = batch.notices.map((notice) => bus.stamp(notice));
      for (const line of batch.lines) {
        const found = rules.classify(line);
        if (found === null || isOwn(line) || (severalSources && echoes.isEcho(line, batch.source))) continue;
        const { layer, rule } = found;
        events.push(
          bus.stamp({
            type: "line.found",
            layer,
            source: batch.source,
            line: shown(line),
            ...(rule && { rule }),
          }),
        );
      }
      store.transaction(() => {
        store.appendAll(events);
        store.cursors.set(batch.source, batch.cursor);
      });
      if (batch.lines.length > 0) silences.heard(batch.source, clock.now().getTime());
      bus.publish(events);
    };
    const followers: Follower[] = [
      followFiles({
        generationFolders: await foldersOfGenerations(settings.rotateConfigs),
        paths: logs,
        cursors: store.cursors,
        from: "end",
        commit,
        emit: bus.emit,
        ...(powers.openLog !== null && { openForUs: powers.openLog }),
      }),
    ];
    let journal = "";
    if (sources.journal) {
      try {
        const follower = followJournal({ cursors: store.cursors, commit, emit: bus.emit });
        await follower.start();
        followers.push(follower);
        journal = ", the journal";
      } catch (error) {
        if (!(error instanceof MissingPartError)) throw error;
        bus.emit({ type: "log.unreadable", path: "journal", why: error.message, mend: error.mend });
        journal = `, not the journal (${error.message})`;
      }
    }
    await followers[0]!.start();
    compiled.keep(); // Where that fails, the next start takes a little longer.
    const count = rules.ruleCount.toLocaleString("en");
    return {
      describe: () => [
        `${logs.length === 0 ? "no log files" : listed(logs)}${journal}`,
        `${count} rules of ${sources.rulesDirectory}, level ${sources.level}`,
      ],
      stop: async () => {
        await Promise.all([silenceLooks.stop(), ...followers.map((follower) => follower.stop())]);
        keepMark(store, HEARTBEATS_MARK, JSON.stringify(silences.remember()));
        compiled.keep();
      },
    };
  },
};

// What the guard prints goes to the journal when systemd runs it, and what it finds there it prints: its own lines are
// left out, or the first finding would be told for ever. Only as the program's name in the header: what strangers get into
// a message must not hide it.
function ownLines(pids: readonly number[]): (line: Uint8Array) => boolean {
  const own = new RegExp(
    `^(?:\\w{3} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d|\\d{4}-\\d\\d-\\d\\dT\\S+) \\S+ telltale\\[(?:${pids.join("|")})\\]: `,
  );
  return (line) => own.test(Buffer.from(line.subarray(0, MAX_HEADER_BYTES)).toString("latin1"));
}

// Where rotation puts a log's generations, when that is not beside it (olddir): lines that were not read yet lie there.
async function foldersOfGenerations(configs: readonly string[]): Promise<(log: string) => string[]> {
  const rotation = await loadRotation({ configs });
  return (log) => {
    const stanza = coveredBy(rotation, log);
    return stanza === null || stanza.settings.olddir === null
      ? []
      : [nameScheme(stanza.settings, log).directory];
  };
}

// What an earlier version wrote, or a damaged store, is no reason not to start: habits are learnt again.
function heartbeatsFrom(text: string | null): Heartbeats {
  try {
    return text === null ? {} : (JSON.parse(text) as Heartbeats);
  } catch {
    return {};
  }
}

function shown(line: Uint8Array): string {
  if (line.length <= MAX_SHOWN_CHARS) return showableBytes(line);
  return `${showableBytes(line.subarray(0, MAX_SHOWN_CHARS))} [... ${line.length - MAX_SHOWN_CHARS} bytes more]`;
}

function listed(paths: readonly string[]): string {
  const first = paths.slice(0, 4).join(", ");
  return paths.length <= 4 ? first : `${first} and ${paths.length - 4} more`;
}
