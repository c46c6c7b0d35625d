// Keeps the kernel's tripwire armed while the guard blocks, and turns each block it makes into a finding like any
// other, so that the usual verdict takes over from there: longer, or lifted.
import type { Clock } from "../core/clock.ts";
import { formatDuration } from "../core/duration.ts";
import { describeError } from "../core/errors.ts";
import type { Mode, Scan } from "../core/events.ts";
import type { Backend, BackendEvent, BackendTraits } from "./backend.ts";
import type { Touch } from "./backends/tripwire-log.ts";
import {
  BLOCK_MS,
  distinctPortsOf,
  type TripwireOptions,
  VISITOR_PREFIX,
} from "./backends/tripwire-rules.ts";
import type { Voice } from "./voice.ts";

export type KernelTripwireOptions = {
  readonly options: TripwireOptions | false;
  readonly backend: Backend;
  readonly clock: Clock;
  readonly voice: Voice;
  readonly onScan: (scan: Scan) => void;
};

// A kernel that refused the rules once will not take them a second later.
const TRY_AGAIN_MS = 60_000;

export class KernelTripwire {
  readonly #given: KernelTripwireOptions;
  readonly #held: string;
  #armed = false;
  #refusedAtMs: number | undefined;

  constructor(given: KernelTripwireOptions) {
    this.#given = given;
    const { options } = given;
    this.#held = formatDuration((options === false ? undefined : options.blockMs) ?? BLOCK_MS);
  }

  get armed(): boolean {
    return this.#armed;
  }

  describe(): string {
    return this.#armed ? ", kernel tripwire armed" : "";
  }

  /** Armed in mode `block`, not otherwise. Never throws: without it user space decides alone. */
  async follow(mode: Mode, traits: BackendTraits | undefined): Promise<void> {
    const { options, backend, clock, voice } = this.#given;
    if (options === false || traits?.tripwire !== true || this.#armed === (mode === "block")) return;
    if (this.#refusedAtMs !== undefined && clock.monotonicMs() - this.#refusedAtMs < TRY_AGAIN_MS) return;
    try {
      if (mode === "block") await backend.arm(options);
      else await backend.disarm();
      this.#armed = mode === "block";
      this.#refusedAtMs = undefined;
    } catch (error) {
      this.#refusedAtMs = clock.monotonicMs();
      const why = `the kernel tripwire could not be ${mode === "block" ? "armed" : "taken out"}: ${describeError(error)}`;
      voice.fail(
        "tripwire",
        why,
        "user space decides alone; the rules need nft_socket, nft_fib_inet and nfnetlink_log in the kernel",
      );
    }
  }

  /** Takes up what the backend tells of the tripwire. */
  hear(event: BackendEvent): void {
    if (event.on === "touch") this.#touched(event.touch);
    else if (event.on === "deaf") this.#deaf(event.why);
  }

  #deaf(why: string): void {
    const mend = "its blocks still end by themselves after a minute";
    this.#given.voice.fail("tripwire", `blocks of the kernel tripwire may go unreported: ${why}`, mend);
  }

  #touched({ source, target, port, prefix }: Touch): void {
    const { options, clock, onScan } = this.#given;
    if (options === false) return;
    const at = clock.now().toISOString();
    const single = options.ports?.includes(port) === true;
    const distinct = distinctPortsOf(options, prefix === VISITOR_PREFIX);
    onScan({
      source,
      shape: single ? "tripwire" : "vertical",
      grade: "spoofable",
      firstAt: at,
      lastAt: at,
      distinct: single ? 1 : distinct,
      reason: single
        ? `tripwire port ${port} touched; the kernel blocked at the packet, for ${this.#held}`
        : `${distinct} distinct unused ports within a minute; the kernel blocked at the packet, for ${this.#held}`,
      probes: [{ at, source, target, protocol: "tcp", port, kind: "syn" }],
    });
  }
}
