// The history, opened for commands beside a guard that may be running.
import { existsSync } from "node:fs";
import { openStore, type Store } from "../store/store.ts";
import type { Settings } from "./settings.ts";

/** The history for reading only; null when there is none yet. */
export function openHistory(settings: Settings): Store | null {
  if (!existsSync(settings.storeFile)) return null;
  return openStore(settings.storeFile, { readOnly: true });
}
