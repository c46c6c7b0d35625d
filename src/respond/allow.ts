// The allow list as people write it: addresses, networks, and names that are looked up again and again, because the
// office behind `gw.example.org` moves. DNS may lie or fall silent: what it says is capped, what it said last is kept.
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
import { isHostName } from "../core/hostname.ts";
import { wholeAddress } from "./guardrails.ts";
import { resolveHost } from "./resolve.ts";

/** What DNS said of a name, to be remembered over a restart. `at` is ISO 8601, UTC. */
export type NameAnswer = {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly at: string;
};

export type AllowListOptions = {
  /** `192.0.2.1`, `2001:db8::/32` or `gw.example.org`. */
  readonly entries: readonly string[];
  /** Answers of an earlier run, which count until DNS has spoken again. */
  readonly remembered?: readonly NameAnswer[];
  /** Called when the list has become another one. */
  readonly onChange?: ((allow: PrefixSet) => void) | undefined;
  /** Called with all answers after each look-up that brought any. */
  readonly onAnswers?: (answers: readonly NameAnswer[]) => void;
  /** Called once for each name when it stops resolving, and for an entry that is neither address, network nor name. */
  readonly onFault: (entry: string, why: string) => void;
  /** All addresses of a name; fails when there are none. */
  readonly resolve?: (name: string) => Promise<readonly Address[]>;
  readonly clock?: Clock;
};

// Often enough for a dynamic address, rarely enough to be nobody's burden.
const REFRESH_MS = 5 * 60_000;
// An answer is kept this long after DNS has fallen silent: an outage of DNS must not lock anybody out, but an address that
// nobody has vouched for in a week may be somebody else's.
const KEEP_MS = 7 * 86_400_000;
const MAX_NAMES = 64;
// A name that allows half the internet is a mistake or an attack.
const MAX_ADDRESSES = 64;

type Answer = { addresses: readonly Address[]; atMs: number; failing: boolean };

export class AllowList {
  readonly #options: AllowListOptions;
  readonly #resolve: (name: string) => Promise<readonly Address[]>;
  readonly #clock: Clock;
  readonly #fixed: readonly Prefix[];
  readonly #answers = new Map<string, Answer>();
  #timer: NodeJS.Timeout | undefined;
  #current: PrefixSet;
  #key: string;

  constructor(options: AllowListOptions) {
    this.#options = options;
    this.#resolve = options.resolve ?? resolveHost;
    this.#clock = options.clock ?? systemClock;
    const fixed: Prefix[] = [];
    for (const entry of options.entries) {
      const prefix = parsePrefix(entry);
      if (prefix !== null) fixed.push(prefix);
      else if (!isHostName(entry)) options.onFault(entry, "is neither an address, a network nor a name");
      else if (this.#answers.size >= MAX_NAMES)
        options.onFault(entry, `is one name too many; at most ${MAX_NAMES} are looked up`);
      else this.#answers.set(entry, { addresses: [], atMs: 0, failing: false });
    }
    this.#fixed = fixed;
    for (const { name, addresses, at } of options.remembered ?? []) this.#remember(name, addresses, at);
    this.#current = this.#compose();
    this.#key = keyOf(this.#current);
  }

  /** What is allowed now; names count from the first `refresh` on, or from an earlier run's. */
  get current(): PrefixSet {
    return this.#current;
  }

  /** What is allowed, with the name that each address comes from. */
  get guards(): readonly { readonly prefix: Prefix; readonly because: string }[] {
    return [
      ...this.#fixed.map((prefix) => ({ prefix, because: "allow list" })),
      ...[...this.#answers].flatMap(([name, { addresses }]) =>
        addresses.map((address) => ({ prefix: wholeAddress(address), because: `allow list (${name})` })),
      ),
    ];
  }

  /** Looks the names up at once and then every few minutes, until `close`. */
  start(): void {
    if (this.#answers.size === 0 || this.#timer !== undefined) return;
    void this.refresh();
    this.#timer = setInterval(() => void this.refresh(), REFRESH_MS);
    this.#timer.unref();
  }

  /** Looks every name up. Never throws. */
  async refresh(): Promise<void> {
    const asked = await Promise.all([...this.#answers.keys()].map((name) => this.#ask(name)));
    if (asked.includes(true)) this.#options.onAnswers?.(this.#answered());
    const next = this.#compose();
    const key = keyOf(next);
    if (key === this.#key) return;
    this.#key = key;
    this.#current = next;
    this.#options.onChange?.(next);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #compose(): PrefixSet {
    const addresses = [...this.#answers.values()].flatMap((answer) => answer.addresses);
    return new PrefixSet([...this.#fixed, ...addresses.map(wholeAddress)]);
  }

  // What a file says is held against the same rules as what DNS says.
  #remember(name: string, addresses: readonly string[], at: string): void {
    const ageMs = this.#clock.now().getTime() - Date.parse(at);
    if (!this.#answers.has(name) || !(ageMs <= KEEP_MS)) return;
    const parsed = addresses.slice(0, MAX_ADDRESSES).map(parseAddress);
    this.#answers.set(name, {
      addresses: parsed.filter((address) => address !== null),
      atMs: this.#clock.monotonicMs() - Math.max(0, ageMs),
      failing: false,
    });
  }

  #answered(): NameAnswer[] {
    const wallMs = this.#clock.now().getTime();
    const nowMs = this.#clock.monotonicMs();
    return [...this.#answers].map(([name, { addresses, atMs }]) => ({
      name,
      addresses,
      at: new Date(wallMs - (nowMs - atMs)).toISOString(),
    }));
  }

  // Whether DNS gave an answer.
  async #ask(name: string): Promise<boolean> {
    const before = this.#answers.get(name)!;
    const nowMs = this.#clock.monotonicMs();
    try {
      const all = await this.#resolve(name);
      if (all.length > MAX_ADDRESSES && !before.failing)
        this.#options.onFault(name, `has ${all.length} addresses; the first ${MAX_ADDRESSES} are allowed`);
      const failing = all.length > MAX_ADDRESSES;
      this.#answers.set(name, { addresses: all.slice(0, MAX_ADDRESSES), atMs: nowMs, failing });
      return true;
    } catch (error) {
      const over = nowMs - before.atMs > KEEP_MS;
      const kept =
        before.addresses.length === 0 || over ? "" : "; its last addresses stay allowed for a week";
      if (!before.failing) this.#options.onFault(name, `does not resolve: ${describeError(error)}${kept}`);
      this.#answers.set(name, { ...before, addresses: over ? [] : before.addresses, failing: true });
      return false;
    }
  }
}

function keyOf(set: PrefixSet): string {
  return set.prefixes.map(formatPrefix).sort().join(" ");
}
