// The firewall, as the listener sees it: every call goes to the warden, which decides anew whether it grants it.

import type { Address, Prefix } from "../../core/address.ts";
import { describeError } from "../../core/errors.ts";
import type { Backend, BackendEvent, BackendTraits, ChangeResult } from "../../respond/backend.ts";
import { BackendEars } from "../../respond/backend.ts";
import { earlyNameOf } from "../../respond/backends/early-rules.ts";
import type { TripwireOptions } from "../../respond/backends/tripwire-rules.ts";
import type { HeldBlock } from "../../respond/plan.ts";
import type { FirewallChange } from "../../respond/types.ts";
import { readHeld, writeAsked, writeChanges } from "./block-text.ts";
import { type Outcome, resultsOf } from "./outcome.ts";

/** Names a source to the kernel without waking anybody (`LoopbackDatagrams`). */
export type EarlyWay = { send(address: Address, length: 0 | 1): void; close(): void };

export type FirewallCall = (call: string, args: readonly unknown[]) => Promise<unknown>;

// Settled: what waits for it goes on when the calls that are under way have ended.
const ALARM_FIRST = Promise.resolve();

export class RemoteBackend implements Backend {
  readonly name: string;
  readonly #call: FirewallCall;
  readonly #early: EarlyWay | null;
  readonly #ears = new BackendEars();
  readonly packets?: NonNullable<Backend["packets"]>;

  /**
   * @param name of the backend behind it
   * @param early the short way for single sources; null where there is none
   */
  constructor(name: string, call: FirewallCall, early: EarlyWay | null) {
    this.name = name;
    this.#call = call;
    this.#early = early;
    if (name === "nftables")
      this.packets = async (blocks) => (await call("packets", [writeAsked(blocks)])) as number[];
  }

  early(change: FirewallChange): void {
    const name = earlyNameOf(change);
    if (name !== null) this.#early?.send(name.address, name.length);
  }

  /** Something that the backend told in the warden. */
  heard(event: BackendEvent): void {
    this.#ears.tell(event);
  }

  subscribe(listener: (event: BackendEvent) => void): Disposable {
    return this.#ears.subscribe(listener);
  }

  open = () => this.#call("open", []) as Promise<BackendTraits>;
  setAllow = async (prefixes: readonly Prefix[]) => void (await this.#call("setAllow", [prefixes]));
  held = async (): Promise<HeldBlock[]> => readHeld((await this.#call("held", [])) as string);
  intact = () => this.#call("intact", []) as Promise<boolean>;
  watch = () => this.#call("watch", []) as Promise<boolean>;
  arm = async (options: TripwireOptions) => void (await this.#call("arm", [options]));
  disarm = async () => void (await this.#call("disarm", []));
  clear = async () => void (await this.#call("clear", []));

  async apply(changes: readonly FirewallChange[]): Promise<ChangeResult[]> {
    // Whoever was named on the short way is shut out already: the alarm is told before the order wakes the warden.
    if (this.#early !== null) await ALARM_FIRST;
    try {
      return resultsOf(changes, (await this.#call("apply", [writeChanges(changes)])) as Outcome[]);
    } catch (error) {
      const why = describeError(error);
      return changes.map((change) => ({ change, why, mend: "see telltale status", packetsStopped: 0 }));
    }
  }

  async pardon(targets: readonly Prefix[]): Promise<void> {
    await this.#call("pardon", [targets]).catch(() => {}); // Promised never to throw; the kernel forgets by itself.
  }

  async close(): Promise<void> {
    this.#early?.close();
    await this.#call("close", []).catch(() => {}); // The warden has gone, and its handles with it.
  }
}
