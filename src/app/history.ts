// The history, opened for commands beside a guard that may be running.
import { statSync } from "node:fs";
import { openStore, type Store } from "../store/store.ts";
import type { Settings } from "./settings.ts";

/**
 * The history for reading only; null when there is none yet.
 * @throws Error with EACCES when we may not even see whether there is one: that is no empty history
 */
export function openHistory(settings: Settings): Store | null {
  if (statSync(settings.storeFile, { throwIfNoEntry: false }) === undefined) return null;
  return openStore(settings.storeFile, { readOnly: true });
}
