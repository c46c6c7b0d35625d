// Scans become verdicts and, in block mode, blocks.
import { type FSWatcher, watch } from "node:fs";
import { type ConfigFault, describeError } from "../../core/errors.ts";
import type { Event } from "../../core/events.ts";
import { every } from "../../core/rounds.ts";
import type { Backend } from "../../respond/backend.ts";
import { RecordBackend } from "../../respond/backends/record.ts";
import { packetCounter } from "../../respond/packets.ts";
import { rehearse } from "../../respond/rehearse.ts";
import { Responder } from "../../respond/responder.ts";
import { respondLimits } from "../firewall.ts";
import { Logins } from "../logins.ts";
import { isPanicked } from "../panic.ts";
import type { PartContext, PartDefinition } from "../part.ts";
import { allowList } from "../protected.ts";
import { markMode } from "../reporting.ts";

// How soon a block or lift by another process is known here, where the kernel tells of changes in the store's directory;
// how soon where it does not; and how soon what it has not told is found all the same.
const FOLLOW_MS = 250;
const SLOW_FOLLOW_MS = 2_000;
const MISSED_MS = 10_000;
// The first rehearsal takes both processes 0.2 s of the processor: the start of the guard does not wait for it.
const REHEARSE_AFTER_MS = 1_000;
// After the start the guard gives back what it no longer needs, and some of that a block does need.
const FIRST_REMINDER_MS = 15_000;
const REMIND_MS = 300_000;
// Our own blocks are among them: some milliseconds of reading, also when there are thousands.
const TAKEN_UP_AT_ONCE = 500;
const NEXT_PAGE_MS = 10;

