// Who is never blocked here: what the host depends on, and what its administrator named. Shared by the guard and the
// commands beside it, so that all of them protect the same.
import { type Prefix, PrefixSet, parsePrefix } from "../core/address.ts";
import { HostFactsReader } from "../respond/facts.ts";
import type { Settings } from "./settings.ts";

/** The allow list, portsentry.ignore, and the sources that the sentry is told not to count. */
export function allowedBy(settings: Settings): PrefixSet {
  const ignored = settings.config.sentry.ignore.map((text): Prefix => parsePrefix(text)!);
  return new PrefixSet([...settings.allow, ...ignored]);
}

/** Reads the host's own facts; portsentry.ignore is part of the allow list, where its faults are told. */
export function factsReader(): HostFactsReader {
  return new HostFactsReader({ ignoreFiles: [] });
}
