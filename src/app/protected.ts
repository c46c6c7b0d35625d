// Who is never blocked here: what the host depends on, and what its administrator named. Shared by the guard and the
// commands beside it, so that all of them protect the same.
import { formatPrefix, type Prefix, PrefixSet, parsePrefix } from "../core/address.ts";
import { AllowList, type NameAnswer } from "../respond/allow.ts";
import { HostFactsReader } from "../respond/facts.ts";
import type { Store } from "../store/store.ts";
import { keepMark } from "./marks.ts";
import type { Settings } from "./settings.ts";

/** The mark under which the answers to names are kept, so that they count before DNS does after a reboot. */
const MARK = "respond.allow.names";

export type AllowListCalls = {
  /** Whether answers are written down for the next run; the store must be one that can be written. */
  readonly remember?: boolean;
  /** Called when a name has moved: hand it to the responder. */
  readonly onChange?: (allow: PrefixSet) => void;
  /** Called once when a name stops resolving, and for an entry that cannot be used. */
  readonly onFault: (entry: string, why: string) => void;
};

/**
 * The allow list, portsentry.ignore, and the sources that the sentry is told not to count. Names count as an earlier run
 * knew them; `start` keeps them fresh until `close`, `refresh` looks them up once.
 * @param store where answers are remembered; null when there is none yet
 */
export function allowList(settings: Settings, store: Store | null, calls: AllowListCalls): AllowList {
  const prefixes = allowedBy(settings).prefixes.map(formatPrefix);
  const names = settings.config.respond.allow.filter((entry) => parsePrefix(entry) === null);
  return new AllowList({
    onChange: calls.onChange,
    onFault: calls.onFault,
    entries: [...new Set([...prefixes, ...names])],
    remembered: remembered(store),
    onAnswers: (answers) => {
      if (store !== null && calls.remember === true) keepMark(store, MARK, JSON.stringify(answers));
    },
  });
}

/** The allow list without its names: for a moment when nobody can wait for DNS, and nothing is remembered. */
export function allowedBy(settings: Settings): PrefixSet {
  let set = known.get(settings);
  if (set === undefined) {
    const ignored = settings.config.sentry.ignore.map((text): Prefix => parsePrefix(text)!);
    set = new PrefixSet([...settings.allow, ...ignored]);
    known.set(settings, set);
  }
  return set;
}

// Asked at every block, and the same until the configuration is read again.
const known = new WeakMap<Settings, PrefixSet>();

/** Reads the host's own facts; portsentry.ignore is part of the allow list, where its faults are told. */
export function factsReader(): HostFactsReader {
  return new HostFactsReader({ ignoreFiles: [] });
}

function remembered(store: Store | null): readonly NameAnswer[] {
  try {
    const kept: unknown = JSON.parse(store?.marks.get(MARK) ?? "[]");
    return Array.isArray(kept) ? kept.filter(isAnswer) : [];
  } catch {
    return []; // A damaged memory costs what it remembered; DNS is asked again at once.
  }
}

function isAnswer(value: unknown): value is NameAnswer {
  if (typeof value !== "object" || value === null) return false;
  const { name, addresses, at } = value as Partial<Record<keyof NameAnswer, unknown>>;
  return (
    typeof name === "string" &&
    typeof at === "string" &&
    Array.isArray(addresses) &&
    addresses.every((address) => typeof address === "string")
  );
}
