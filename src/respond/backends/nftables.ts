// Blocks in the kernel's nftables, in a table of telltale's own. Nobody else's table is read or written.
import { bytesOfAddress, formatPrefix, type Prefix } from "../../core/address.ts";
import { describeError, SystemCallError } from "../../core/errors.ts";
import { type Nftables, type NftablesOptions, NftError, openNftables } from "../../sys/nftables.ts";
import { NftablesElements } from "../../sys/nftables-elements.ts";
import { NftablesTable } from "../../sys/nftables-table.ts";
import { type Backend, BackendEars, type BackendTraits, type ChangeResult } from "../backend.ts";
import type { AskedBlock } from "../packets.ts";
import type { HeldBlock } from "../plan.ts";
import type { FirewallChange } from "../types.ts";
import { ConntrackSweep } from "./conntrack.ts";
import { EARLY_CHAIN, type EarlyOptions, earlyEndScript, earlyScript } from "./early-rules.ts";
import { blocksCovering, heldBlocks, heldIn, packetsStopped } from "./nftables-held.ts";
import { ORDER_MARK, watchTable } from "./nftables-watch.ts";
import {
  allowScript,
  elementSteps,
  MAX_ELEMENTS,
  removeScript,
  type SetKey,
  setId,
  setKeyNamed,
  setKeyOf,
  setName,
  TABLE,
  tableScript,
  USUAL_SETS,
} from "./ruleset.ts";
import { hearTouches, type TouchEar } from "./tripwire-log.ts";
import {
  disarmScript,
  LOG_GROUP,
  pardonSteps,
  SNAP_BYTES,
  spareSteps,
  type TripwireOptions,
  tripwireScript,
} from "./tripwire-rules.ts";

// A transaction of this many elements takes some milliseconds; between two the event loop runs.
const ELEMENTS_PER_TURN = 2_000;

const TABLE_NAME = TABLE.split(" ")[1]!;
// Seen by a guard that watches: what follows is an order, not an accident. A transaction of its own, because of
// what is made and removed within one the kernel need not tell.
const ORDER_SCRIPT = `add table ${TABLE}\nadd set ${TABLE} ${ORDER_MARK} { type ipv4_addr; }\n`;

// At the end of the program a table that somebody else has removed needs no disarming.
const NOTHING_MORE_TO_DO = () => {};

const MEND_REFUSED = "see `nft list table inet telltale`; the guard needs root or CAP_NET_ADMIN";

export type NftablesBackendOptions = NftablesOptions & {
  /** Beside a guard: a table that stands is the guard's, and stays as it is. */
  readonly beside?: boolean;
  /** Who may name sources that the kernel blocks before the order for it has arrived; nobody when left out. */
  readonly early?: EarlyOptions;
};

export class NftablesBackend implements Backend {
  readonly name = "nftables";
  readonly #options: NftablesBackendOptions;
  readonly #ears = new BackendEars();
  #watch: Disposable | undefined;
  readonly #table = new NftablesTable(TABLE_NAME);
  readonly #elements = new NftablesElements(TABLE_NAME);
  #nft: Nftables | undefined;
  #keys: SetKey[] = [...USUAL_SETS];
  #known = new Set(USUAL_SETS.map(setId));
  #allow: readonly Prefix[] = [];
  readonly #sweep = new ConntrackSweep();
  // What the chains are like when nobody has touched them.
  #chain = "";
  // Somebody took the table away, and a block has made it again since: without the blocks that it held.
  #isTorn = false;
  #tripwire: { readonly options: TripwireOptions; readonly ear: TouchEar } | undefined;

  constructor(options: NftablesBackendOptions = {}) {
    this.#options = options;
  }

