// The allow list as people write it: addresses, networks, and names that are looked up again and again, because the
// office behind `gw.example.org` moves. DNS may lie or fall silent: what it says is capped, what it said last is kept.
import { resolve4, resolve6 } from "node:dns/promises";
import {
  type Address,
  formatPrefix,
  type Prefix,
  PrefixSet,
  parseAddress,
  parsePrefix,
} from "../core/address.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import { describeError } from "../core/errors.ts";
import { wholeAddress } from "./guardrails.ts";

export type AllowListOptions = {
  /** `192.0.2.1`, `2001:db8::/32` or `gw.example.org`. */
  readonly entries: readonly string[];
  /** Called when the list has become another one. */
  readonly onChange: (allow: PrefixSet) => void;
  /** Called once for each name when it stops resolving, and for an entry that is neither address, network nor name. */
  readonly onFault: (entry: string, why: string) => void;
  /** All addresses of a name; fails when there are none. */
  readonly resolve?: (name: string) => Promise<readonly Address[]>;
  readonly clock?: Clock;
};

// Often enough for a dynamic address, rarely enough to be nobody's burden.
const REFRESH_MS = 5 * 60_000;
// An answer is kept this long after DNS has fallen silent: an outage of DNS must not lock anybody out.
const KEEP_MS = 24 * 3_600_000;
const MAX_NAMES = 64;
// A name that allows half the internet is a mistake or an attack.
const MAX_ADDRESSES = 64;
// RFC 1123, section 2.1, with the underscore that some hosts bear.
const NAME =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?)*\.?$/i;

type Answer = { addresses: readonly Address[]; atMs: number; failing: boolean };

export class AllowList {
  readonly #options: AllowListOptions;
  readonly #resolve: (name: string) => Promise<readonly Address[]>;
  readonly #clock: Clock;
  readonly #fixed: readonly Prefix[];
  readonly #answers = new Map<string, Answer>();
  readonly #timer: NodeJS.Timeout | undefined;
  #current: PrefixSet;
  #key: string;

  constructor(options: AllowListOptions) {
    this.#options = options;
    this.#resolve = options.resolve ?? resolveBoth;
    this.#clock = options.clock ?? systemClock;
    const fixed: Prefix[] = [];
    for (const entry of options.entries) {
      const prefix = parsePrefix(entry);
      if (prefix !== null) fixed.push(prefix);
      else if (!NAME.test(entry) || /^[\d.]+$/.test(entry))
        options.onFault(entry, "is neither an address, a network nor a name");
      else if (this.#answers.size >= MAX_NAMES)
        options.onFault(entry, `is one name too many; at most ${MAX_NAMES} are looked up`);
      else this.#answers.set(entry, { addresses: [], atMs: 0, failing: false });
    }
    this.#fixed = fixed;
    this.#current = new PrefixSet(fixed);
    this.#key = keyOf(this.#current);
    if (this.#answers.size === 0) return;
    this.#timer = setInterval(() => void this.refresh(), REFRESH_MS);
    this.#timer.unref();
  }

  /** What is allowed now; names count from the first `refresh` on. */
  get current(): PrefixSet {
    return this.#current;
  }

  /** Looks every name up. Never throws. */
  async refresh(): Promise<void> {
    await Promise.all([...this.#answers.keys()].map((name) => this.#ask(name)));
    const addresses = [...this.#answers.values()].flatMap((answer) => answer.addresses);
    const next = new PrefixSet([...this.#fixed, ...addresses.map(wholeAddress)]);
    const key = keyOf(next);
    if (key === this.#key) return;
    this.#key = key;
    this.#current = next;
    this.#options.onChange(next);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #ask(name: string): Promise<void> {
    const before = this.#answers.get(name)!;
    const nowMs = this.#clock.monotonicMs();
    try {
      const all = await this.#resolve(name);
      if (all.length > MAX_ADDRESSES) {
        this.#options.onFault(name, `has ${all.length} addresses; the first ${MAX_ADDRESSES} are allowed`);
      }
      this.#answers.set(name, { addresses: all.slice(0, MAX_ADDRESSES), atMs: nowMs, failing: false });
    } catch (error) {
      const over = nowMs - before.atMs > KEEP_MS;
      const kept = before.addresses.length === 0 || over ? "" : "; its last addresses stay allowed for a day";
      if (!before.failing) this.#options.onFault(name, `does not resolve: ${describeError(error)}${kept}`);
      this.#answers.set(name, { ...before, addresses: over ? [] : before.addresses, failing: true });
    }
  }
}

async function resolveBoth(name: string): Promise<readonly Address[]> {
  const answers = await Promise.allSettled([resolve4(name), resolve6(name)]);
  const addresses = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
  const parsed = addresses.map(parseAddress).filter((address) => address !== null);
  const [four] = answers;
  if (parsed.length === 0) throw four!.status === "rejected" ? four!.reason : new Error("no address");
  return parsed;
}

function keyOf(set: PrefixSet): string {
  return set.prefixes.map(formatPrefix).sort().join(" ");
}
