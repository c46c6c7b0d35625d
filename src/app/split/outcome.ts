// What the warden answers of each change of the firewall: whoever asked knows the change itself, and of a hundred thousand
// blocks that are put back nearly all are simply done.
import type { ChangeResult } from "../../respond/backend.ts";
import type { FirewallChange } from "../../respond/types.ts";

/** Done, and no packets to tell of. */
export const DONE = 0;

export type Outcome = typeof DONE | Omit<ChangeResult, "change">;

/** The results of these changes, whose outcomes came in the same order. */
export function resultsOf(changes: readonly FirewallChange[], outcomes: readonly Outcome[]): ChangeResult[] {
  return changes.map((change, i) => {
    const outcome = outcomes[i] ?? {
      why: "the warden did not say",
      mend: "see telltale status",
      packetsStopped: 0,
    };
    return outcome === DONE ? { change, why: null, mend: "", packetsStopped: 0 } : { change, ...outcome };
  });
}
