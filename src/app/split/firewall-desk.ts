// The firewall, as the warden grants it: whatever the listener asks for is read again from its raw values and held
// against the guardrails as this process reads them, so that a listener in a stranger's hands can lift blocks, and
// block strangers, so many a minute, and nothing else.
import { type Prefix, parsePrefix } from "../../core/address.ts";
import { systemClock } from "../../core/clock.ts";
import { BACKEND_CALLS, type Backend, type BackendEvent } from "../../respond/backend.ts";
import type { HostFactsReader } from "../../respond/facts.ts";
import { allGuards, refuseBlock, tooWide, WIDEST_BY_HAND } from "../../respond/guardrails.ts";
import { packetCounter } from "../../respond/packets.ts";
import { isRehearsed } from "../../respond/rehearse.ts";
import type { FirewallChange } from "../../respond/types.ts";
import { MalformedRequest } from "../../warden/requests/parse.ts";
import { Handover, Refused } from "../../warden/server.ts";
import { makeBackend } from "../firewall.ts";
import { isPanicked } from "../panic.ts";
import { allowedBy } from "../protected.ts";
import type { Settings } from "../settings.ts";
import { BlockQuota, hardestRate } from "./block-quota.ts";
import { readAsked, readChanges, writeHeld } from "./block-text.ts";
import { DONE, type Outcome } from "./outcome.ts";

type Call = (typeof BACKEND_CALLS)[number];

// respond.cap grows a block to weeks; a year is for ever.
const LONGEST_MS = 366 * 86_400_000;
const MAX_CHANGES = 100_000;
const MAX_PREFIXES = 100_000;

