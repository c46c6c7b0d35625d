// Rotation by schedule and by size, and the search for logs that no rotation covers.
import { statSync } from "node:fs";
import { MissingPartError } from "../../core/errors.ts";
import { runGroups } from "../../rotate/retention.ts";
import { loadRotation, type Rotation, runRotations, uncoveredLogs } from "../../rotate/run.ts";
import type { LogStanza } from "../../rotate/types.ts";
import { keepMark } from "../marks.ts";
import type { PartContext, PartDefinition } from "../part.ts";
import { repeat } from "../schedule.ts";

// A log with a size limit is looked at this often: at 100 MB/s, a disk is not full within it. One look is one stat a
// log; where there are so many logs that looking would cost over a hundredth of the time, it is done less often.
const SIZE_LOOK_MS = 1_000;
const SIZE_LOOK_SHARE = 100;
// A log that is still too large after its rotation (minage, a failing script) is left alone this long.
const SIZE_RETRY_MS = 600_000;
// Looking through /proc costs some milliseconds per hundred processes: well below a thousandth of the time.
const UNCOVERED_LOOK_MS = 60_000;
// A smaller log is no danger to a disk; it is named once it has grown to this. `rotate --uncovered` lists them all.
const UNCOVERED_TOLD_BYTES = 8_192;

export const rotatePart: PartDefinition = {
  name: "rotate",
  stillRuns: "everything else; logs grow meanwhile",
  async start(context: PartContext) {
    const { settings, bus, clock, store } = context;
    const { config, rotateConfigs: configs, rotateState: statePath } = settings;
    if (!config.rotate.enabled) return { off: "rotate.enabled = false" };
    if (configs.length === 0) {
      const wanted = config.rotate.config.join(", ");
      throw new MissingPartError(
        "rotate",
        `${wanted} is not there`,
        "apt install logrotate for Debian's, or name yours under [rotate] config",
      );
    }
    const options = { configs, statePath };
    const stopping = new AbortController();
    let rotation: Rotation = await loadRotation(options);
    if (rotation.faults.length > 0) bus.emit({ type: "config.faulty", faults: rotation.faults });

    // One rotation at a time, whoever asked for it.
    let busy: Promise<void> = Promise.resolve();
    const run = (only?: readonly string[]): Promise<void> => {
      busy = busy.then(async () => {
        if (stopping.signal.aborted) return;
        // The configuration is read afresh at every look, as logrotate does.
        if (only === undefined) rotation = await loadRotation(options);
        if (only === undefined) await runGroups(config.retention, rotation, clock.now(), bus.emit);
        await runRotations(
          rotation,
          { ...options, now: clock.now(), signal: stopping.signal, ...(only && { only }) },
          bus.emit,
        );
      });
      busy = busy.catch((error: unknown) => {
        bus.emit({
          type: "rotation.failed",
          log: configs.join(", "),
          why: String(error),
          mend: "see telltale rotate --plan",
        });
      });
      return busy;
    };

    let nextSizeLookMs = 0;
    const triedAt = new Map<string, number>();
    const tooLarge = (): string[] => {
      const now = clock.monotonicMs();
      for (const [log, at] of triedAt) if (now - at > SIZE_RETRY_MS) triedAt.delete(log);
      return rotation.stanzas.flatMap((stanza) => {
        const limit = sizeLimitBytes(stanza);
        return limit === null ? [] : stanza.logs.filter((log) => !triedAt.has(log) && sizeOf(log) >= limit);
      });
    };

    const told = new Set(JSON.parse(store.marks.get("uncovered") ?? "[]") as string[]);
    let stored = "";
    const lookForUncovered = async (): Promise<void> => {
      const found = await uncoveredLogs(rotation, config.rotate.roots, options);
      for (const { path, sizeBytes, writer } of found) {
        if (told.has(path) || sizeBytes < UNCOVERED_TOLD_BYTES) continue;
        told.add(path);
        bus.emit({ type: "log.uncovered", path, sizeBytes, writer, mend: stanzaFor(path) });
      }
      const still = found.map(({ path }) => path).filter((path) => told.has(path));
      for (const path of told) if (!still.includes(path)) told.delete(path);
      if (still.join("\0") === stored) return;
      stored = still.join("\0");
      keepMark(store, "uncovered", JSON.stringify(still));
    };

    const looks = [
      repeat(config.rotate.every, clock, () => run()),
      repeat(SIZE_LOOK_MS, clock, async () => {
        const began = clock.monotonicMs();
        if (began < nextSizeLookMs) return;
        const logs = tooLarge();
        nextSizeLookMs = began + (clock.monotonicMs() - began) * SIZE_LOOK_SHARE;
        if (logs.length === 0) return;
        await run(logs);
        for (const log of tooLarge().filter((log) => logs.includes(log)))
          triedAt.set(log, clock.monotonicMs());
      }),
      repeat(UNCOVERED_LOOK_MS, clock, lookForUncovered),
    ];
    void run().then(lookForUncovered);
    return {
      describe: () => {
        const count = rotation.stanzas.length;
        return [
          `${configs.join(", ")}: ${count} ${count === 1 ? "stanza" : "stanzas"}; next look ${looks[0]!.nextAt().toTimeString().slice(0, 8)}`,
          `state ${statePath}`,
        ];
      },
      stop: async () => {
        stopping.abort();
        await Promise.all([busy, ...looks.map((look) => look.stop())]);
      },
    };
  },
};

/** A stanza to paste; only for names that need no escapes in it. */
function stanzaFor(path: string): string {
  if (/["\\*?[\]{}\p{C}]/u.test(path)) return "add a stanza for it to /etc/logrotate.d";
  const directives = ["weekly", "rotate 4", "compress", "missingok", "notifempty", "copytruncate"];
  const body = directives.map((directive) => `    ${directive}\n`).join("");
  return `put this into a file in /etc/logrotate.d:\n"${path}" {\n${body}}`;
}

/** The size at which a stanza's logs rotate whatever the time, or null when only time counts. */
function sizeLimitBytes({ settings }: LogStanza): number | null {
  if (settings.criterion === "size") return Math.max(1, settings.sizeBytes);
  return settings.maxSizeBytes > 0 ? settings.maxSizeBytes : null;
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0; // It went away or was never there: nothing to rotate for its size.
  }
}
