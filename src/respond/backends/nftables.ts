// Blocks in the kernel's nftables, in a table of telltale's own. Nobody else's table is read or written.
import { bytesOfAddress, formatPrefix, type Prefix } from "../../core/address.ts";
import { describeError } from "../../core/errors.ts";
import { type Nftables, type NftablesOptions, NftError, openNftables } from "../../sys/nftables.ts";
import { NftablesTable } from "../../sys/nftables-table.ts";
import { type Backend, BackendEars, type BackendTraits, type ChangeResult } from "../backend.ts";
import type { HeldBlock } from "../plan.ts";
import type { FirewallChange } from "../types.ts";
import { ConntrackSweep } from "./conntrack.ts";
import { ORDER_MARK, watchTable } from "./nftables-watch.ts";
import {
  allowScript,
  changesScript,
  heldBlock,
  removeScript,
  type SetKey,
  setKeyNamed,
  setKeyOf,
  setName,
  TABLE,
  tableScript,
  USUAL_SETS,
} from "./ruleset.ts";
import { hearTouches } from "./tripwire-log.ts";
import {
  disarmScript,
  LOG_GROUP,
  pardonScript,
  SNAP_BYTES,
  spareScript,
  type TripwireOptions,
  tripwireScript,
} from "./tripwire-rules.ts";

// A transaction of this many elements takes about 10 ms; between two the event loop runs.
const ELEMENTS_PER_SCRIPT = 2_000;

const LISTINGS = 5;
const RESIZE_MS = 20;

// Seen by a guard that watches: what follows is an order, not an accident. A transaction of its own, because of
// what is made and removed within one the kernel need not tell.
const ORDER_SCRIPT = `add table ${TABLE}\nadd set ${TABLE} ${ORDER_MARK} { type ipv4_addr; }\n`;

// At the end of the program a table that somebody else has removed needs no disarming.
const NOTHING_MORE_TO_DO = () => {};

const MEND_REFUSED = "see `nft list table inet telltale`; the guard needs root or CAP_NET_ADMIN";

export type NftablesBackendOptions = NftablesOptions & {
  /** Beside a guard: a table that stands is the guard's, and stays as it is. */
  readonly beside?: boolean;
};

export class NftablesBackend implements Backend {
  readonly name = "nftables";
  readonly #options: NftablesBackendOptions;
  readonly #ears = new BackendEars();
  #watch: Disposable | undefined;
  readonly #table = new NftablesTable(TABLE.split(" ")[1]!);
  #nft: Nftables | undefined;
  #keys: SetKey[] = [...USUAL_SETS];
  #allow: readonly Prefix[] = [];
  readonly #sweep = new ConntrackSweep();
  // What the chains are like when nobody has touched them.
  #chain = "";
  #tripwire: { readonly options: TripwireOptions; readonly ear: Disposable } | undefined;

  constructor(options: NftablesBackendOptions = {}) {
    this.#options = options;
  }

