// Asks the firewall here what some blocks have stopped, for commands: they do without where it may not be asked.

import type { Backend } from "../respond/backend.ts";
import { type AskedBlock, type PacketCounter, packetCounter } from "../respond/packets.ts";
import { makeBackend } from "./firewall.ts";
import type { Settings } from "./settings.ts";

export class PacketCounts {
  readonly #settings: Settings;
  #backend: Backend | undefined;
  #counter: PacketCounter | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** The packets that each has stopped so far, in their order; nothing where the firewall may not be asked. Bound. */
  readonly of = async (blocks: readonly AskedBlock[]): Promise<readonly number[]> => {
    try {
      this.#backend ??= makeBackend(this.#settings, true);
      this.#counter ??= packetCounter(this.#backend);
      return await this.#counter(blocks);
    } catch {
      return []; // The history's own counts stand, and telltale doctor says why.
    }
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#backend?.close();
  }
}