  async open(): Promise<BackendTraits> {
    this.#nft ??= openNftables(this.#options);
    this.#knowWhatIsThere();
    const standing = this.#fingerprint();
    if (this.#options.beside === true && standing !== "") this.#chain = standing;
    else await this.#build();
    this.#isTorn = false;
    return { what: `table ${TABLE}, through ${this.#nft.via}`, throttles: true, tripwire: true };
  }

  async setAllow(prefixes: readonly Prefix[]): Promise<void> {
    this.#allow = prefixes;
    try {
      await this.#run(allowScript(prefixes));
    } catch (error) {
      if (!(error instanceof NftError)) throw error;
      await this.#rebuild(); // The table is gone, and is made again with the allow list in it.
    }
  }

  async apply(changes: readonly FirewallChange[]): Promise<ChangeResult[]> {
    const results: ChangeResult[] = [];
    for (let at = 0; at < changes.length; at += ELEMENTS_PER_TURN) {
      if (at > 0) await nextTurn();
      results.push(...(await this.#applySome(changes.slice(at, at + ELEMENTS_PER_TURN))));
    }
    return results;
  }

  async held(covering?: Prefix): Promise<HeldBlock[]> {
    return covering === undefined ? await heldBlocks(this.#table) : blocksCovering(this.#table, covering);
  }

  async packets(blocks: readonly AskedBlock[]): Promise<readonly number[]> {
    const counts = packetsStopped(this.#table, blocks);
    return blocks.map(({ target }) => counts.get(formatPrefix(target)) ?? 0);
  }

  async intact(): Promise<boolean> {
    return !this.#isTorn && this.#fingerprint() === this.#chain;
  }

  subscribe(listener: Parameters<BackendEars["subscribe"]>[0]): Disposable {
    return this.#ears.subscribe(listener);
  }

  async watch(): Promise<boolean> {
    this.#watch ??= watchTable(this.#table.name, (on) => this.#ears.tell({ on }));
    return true;
  }

  async arm(options: TripwireOptions): Promise<void> {
    this.#tripwire?.ear[Symbol.dispose]();
    const ear = hearTouches(
      LOG_GROUP,
      SNAP_BYTES,
      (touch) => this.#ears.tell({ on: "touch", touch }),
      (why) => this.#ears.tell({ on: "deaf", why }),
    );
    this.#tripwire = { options, ear };
    try {
      await this.#build();
      await this.#spareTheSlowed();
    } catch (error) {
      this.#tripwire = undefined;
      ear[Symbol.dispose]();
      throw error;
    }
  }

  // Those whom an earlier run slowed down; later ones are spared as they are slowed down.
  async #spareTheSlowed(): Promise<void> {
    for (const key of this.#keys.filter(({ slow }) => slow === true)) {
      const changes = (await heldIn(this.#table, key)).map(
        ({ target, leftMs }): FirewallChange => ({
          do: "block",
          target,
          forMs: leftMs ?? 60_000,
          throttled: true,
        }),
      );
      for (let at = 0; at < changes.length; at += ELEMENTS_PER_TURN) {
        this.#elements.change(spareSteps(changes.slice(at, at + ELEMENTS_PER_TURN)));
      }
    }
  }

  async disarm(): Promise<void> {
    this.#tripwire?.ear[Symbol.dispose]();
    this.#tripwire = undefined;
    if (this.#table.fingerprint(["tripwire"]) === "") return;
    await this.#run(disarmScript());
    this.#chain = this.#fingerprint();
  }

  handTouches(): number | null {
    return this.#tripwire?.ear.handOver() ?? null;
  }

  async pardon(targets: readonly Prefix[]): Promise<void> {
    if (this.#tripwire === undefined) return;
    try {
      this.#elements.change(pardonSteps(targets));
    } catch {
      // Somebody has taken the sets away: then nothing is held against anybody any more.
    }
  }

  async clear(): Promise<void> {
    await this.#run(ORDER_SCRIPT);
    await this.#run(removeScript());
    this.#keep(USUAL_SETS);
  }

  async close(): Promise<void> {
    this.#sweep.close();
    this.#watch?.[Symbol.dispose]();
    this.#watch = undefined;
    if (this.#tripwire !== undefined) await this.disarm().catch(NOTHING_MORE_TO_DO);
    await this.#endEarly().catch(NOTHING_MORE_TO_DO);
    this.#elements.close();
    this.#table.close();
    await this.#nft?.close();
    this.#nft = undefined;
  }

  async #endEarly(): Promise<void> {
    if (this.#options.early === undefined || this.#table.fingerprint([EARLY_CHAIN]) === "") return;
    await this.#run(earlyEndScript());
  }

  async #run(script: string): Promise<string> {
    this.#nft ??= openNftables(this.#options);
    return this.#nft.run(script);
  }

  #fingerprint(): string {
    return this.#table.fingerprint([
      "prerouting",
      ...(this.#tripwire === undefined ? [] : ["tripwire", "answered"]),
      ...(this.#options.early === undefined ? [] : [EARLY_CHAIN]),
    ]);
  }

  #knowWhatIsThere(): void {
    for (const name of this.#table.sets()) {
      const key = setKeyNamed(name);
      if (key !== null) this.#know(key);
    }
  }

  async #build(): Promise<void> {
    const tripwire = this.#tripwire === undefined ? "" : tripwireScript(this.#tripwire.options);
    const early = this.#options.early === undefined ? "" : earlyScript(this.#options.early);
    const script = tableScript(this.#keys) + tripwire + early + allowScript(this.#allow);
    try {
      await this.#run(script);
    } catch (error) {
      if (!(error instanceof NftError)) throw error;
      // A table that another version left behind cannot be changed into this one: replace it, with its blocks.
      const kept = (await this.held()).map(
        ({ target, leftMs, packetsStopped, throttled = false }): FirewallChange => ({
          do: "block",
          target,
          forMs: leftMs ?? 60_000,
          packetsStopped,
          throttled,
        }),
      );
      await this.#run(removeScript() + script);
      for (let at = 0; at < kept.length; at += ELEMENTS_PER_TURN)
        this.#changeElements(kept.slice(at, at + ELEMENTS_PER_TURN));
    }
    this.#chain = this.#fingerprint();
  }

  // For a single block. That the others are missing has still to be noticed: whole again is the table once it was opened.
  async #rebuild(): Promise<void> {
    if (this.#fingerprint() !== this.#chain) this.#isTorn = true;
    await this.#build();
  }

  #changeElements(changes: readonly FirewallChange[]): void {
    const spare = this.#tripwire === undefined ? [] : spareSteps(changes);
    this.#elements.change([...elementSteps(changes, (key) => this.#knows(key)), ...spare]);
  }

  #knows(key: SetKey): boolean {
    return this.#known.has(setId(key));
  }

  // A lift may find its target in either set.
  #hasSetFor(change: FirewallChange): boolean {
    if (change.do === "block") return this.#knows(keyOf(change));
    return this.#knows(setKeyOf(change.target)) || this.#knows(setKeyOf(change.target, true));
  }

  #holds({ target }: FirewallChange): boolean {
    const key = [bytesOfAddress(target.base)];
    return [false, true].some(
      (slow) => this.#table.packets(setName(setKeyOf(target, slow)), key)[0] !== null,
    );
  }

  #know(key: SetKey): boolean {
    if (this.#knows(key)) return false;
    this.#keep([...this.#keys, key]);
    return true;
  }

  #keep(keys: readonly SetKey[]): void {
    this.#keys = [...keys];
    this.#known = new Set(keys.map(setId));
  }

