// Asks the firewall here what some blocks have stopped, for commands: they do without where it may not be asked.
import { parsePrefix } from "../core/address.ts";
import type { Backend } from "../respond/backend.ts";
import { type PacketCounter, packetCounter } from "../respond/packets.ts";
import type { BlockRow } from "../store/store.ts";
import { makeBackend } from "./firewall.ts";
import type { Settings } from "./settings.ts";

export class PacketCounts {
  readonly #settings: Settings;
  #backend: Backend | undefined;
  #counter: PacketCounter | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** The blocks with the packets each has stopped so far; as the history has them where the firewall may not be asked. */
  async with<T extends BlockRow>(blocks: readonly T[]): Promise<T[]> {
    try {
      this.#backend ??= makeBackend(this.#settings, true);
      this.#counter ??= packetCounter(this.#backend);
      const packets = await this.#counter(
        blocks.map(({ target, throttled = false }) => ({ target: parsePrefix(target)!, throttled })),
      );
      return blocks.map((block, i) => ({
        ...block,
        packetsStopped: Math.max(block.packetsStopped, packets[i] ?? 0),
      }));
    } catch {
      return [...blocks]; // The history's own counts stand, and telltale doctor says why.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#backend?.close();
  }
}