export class FirewallDesk {
  readonly #facts: HostFactsReader;
  readonly #tell: (event: BackendEvent) => void;
  readonly #onRefused: (why: string) => void;
  #settings: Settings;
  readonly #listenerUid: number;
  #backend: Backend | null = null;
  readonly #quota = new BlockQuota(systemClock);
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    settings: Settings,
    listenerUid: number,
    facts: HostFactsReader,
    tell: (event: BackendEvent) => void,
    onRefused: (why: string) => void,
  ) {
    this.#settings = settings;
    this.#listenerUid = listenerUid;
    this.#facts = facts;
    this.#tell = tell;
    this.#onRefused = onRefused;
  }

  setSettings(settings: Settings): void {
    this.#settings = settings;
  }

  /**
   * Carries out one call, after those that came before it.
   * @throws MalformedRequest, Refused, and what the backend throws
   */
  call(name: string, args: readonly unknown[]): Promise<unknown> {
    if (!(BACKEND_CALLS as readonly string[]).includes(name))
      throw new MalformedRequest("no call of a firewall");
    const call = name as Call;
    const wanted = { setAllow: 1, apply: 1, arm: 1, pardon: 1, packets: 1 }[call as string] ?? 0;
    if (args.length !== wanted) throw new MalformedRequest(`${call} wants ${wanted} arguments`);
    const work = this.#prepare(call, args);
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {}); // Whoever asked hears of it; the next call has its own turn.
    return result;
  }

  /** The listener has gone: handles are let go of, blocks stay in force. */
  async release(): Promise<void> {
    await this.#turn;
    await this.#close().catch(() => {}); // Nobody uses it any more, and the blocks are the kernel's.
  }

  async #close(): Promise<void> {
    const backend = this.#backend;
    this.#backend = null;
    // From now on nobody hears what becomes of the firewall.
    this.#quota.disturbed();
    await backend?.close();
  }

  // Read at once, so that a malformed call ends the conversation before anything later in it is looked at.
  #prepare(call: Call, args: readonly unknown[]): () => Promise<unknown> {
    switch (call) {
      case "setAllow": {
        const prefixes = prefixesOf(args[0]);
        return () => this.#open().setAllow([...prefixes, ...this.#neverBlocked()]);
      }
      case "pardon": {
        const prefixes = prefixesOf(args[0]);
        return () => this.#open().pardon(prefixes);
      }
      case "apply": {
        const changes = readChanges(args[0], MAX_CHANGES, LONGEST_MS);
        return () => this.#apply(changes);
      }
      case "packets": {
        const blocks = readAsked(args[0], MAX_CHANGES);
        return () => packetCounter(this.#open())(blocks);
      }
      case "arm":
        // What arms it stands in the configuration; the listener only says when.
        return async () => {
          this.#mustBlock();
          const { respond, sentry } = this.#settings.config;
          if (!respond.kernel) throw new Refused("respond.kernel = false");
          await this.#open().arm({
            ports: this.#settings.tripwires,
            excludedPorts: sentry.exclude_ports,
            maxPerMinute: respond.max_blocks_per_minute,
          });
        };
      case "open":
        return async () => {
          this.#mustBlock();
          const traits = await this.#open().open();
          await this.#open().setAllow(this.#neverBlocked());
          return traits;
        };
      case "close":
        return () => this.#close();
      case "clear":
        return async () => {
          await this.#open().clear();
          this.#quota.cleared();
        };
      case "held":
        return async () => {
          const held = await this.#open().held();
          this.#quota.counted(held.map(({ leftMs }) => leftMs));
          return writeHeld(held);
        };
      default:
        return async () => await this.#open()[call]();
    }
  }

  /**
   * What the tripwire tells, for the listener to read by itself; after the calls that came before.
   * @throws Refused when it is not armed, or somebody reads it already
   */
  async touches(): Promise<Handover> {
    await this.#turn;
    const fd = this.#backend?.handTouches?.() ?? null;
    if (fd === null) throw new Refused("the tripwire tells nothing that is still to be handed over");
    return new Handover(fd);
  }

  /** A listener has started everything. */
  running(): void {
    this.#quota.running();
  }

  async #apply(changes: readonly FirewallChange[]): Promise<Outcome[]> {
    const facts = this.#facts.current();
    const allow = allowedBy(this.#settings).prefixes;
    const observing = this.#observing();
    const refused = new Map<FirewallChange, string>();
    const guardrails = new Map<FirewallChange, string>();
    for (const change of changes) {
      if (change.do !== "block") continue;
      const wide = observing ?? tooWide(change.target, WIDEST_BY_HAND);
      const guardrail = wide === null ? refuseBlock(change.target, facts, allow, WIDEST_BY_HAND) : null;
      const why = wide ?? guardrail;
      if (why !== null) refused.set(change, `refused by the warden: ${why}`);
      if (guardrail !== null) guardrails.set(change, guardrail);
    }
    const wanted = changes.filter(
      (change) => change.do === "block" && !refused.has(change) && !isRehearsed(change.target),
    );
    await this.#ration(wanted, refused);
    for (const why of refused.values()) this.#onRefused(why);
    const granted = changes.filter((change) => !refused.has(change));
    this.#quota.lifted(
      granted.filter((change) => change.do === "lift" && !isRehearsed(change.target)).length,
    );
    const results = granted.length === 0 ? [] : await this.#open().apply(granted);
    let next = 0;
    return changes.map((change): Outcome => {
      const because = refused.get(change);
      if (because !== undefined) {
        const guardrail = guardrails.get(change);
        const refusal = { why: because, mend: mendOf(because), packetsStopped: 0 };
        return guardrail === undefined ? refusal : { ...refusal, guardrail };
      }
      const { why, mend, packetsStopped } = results[next++]!;
      return why === null && packetsStopped === 0 ? DONE : { why, mend, packetsStopped };
    });
  }

  async #ration(wanted: readonly FirewallChange[], refused: Map<FirewallChange, string>): Promise<void> {
    const { max_blocks_per_minute: perMinute, max_blocks: inForce } = this.#settings.config.respond;
    const count = async () => (await this.#open().held()).map(({ leftMs }) => leftMs);
    const lasting = wanted.map((change) => (change.do === "block" ? change.forMs : 0));
    const { granted, why } = await this.#quota.grant(lasting, { perMinute, inForce }, count);
    for (const change of wanted.slice(granted)) refused.set(change, `refused by the warden: ${why}`);
  }

  #open(): Backend {
    if (this.#backend === null) {
      const perMinute = hardestRate(this.#settings.config.respond.max_blocks_per_minute);
      this.#backend = makeBackend(this.#settings, false, { uid: this.#listenerUid, perMinute });
      this.#backend.subscribe((event) => {
        if (event.on === "disturbed") this.#quota.disturbed();
        else if (event.on === "lifted-by-order") this.#quota.cleared();
        this.#tell(event);
      });
    }
    return this.#backend;
  }

  #neverBlocked(): Prefix[] {
    const guards = allGuards(this.#facts.current()).map(({ prefix }) => prefix);
    return [...guards, ...allowedBy(this.#settings).prefixes];
  }

  #mustBlock(): void {
    const why = this.#observing();
    if (why !== null) throw new Refused(why);
  }

  #observing(): string | null {
    if (this.#settings.mode !== "block") return "the configuration says to observe";
    return isPanicked(this.#settings.storeDirectory) ? "telltale panic is in force" : null;
  }
}

function mendOf(because: string): string {
  return because.includes("respond.max_blocks")
    ? "look at telltale blocks; respond.max_blocks and respond.max_blocks_per_minute say how many may be"
    : "see telltale guardrails";
}

function prefixesOf(value: unknown): Prefix[] {
  if (!Array.isArray(value) || value.length > MAX_PREFIXES) throw new MalformedRequest("wants prefixes");
  return value.map(prefixOfValue);
}

function prefixOfValue(value: unknown): Prefix {
  const { base, bits, ...rest } = objectOf(value);
  if (typeof base !== "string" || !Number.isInteger(bits) || Object.keys(rest).length > 0)
    throw new MalformedRequest("wants a prefix");
  const prefix = base.length > 64 || base.includes("/") ? null : parsePrefix(`${base}/${bits as number}`);
  if (prefix === null) throw new MalformedRequest("wants a prefix");
  return prefix;
}

function objectOf(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new MalformedRequest("wants an object");
  return value as Record<string, unknown>;
}