export const respondPart: PartDefinition = {
  name: "respond",
  stillRuns: "scans are detected and reported, but nobody is blocked; blocks in force stay",
  async start({ settings, store, bus, clock, powers }: PartContext) {
    const { respond } = settings.config;
    const facts = new Logins(powers.facts, store, clock);
    const allow = allowList(settings, store, {
      remember: true,
      onChange: (allowed) => responder.setAllow(allowed),
      onFault: (entry, why) =>
        void bus.emit({ type: "config.faulty", faults: [unusableEntry(settings.configFile, entry, why)] }),
    });
    const backend: Backend = settings.mode === "block" ? powers.backend(settings) : new RecordBackend();
    const history = { ...store.blocks, together: store.transaction };
    const responder = new Responder({
      mode: settings.mode,
      ...respondLimits(settings),
      allow: allow.current,
      backend,
      tripwire: respond.kernel
        ? {
            ports: settings.tripwires,
            excludedPorts: settings.config.sentry.exclude_ports,
            maxPerMinute: respond.max_blocks_per_minute,
          }
        : false,
      history,
      facts: () => facts.current(),
      emit: bus.emit,
      clock,
    });
    const followFacts = powers.facts.follow(() => responder.protectSoon());
    const rehearsal = { backend, history, facts: () => facts.current(), clock };
    let rehearsing: Promise<void> = Promise.resolve();
    let ending = new AbortController();
    const play = (isReminder: boolean): void => {
      // Of what goes wrong the first real block will tell.
      if (mayRehearse())
        rehearsing = rehearse({
          ...rehearsal,
          allow: allow.current,
          isReminder,
          signal: ending.signal,
        }).catch(() => {});
    };
    const mayRehearse = (): boolean =>
      settings.mode === "block" && isSwift(respond.backend) && !isPanicked(settings.storeDirectory);
    let beginning: NodeJS.Timeout | undefined;
    let reminding: NodeJS.Timeout | undefined;
    const remind = (inMs: number): void => {
      reminding = setTimeout(() => {
        remind(REMIND_MS);
        play(true);
      }, inMs).unref();
    };
    allow.start();
    try {
      await responder.restore();
      beginning = setTimeout(() => play(false), REHEARSE_AFTER_MS).unref();
      remind(FIRST_REMINDER_MS);
    } catch (error) {
      followFacts[Symbol.dispose]();
      allow.close();
      await responder.close();
      throw error;
    }
    // `telltale block` and `unblock` run beside the guard: what they did and wrote down is taken up here.
    const own = new Set<string>();
    let seq = store.lastSeq();
    let braked = false;
    const followBrake = async (): Promise<void> => {
      const on = isPanicked(settings.storeDirectory);
      if (on === braked || settings.mode !== "block") return;
      braked = on;
      responder.setMode(on ? "observe" : "block");
      markMode(store, on ? "observe" : "block");
      if (!on) {
        await responder.restore();
        bus.emit({
          type: "part.recovered",
          part: "respond",
          how: "telltale panic has ended: scanners are locked out again",
        });
        return;
      }
      let letIn = "everybody is let in";
      // Its next block would find the table gone, and make it again.
      ending.abort();
      await rehearsing;
      ending = new AbortController();
      try {
        await responder.liftAll();
      } catch (error) {
        letIn = `not everybody could be let in (${describeError(error)})`;
      }
      bus.emit({
        type: "part.failed",
        part: "respond",
        why: `telltale panic: ${letIn}, nobody is blocked any more`,
        mend: "telltale panic --end",
        stillRuns: "scans are detected and reported",
      });
    };
    let isBehind = false;
    let more: NodeJS.Timeout | undefined;
    const takeUp = (): void => {
      clearTimeout(more);
      if (!isBehind && !store.changedElsewhere()) {
        // Whatever was written is our own. What still waits to be written must not be met later as somebody else's.
        if (!bus.flush()) return;
        const last = store.lastSeq();
        // Asked again, because somebody may have written since: that must not be passed over as our own.
        if (!store.changedElsewhere()) {
          seq = last;
          own.clear();
          return;
        }
      }
      const types = ["block.lifted", "block.applied"];
      const found = store.eventsSince(seq, { types, limit: TAKEN_UP_AT_ONCE });
      isBehind = found.length === TAKEN_UP_AT_ONCE;
      if (isBehind) more = setTimeout(takeUp, NEXT_PAGE_MS);
      for (const { seq: at, event } of found) {
        seq = at;
        if (own.delete(event.id)) continue;
        if (event.type === "block.lifted") responder.believeLifted(event.target);
        else if (event.type === "block.applied") responder.believeBlocked(event);
        bus.publish([event]);
        own.delete(event.id);
      }
    };
    const follow = whenChanged(settings.storeDirectory, () => {
      takeUp();
      void followBrake();
    });
    const hear = (event: Event): void => {
      if (event.type === "scan.detected") void responder.onFinding(event);
      if (event.type === "block.lifted" || event.type === "block.applied") own.add(event.id);
    };
    // Where the kernel has blocked already, saying so comes first; else no word is as urgent as the block.
    const unsubscribe = bus.subscribe(hear, respond.kernel ? "hears" : "acts");
    markMode(store, settings.mode);
    return {
      describe: () => {
        const { guards, unread } = facts.current();
        const never = [...new Set(guards.map((guard) => guard.because.replace(/ (of|on|in) .*/, "")))];
        const missing =
          unread.length === 0 ? "" : `; could not read ${unread.map(({ what }) => what).join(", ")}`;
        return [
          responder.describe(),
          `never blocked: ${guards.length + allow.guards.length} addresses and networks (${[...never, ...(allow.guards.length > 0 ? ["allow list"] : [])].join(", ")})${missing}`,
        ];
      },
      outlook: () => ({ blocksInForce: responder.inForce }),
      ...(backend.packets !== undefined && { packetsOf: packetCounter(backend) }),
      stop: async () => {
        follow[Symbol.dispose]();
        followFacts[Symbol.dispose]();
        clearTimeout(more);
        clearTimeout(beginning);
        clearTimeout(reminding);
        ending.abort();
        await rehearsing;
        unsubscribe();
        allow.close();
        await responder.close();
      },
    };
  },
};

// The others start a program for each block, which takes longer than any code of ours; some start the administrator's own.
const isSwift = (backend: string): boolean => backend === "nftables";

// Calls `look` soon after something in the directory has changed, however much does, and every few seconds in any case.
function whenChanged(directory: string, look: () => void): Disposable {
  let soon: NodeJS.Timeout | null = null;
  const lookNow = (): void => {
    soon = null;
    look();
  };
  let watcher: FSWatcher | null = null;
  let slow: Disposable | undefined;
  const lookEvery = (ms: number): void => {
    slow?.[Symbol.dispose]();
    slow = every(ms, look);
  };
  lookEvery(SLOW_FOLLOW_MS);
  try {
    watcher = watch(directory, { persistent: false }, () => {
      soon ??= setTimeout(lookNow, FOLLOW_MS);
    });
    lookEvery(MISSED_MS);
    watcher.on("error", () => {
      watcher?.close();
      lookEvery(SLOW_FOLLOW_MS); // The directory has gone.
    });
  } catch {
    // No watches are left (fs.inotify.max_user_watches): the slow look goes on.
  }
  return {
    [Symbol.dispose]: () => {
      watcher?.close();
      slow?.[Symbol.dispose]();
      if (soon !== null) clearTimeout(soon);
    },
  };
}

function unusableEntry(file: string, entry: string, why: string): ConfigFault {
  return {
    file,
    line: 0,
    key: "respond.allow",
    message: `"${entry}" ${why}`,
    mend: "see whether the name is right and DNS answers; telltale guardrails shows what is protected now",
    consequence: "what it last resolved to stays protected for a week",
  };
}