  async open(): Promise<BackendTraits> {
    this.#nft ??= openNftables(this.#options);
    this.#knowWhatIsThere();
    const standing = this.#fingerprint();
    if (this.#options.beside === true && standing !== "") this.#chain = standing;
    else await this.#build();
    return { what: `table ${TABLE}, through ${this.#nft.via}`, throttles: true, tripwire: true };
  }

  async setAllow(prefixes: readonly Prefix[]): Promise<void> {
    this.#allow = prefixes;
    try {
      await this.#run(allowScript(prefixes));
    } catch (error) {
      if (!(error instanceof NftError)) throw error;
      await this.#build(); // The table is gone, and is made again with the allow list in it.
    }
  }

  async apply(changes: readonly FirewallChange[]): Promise<ChangeResult[]> {
    const results: ChangeResult[] = [];
    for (let at = 0; at < changes.length; at += ELEMENTS_PER_SCRIPT) {
      results.push(...(await this.#applyScript(changes.slice(at, at + ELEMENTS_PER_SCRIPT))));
    }
    return results;
  }

  async held(): Promise<HeldBlock[]> {
    const out: HeldBlock[] = [];
    for (const name of this.#table.sets()) {
      const key = setKeyNamed(name);
      if (key !== null) for (const block of await this.#heldIn(key)) out.push(block);
    }
    return out;
  }

  // While the kernel resizes a hash table after many insertions, a dump can name one element twice and another not at all
  // (measured: 3 % of 100,000); one without repetitions and interruptions is whole.
  async #heldIn(key: SetKey): Promise<HeldBlock[]> {
    for (let left = LISTINGS; ; left--) {
      const seen = new Map<string, HeldBlock>();
      let count = 0;
      let whole = true;
      for (const { elements, interrupted } of this.#table.elements(setName(key))) {
        whole &&= !interrupted;
        for (const element of elements) {
          const block = heldBlock(key, element);
          seen.set(block.target.base, block);
          count++;
        }
        await nextTurn();
      }
      if ((whole && seen.size === count) || left <= 1) return [...seen.values()];
      await new Promise((resolve) => setTimeout(resolve, RESIZE_MS));
    }
  }

  #packetsStopped(lifted: readonly Extract<FirewallChange, { do: "lift" }>[]): ReadonlyMap<string, number> {
    const bySet = new Map<string, Prefix[]>();
    for (const { target, throttled } of lifted) {
      const name = setName(setKeyOf(target, throttled));
      const group = bySet.get(name);
      if (group === undefined) bySet.set(name, [target]);
      else group.push(target);
    }
    const counts = new Map<string, number>();
    for (const [name, targets] of bySet) {
      const packets = this.#table.packets(
        name,
        targets.map(({ base }) => bytesOfAddress(base)),
      );
      for (const [i, target] of targets.entries()) counts.set(formatPrefix(target), packets[i] ?? 0);
    }
    return counts;
  }

  async intact(): Promise<boolean> {
    return this.#fingerprint() === this.#chain;
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
      const changes = (await this.#heldIn(key)).map(
        ({ target, leftMs }): FirewallChange => ({
          do: "block",
          target,
          forMs: leftMs ?? 60_000,
          throttled: true,
        }),
      );
      for (let at = 0; at < changes.length; at += ELEMENTS_PER_SCRIPT) {
        const script = spareScript(changes.slice(at, at + ELEMENTS_PER_SCRIPT));
        if (script !== "") await this.#run(script);
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

  async pardon(targets: readonly Prefix[]): Promise<void> {
    const script = this.#tripwire === undefined ? "" : pardonScript(targets);
    if (script === "") return;
    try {
      await this.#run(script);
    } catch {
      // Somebody has taken the sets away: then nothing is held against anybody any more.
    }
  }

  async clear(): Promise<void> {
    await this.#run(ORDER_SCRIPT);
    await this.#run(removeScript());
    this.#keys = [...USUAL_SETS];
  }

  async close(): Promise<void> {
    this.#sweep.close();
    this.#watch?.[Symbol.dispose]();
    this.#watch = undefined;
    if (this.#tripwire !== undefined) await this.disarm().catch(NOTHING_MORE_TO_DO);
    await this.#nft?.close();
    this.#nft = undefined;
  }

  async #run(script: string): Promise<string> {
    this.#nft ??= openNftables(this.#options);
    return this.#nft.run(script);
  }

  #fingerprint(): string {
    return this.#table.fingerprint(
      this.#tripwire === undefined ? ["prerouting"] : ["prerouting", "tripwire", "answers"],
    );
  }

  #knowWhatIsThere(): void {
    for (const name of this.#table.sets()) {
      const key = setKeyNamed(name);
      if (key !== null) this.#know(key);
    }
  }

  async #build(): Promise<void> {
    const tripwire = this.#tripwire === undefined ? "" : tripwireScript(this.#tripwire.options);
    const script = tableScript(this.#keys) + tripwire + allowScript(this.#allow);
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
      await this.#run(removeScript() + script + this.#script(kept));
    }
    this.#chain = this.#fingerprint();
  }

  #script(changes: readonly FirewallChange[]): string {
    const spare = this.#tripwire === undefined ? "" : spareScript(changes);
    return changesScript(changes, (key) => this.#knows(key)) + spare;
  }

  #knows(key: SetKey): boolean {
    return this.#keys.some((known) => setName(known) === setName(key));
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
    this.#keys.push(key);
    return true;
  }

  async #applyScript(changes: readonly FirewallChange[]): Promise<ChangeResult[]> {
    try {
      // No waiting where there is nothing to wait for: a single block reaches the kernel within this very call.
      if (!changes.every((change) => this.#hasSetFor(change))) await this.#makeSetsFor(changes);
      const known = changes.filter((change) => this.#hasSetFor(change));
      const lifted = known.filter((change) => change.do === "lift");
      const counts = this.#packetsStopped(lifted);
      if (known.length > 0) await this.#run(this.#script(known));
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
    const before = this.#keys.length;
    for (const change of missing) if (change.do === "block") this.#know(keyOf(change));
    if (this.#keys.length === before) return;
    try {
      await this.#build();
    } catch (error) {
      // A kernel before 5.12 knows no rate beside a counter: that must not cost the others their block.
      this.#keys.length = before;
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
        await this.#build();
        await this.#run(this.#script(changes));
        return [done(change, 0)];
      } catch (again) {
        return [failed(change, again)];
      }
    }
    if (!(error instanceof NftError)) return changes.map((each) => failed(each, error));
    const half = changes.length >> 1;
    return [
      ...(await this.#applyScript(changes.slice(0, half))),
      ...(await this.#applyScript(changes.slice(half))),
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
  return { change, why: describeError(error), mend: MEND_REFUSED, packetsStopped: 0 };
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
