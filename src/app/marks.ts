// Small memories of the parts, kept in the store where it takes them.
import { MissingPartError } from "../core/errors.ts";
import type { Store } from "../store/store.ts";

/** Keeps a mark. A store that refuses (a full disk) is told of by the bus; here it only costs this memory. */
export function keepMark(store: Store, name: string, value: string): void {
  try {
    store.marks.set(name, value);
  } catch (error) {
    if (!(error instanceof MissingPartError)) throw error;
  }
}