  async #applySome(changes: readonly FirewallChange[]): Promise<ChangeResult[]> {
    try {
      // No waiting where there is nothing to wait for: a single block reaches the kernel within this very call.
      if (!changes.every((change) => this.#hasSetFor(change))) await this.#makeSetsFor(changes);
      const known = changes.filter((change) => this.#hasSetFor(change));
      const lifted = known.filter((change) => change.do === "lift");
      const counts = packetsStopped(this.#table, lifted);
      this.#changeElements(known);
      this.#sweep.forget(known.filter(isNewBlock).map(({ target }) => target));
      await this.pardon(lifted.map(({ target }) => target));
      return changes.map((change) => done(change, counts.get(formatPrefix(change.target)) ?? 0));
    } catch (error) {
      return this.#recover(changes, error);
    }
  }

  // A block may need a set for a new prefix length. A lift never makes anything: a process that only lifts must not put
  // its own idea of the table over the guard's. What has no set is not blocked.
  async #makeSetsFor(changes: readonly FirewallChange[]): Promise<void> {
    const missing = changes.filter((change) => !this.#hasSetFor(change));
    if (missing.length === 0) return;
    this.#knowWhatIsThere();
    const before = this.#keys;
    for (const change of missing) if (change.do === "block") this.#know(keyOf(change));
    if (this.#keys === before) return;
    try {
      await this.#rebuild();
    } catch (error) {
      // A kernel before 5.12 knows no rate beside a counter: that must not cost the others their block.
      this.#keep(before);
      throw error;
    }
  }

  // Somebody may have removed the table: make it again, once. Then find the change that is refused by halving,
  // so that one bad element does not cost the others their block.
  async #recover(changes: readonly FirewallChange[], error: unknown): Promise<ChangeResult[]> {
    const [change] = changes;
    if (changes.length === 1 && change !== undefined) {
      try {
        if (change.do === "lift") {
          return [this.#holds(change) ? failed(change, error) : done(change, 0)];
        }
        await this.#rebuild();
        this.#changeElements(changes);
        return [done(change, 0)];
      } catch (again) {
        return [failed(change, again)];
      }
    }
    if (isForbidden(error)) return changes.map((each) => failed(each, error));
    const half = changes.length >> 1;
    return [
      ...(await this.#applySome(changes.slice(0, half))),
      ...(await this.#applySome(changes.slice(half))),
    ];
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function done(change: FirewallChange, packetsStopped: number): ChangeResult {
  return { change, why: null, mend: "", packetsStopped };
}

function failed(change: FirewallChange, error: unknown): ChangeResult {
  return { change, why: wordsFor(error), mend: MEND_REFUSED, packetsStopped: 0 };
}

// The kernel says all of this with numbers that were made for files.
function wordsFor(error: unknown): string {
  if (!(error instanceof SystemCallError)) return describeError(error);
  switch (error.code) {
    case "ENFILE":
      return `the set is full: it holds ${MAX_ELEMENTS} elements`;
    case "ENOENT":
      return "the set is not there any more";
    case "EPERM":
      return "this process may not change the firewall (EPERM)";
    default:
      return `nftables: ${describeError(error)}`;
  }
}

function isForbidden(error: unknown): boolean {
  return error instanceof SystemCallError && error.code === "EPERM";
}

// Blocks that are put back after a restart had their connections forgotten when they were made; who is slowed down keeps
// them.
function isNewBlock(change: FirewallChange): boolean {
  return change.do === "block" && change.fresh !== true && change.throttled !== true;
}

function keyOf(change: FirewallChange): SetKey {
  return setKeyOf(change.target, change.throttled);
}

/**
 * Lifts everything telltale has put into nftables, by deleting its table. Needs no guard, no store and no
 * configuration: the way out when all else is broken.
 * @throws MissingPartError without nftables, NftError when the kernel refuses
 */
export async function liftAllTelltale(options: NftablesOptions = {}): Promise<void> {
  const nft = openNftables(options);
  try {
    await nft.run(ORDER_SCRIPT);
    await nft.run(removeScript());
  } finally {
    await nft.close();
  }
}
