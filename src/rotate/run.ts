// The rotation room's door: load the configuration, plan, run. What runs is what was planned, stanza by stanza, each planned
// when its turn comes so that it sees what the ones before it did.
import { lstatSync } from "node:fs";
import { type ConfigFault, describeError, MissingPartError } from "../core/errors.ts";
import type { Emit } from "../core/events.ts";
import { batchesOf } from "./batches.ts";
import type { CarryOut } from "./carryout.ts";
import { Listings } from "./glob/expand.ts";
import { withIdentity } from "./identity.ts";
import { inventory } from "./inventory.ts";
import { faultsMatter, loadConfigs } from "./load.ts";
import { lockState, StateBusyError, type StateLock } from "./lock.ts";
import { planStanza } from "./plan.ts";
import { loadState } from "./state.ts";
import { Tally } from "./tally.ts";
import type { LogFacts, LogPlan, LogStanza, RotateOptions, Rotation, RotationSummary } from "./types.ts";

export { coveredBy } from "./coverage.ts";
export type { LogPlan, LogStanza, RotateOptions, Rotation, RotationSummary } from "./types.ts";

/** Reads the configuration. Never throws for what a configuration says: that is in `faults`. */
export async function loadRotation(
  options: Pick<RotateOptions, "configs"> & Partial<RotateOptions>,
): Promise<Rotation> {
  return loadConfigs(options.configs);
}

/** What a run now would do, log by log, in order. Changes nothing. */
export async function planRotations(rotation: Rotation, options: RotateOptions): Promise<readonly LogPlan[]> {
  const { stamps } = loadState(options.statePath);
  const now = options.now ?? new Date();
  const listings = new Listings();
  return rotation.stanzas.flatMap((stanza) =>
    planLogs(stanza, wantedLogs(stanza, options), { stamps, now, options, listings }),
  );
}

function wantedLogs(stanza: LogStanza, { only }: RotateOptions): readonly string[] {
  if (only === undefined) return stanza.logs;
  const wanted = new Set(only);
  return stanza.logs.filter((log) => wanted.has(log));
}

type Planning = {
  readonly stamps: ReadonlyMap<string, number>;
  readonly now: Date;
  readonly options: RotateOptions;
  readonly listings: Listings;
};

function planLogs(stanza: LogStanza, logs: readonly string[], planning: Planning): LogPlan[] {
  const { stamps, now, options, listings } = planning;
  const look = (): LogFacts[] => inventory(stanza, logs, stamps, listings);
  const facts = mayBecome(stanza.settings.su)
    ? withIdentity(stanza.settings.su, look)
    : refused(look(), stanza);
  return planStanza(stanza, facts, {
    now,
    force: options.force ?? false,
    privileged: process.getuid?.() === 0,
    strict: options.strict ?? false,
  });
}

// Whoever is not root has no rights to lend but their own.
function mayBecome(su: LogStanza["settings"]["su"]): boolean {
  return (
    su === null ||
    process.getuid?.() === 0 ||
    (su.uid === process.geteuid?.() && su.gid === process.getegid?.())
  );
}

function refused(facts: readonly LogFacts[], { settings: { su } }: LogStanza): LogFacts[] {
  const trouble = `only root may rotate as user ${su?.uid} group ${su?.gid}, which su asks for`;
  return facts.map((fact) => ({ ...fact, trouble: fact.trouble ?? trouble }));
}

/**
 * Rotates what is due, once what an earlier run left unfinished is finished. One log's failure is an event and a count, never
 * an exception; a log that failed keeps its old stamp and is tried again next time.
 */
export async function runRotations(
  rotation: Rotation,
  options: RotateOptions,
  emit: Emit,
): Promise<RotationSummary> {
  const { signal, statePath } = options;
  let lock: StateLock;
  try {
    lock = await lockState(statePath, options.lock ?? "fail");
  } catch (error) {
    const busy = error instanceof StateBusyError;
    const mend =
      busy || error instanceof MissingPartError
        ? error.mend
        : "check the directory of the state file and its rights";
    const why = `nothing rotated: ${busy ? "" : `error opening state file ${statePath}: `}${describeError(error)}`;
    emit({ type: "rotation.failed", log: statePath, why, mend });
    return { logs: 0, rotated: 0, failed: 0, skipped: 0, bytesFreed: 0, exitStatus: 3 };
  }
  using _held = lock;
  if (lock.worldReadable) emit({ type: "config.faulty", faults: [unlockedFault(statePath)] });
  const now = options.now ?? new Date();
  const state = loadState(statePath);
  if (state.faults.length > 0) emit({ type: "config.faulty", faults: state.faults });
  const tally = new Tally(state.stamps, statePath, now, emit);
  const mailCommand = options.mailCommand ?? ["/usr/bin/mail"];
  const journalPath = statePath === "/dev/null" ? null : `${statePath}.journal`;
  let work = null as CarryOut | null; // Once something is due.
  const atWork = async (): Promise<CarryOut> => {
    const { CarryOut } = await import("./carryout.ts");
    work ??= new CarryOut({ ...options, mailCommand, now, journalPath }, tally);
    return work;
  };
  await using _work = { [Symbol.asyncDispose]: async () => work?.[Symbol.asyncDispose]() };
  options.progress?.begin(countLogs(rotation, options), () => work?.bytesCompressed ?? 0);
  if (journalPath !== null && isThere(journalPath)) await (await atWork()).finishEarlier(journalPath);
  for (const [stanza, logs, listings] of batches(rotation, options)) {
    if (signal?.aborted) break;
    const plans = planLogs(stanza, logs, { stamps: state.stamps, now, options, listings });
    options.observe?.(stanza, plans);
    for (const plan of plans) tally.planned(plan);
    if (plans.some((plan) => plan.verdict === "rotate" || plan.blocked))
      await (await atWork()).stanza(stanza, plans);
    options.progress?.walked(plans.length);
  }
  await work?.settle();
  if (options.only === undefined && !signal?.aborted) tally.prune();
  const saved = tally.save();
  await tally.mailErrors(mailCommand);
  work?.endJournal(saved && !signal?.aborted);
  return tally.summary(faultsMatter(rotation.faults) || state.faults.length > 0);
}

// Also what cannot be looked at: then it is looked into, and said why not.
function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}

function countLogs(rotation: Rotation, options: RotateOptions): number {
  return rotation.stanzas.reduce((sum, stanza) => sum + wantedLogs(stanza, options).length, 0);
}

// The stanzas, large ones in batches; what is listed of a directory serves all batches of one stanza.
function* batches(
  rotation: Rotation,
  options: RotateOptions,
): Generator<readonly [LogStanza, readonly string[], Listings]> {
  for (const stanza of rotation.stanzas) {
    const logs = wantedLogs(stanza, options);
    const listings = new Listings();
    for (const batch of options.whole === true ? [logs] : batchesOf(stanza, logs))
      yield [stanza, batch, listings];
  }
}

function unlockedFault(file: string): ConfigFault {
  return {
    file,
    line: 0,
    key: "",
    message: `state file ${file} is world-readable and thus can be locked from other unprivileged users`,
    mend: `chmod 0640 ${file}`,
    consequence: "Skipping lock acquisition",
  };
}
