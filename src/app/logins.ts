// Remembers from which networks people logged in while the guard looked, because not every host does: Debian has no wtmp from
// release 13 on. A block that cuts such a network ends by itself unless somebody confirms it (respond/decide.ts).
import { formatPrefix, type Prefix, parsePrefix } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import { LOGINS_COUNT_MS, loginGuard, loginNetworkOf } from "../respond/surroundings.ts";
import type { HostFacts } from "../respond/types.ts";
import type { Store } from "../store/store.ts";
import { keepMark } from "./marks.ts";

/** The mark under which they are kept: networks, each with the day of the last login from there. */
const MARK = "respond.logins";
// More networks than an administrator sees in a month; those of the longest time ago give way.
const MAX_NETWORKS = 256;
const DAY_MS = 86_400_000;
// Whoever merely tries passwords is never logged in for so long, however slow the server is to say what it is doing.
const LEAST_MS = 60_000;

export class Logins {
  readonly #facts: { current(): HostFacts };
  readonly #store: Store;
  readonly #clock: Clock;
  // By network, the latest login last: milliseconds since 1970, cut to the day.
  readonly #days: Map<string, number>;
  // Who is logged in, and since when by the monotonic clock.
  #since = new Map<string, number>();
  #notedAtMs = 0;
  #seen: HostFacts | null = null;
  #today = 0;
  #merged: HostFacts | null = null;

  /** @param facts whose answer is the same object for as long as nothing changes */
  constructor(facts: { current(): HostFacts }, store: Store, clock: Clock) {
    this.#facts = facts;
    this.#store = store;
    this.#clock = clock;
    this.#days = rememberedLogins(store);
  }

  /** The facts, with the networks of the logins of the last month; the same object for as long as nothing changes. */
  current(): HostFacts {
    const facts = this.#facts.current();
    const nowMs = this.#clock.monotonicMs();
    const isOther = this.#merged === null || facts !== this.#seen;
    if (isOther || nowMs - this.#notedAtMs >= LEAST_MS) {
      this.#notedAtMs = nowMs;
      this.#seen = facts;
      const today = Math.floor(this.#clock.now().getTime() / DAY_MS) * DAY_MS;
      const isNews = this.#note(facts, nowMs, today);
      if (isOther || isNews || today !== this.#today) this.#merged = withLogins(facts, this.#days, today);
      this.#today = today;
    }
    return this.#merged!;
  }

  #note(facts: HostFacts, nowMs: number, today: number): boolean {
    const since = new Map<string, number>();
    let isNews = false;
    for (const { prefix, isLogin } of facts.guards) {
      if (isLogin !== true) continue;
      const atMs = this.#since.get(prefix.base) ?? nowMs;
      since.set(prefix.base, atMs);
      const network = formatPrefix(loginNetworkOf(prefix.base));
      if (nowMs - atMs < LEAST_MS || this.#days.get(network) === today) continue;
      this.#days.delete(network);
      this.#days.set(network, today);
      isNews = true;
    }
    this.#since = since;
    if (!isNews) return false;
    for (const [network, dayMs] of this.#days) {
      if (this.#days.size > MAX_NETWORKS || today - dayMs > LOGINS_COUNT_MS) this.#days.delete(network);
    }
    keepMark(this.#store, MARK, JSON.stringify([...this.#days]));
    return true;
  }
}

/** The facts with the networks of remembered logins, for a command beside the guard. */
export function withLogins(facts: HostFacts, days: ReadonlyMap<string, number>, todayMs: number): HostFacts {
  const known = new Set(facts.loginNetworks?.map(({ prefix }) => formatPrefix(prefix)));
  const own = [...days]
    .filter(([network, dayMs]) => !known.has(network) && todayMs - dayMs <= LOGINS_COUNT_MS)
    .map(([network, dayMs]) => loginGuard(parsePrefix(network) as Prefix, dayMs));
  return own.length === 0 ? facts : { ...facts, loginNetworks: [...(facts.loginNetworks ?? []), ...own] };
}

/** What an earlier run, or the one beside us, remembers. */
export function rememberedLogins(store: Store | null): Map<string, number> {
  try {
    const kept: unknown = JSON.parse(store?.marks.get(MARK) ?? "[]");
    return new Map(Array.isArray(kept) ? kept.filter(isLogin).slice(-MAX_NETWORKS) : []);
  } catch {
    return new Map(); // A damaged memory costs what it remembered.
  }
}

function isLogin(value: unknown): value is [network: string, dayMs: number] {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [network, dayMs] = value as unknown[];
  return typeof network === "string" && parsePrefix(network) !== null && Number.isFinite(dayMs);
}
