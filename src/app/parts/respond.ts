// Scans become verdicts and, in block mode, blocks.
import { PrefixSet, parsePrefix } from "../../core/address.ts";
import type { Event } from "../../core/events.ts";
import { NftablesBackend } from "../../respond/backends/nftables.ts";
import { RecordBackend } from "../../respond/backends/record.ts";
import { HostFactsReader } from "../../respond/facts.ts";
import { Responder } from "../../respond/responder.ts";
import type { PartContext, PartDefinition } from "../part.ts";
import { markMode } from "../reporting.ts";

// How soon a lift by another process is known here.
const FOLLOW_MS = 500;

export const respondPart: PartDefinition = {
  name: "respond",
  stillRuns: "scans are detected and reported, but nobody is blocked; blocks in force stay",
  async start({ settings, store, bus, clock }: PartContext) {
    const { respond, sentry } = settings.config;
    const facts = new HostFactsReader({ ignoreFiles: [], clock });
    const responder = new Responder({
      mode: settings.mode,
      blockMs: respond.block_for,
      maxPerMinute: respond.max_blocks_per_minute,
      maxInForce: respond.max_blocks,
      // Whom the sentry does not count the kernel must not count either.
      allow: new PrefixSet([...settings.allow, ...sentry.ignore.map((text) => parsePrefix(text)!)]),
      backend: settings.mode === "block" ? new NftablesBackend() : new RecordBackend(),
      tripwire: respond.kernel
        ? { ports: settings.tripwires, maxPerMinute: respond.max_blocks_per_minute }
        : false,
      history: store.blocks,
      facts: () => facts.current(),
      emit: bus.emit,
      clock,
    });
    try {
      await responder.restore();
    } catch (error) {
      await responder.close();
      throw error;
    }
    // `telltale unblock` runs beside the guard: what it lifted and wrote down is taken up here.
    const own = new Set<string>();
    let seq = store.lastSeq();
    const takeUpLifts = (): void => {
      for (const { seq: at, event } of store.eventsSince(seq, { types: ["block.lifted"] })) {
        seq = at;
        if (event.type !== "block.lifted" || own.delete(event.id)) continue;
        responder.believeLifted(event.target);
        bus.publish([event]);
      }
    };
    const follow = setInterval(takeUpLifts, FOLLOW_MS);
    const unsubscribe = bus.subscribe((event: Event) => {
      if (event.type === "scan.detected") void responder.onFinding(event);
      if (event.type === "block.lifted") own.add(event.id);
    });
    markMode(store, settings.mode);
    return {
      describe: () => {
        const { guards, unread } = facts.current();
        const never = [...new Set(guards.map((guard) => guard.because.replace(/ (of|on|in) .*/, "")))];
        const missing =
          unread.length === 0 ? "" : `; could not read ${unread.map(({ what }) => what).join(", ")}`;
        return [
          responder.describe(),
          `never blocked: ${guards.length + settings.allow.length} addresses and networks (${[...never, ...(settings.allow.length > 0 ? ["allow list"] : [])].join(", ")})${missing}`,
        ];
      },
      stop: async () => {
        clearInterval(follow);
        unsubscribe();
        await responder.close();
      },
    };
  },
};
