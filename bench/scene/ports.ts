// The ports on which the host of a scene has services: popular ones, and others scattered over the whole range.
import { makeChance } from "../material/chance.ts";

const POPULAR = [21, 22, 25, 53, 80, 110, 143, 443, 993, 3306, 8080];
export const OPEN_PORTS = scattered(POPULAR, 20);

/** One of them: who comes here is listened to until the end, and not hung up on. */
export const PATIENT_PORT = 8_080;

function scattered(popular: readonly number[], count: number): number[] {
  const chance = makeChance(7);
  const ports = new Set(popular);
  while (ports.size < count) ports.add(1_024 + chance.below(64_000));
  return [...ports].sort((a, b) => a - b);
}
