// The emergency brake: a file that says "block nobody". It is a file of its own, because it must work with the store
// damaged and the configuration broken, and stay in force over a restart until somebody takes it away.
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What is said wherever somebody asks why nobody is blocked. */
export const PANIC_HOLDS = "telltale panic is in force; telltale panic --end lets blocking go on";

/** Where the brake lies for a store in this directory. */
export function panicFile(storeDirectory: string): string {
  return join(storeDirectory, "panic");
}

/** Whether the brake is on. */
export function isPanicked(storeDirectory: string): boolean {
  return existsSync(panicFile(storeDirectory));
}

/** Puts the brake on. Throws what the file system throws. */
export function pullBrake(storeDirectory: string, now: Date): void {
  mkdirSync(storeDirectory, { recursive: true, mode: 0o700 });
  // The folder may also be the unprivileged half's: nothing that it put there is written through.
  rmSync(panicFile(storeDirectory), { force: true });
  writeFileSync(panicFile(storeDirectory), `${now.toISOString()}\n`, { mode: 0o600, flag: "wx" });
}

/** Takes the brake off. Returns whether it was on. */
export function releaseBrake(storeDirectory: string): boolean {
  const was = isPanicked(storeDirectory);
  rmSync(panicFile(storeDirectory), { force: true });
  return was;
}
