// Who is protected now: the allow list and the guards of this host, asked at every verdict and told to the firewall
// whenever they change, because the kernel decides too.
import { formatPrefix, type Prefix, type PrefixSet } from "../core/address.ts";
import type { Backend } from "./backend.ts";
import { allGuards, allowGuards, guardOver, guardrailFor } from "./guardrails.ts";
import type { Guard, HostFacts } from "./types.ts";

export class Protection {
  readonly #backend: Backend;
  readonly #facts: () => HostFacts;
  #allow: readonly Guard[];
  // What the allow set in the firewall was last made from; null: not yet, or to be made again.
  #told: string | null = null;
  // The facts that were compared with it last, and found to be the same.
  #known: HostFacts | null = null;

  constructor(backend: Backend, facts: () => HostFacts, allow: PrefixSet) {
    this.#backend = backend;
    this.#facts = facts;
    this.#allow = allowGuards(allow.prefixes);
  }

  setAllow(allow: PrefixSet): void {
    this.#allow = allowGuards(allow.prefixes);
    this.forget();
  }

  /** Why nothing of this prefix may be blocked; null when it may. */
  why(target: Prefix, facts: HostFacts = this.#facts()): string | null {
    return guardOver(target, this.#allow) ?? guardrailFor(target, facts);
  }

  /** Whether the firewall has yet to be told of these facts. */
  isNews(facts: HostFacts): boolean {
    if (facts === this.#known) return false;
    if (keyOf(facts) !== this.#told) return true;
    this.#known = facts;
    return false;
  }

  /** The firewall has lost what it was told. */
  forget(): void {
    this.#told = null;
    this.#known = null;
  }

  /** Throws what the backend throws. */
  async tell(facts: HostFacts = this.#facts()): Promise<void> {
    // Taken as done even when it fails: a backend keeps the list for when it works again, and one message is enough.
    this.#told = keyOf(facts);
    await this.#backend.setAllow([...this.#allow, ...allGuards(facts)].map((guard) => guard.prefix));
  }
}

function keyOf(facts: HostFacts): string {
  return facts.guards.map(({ prefix }) => formatPrefix(prefix)).join(" ");
}
