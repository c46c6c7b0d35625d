// The powers of a process that has none: everything that takes a right is asked for in the warden.
import { describeError } from "../../core/errors.ts";
import type { CoverageReport } from "../../disk/types.ts";
import type { Ended } from "../../report/routes/program.ts";
import type { Route } from "../../report/types.ts";
import type { BackendEvent } from "../../respond/backend.ts";
import { type HandedEar, hearHandedTouches } from "../../respond/backends/tripwire-log.ts";
import type { HostFacts } from "../../respond/types.ts";
import { captureFrom } from "../../sources/packets/capture.ts";
import { LoopbackDatagrams } from "../../sys/loopback-datagram.ts";
import type { Client } from "../../warden/client.ts";
import type { FactsSource, Powers } from "../powers.ts";
import { routesOf } from "../reporting.ts";
import type { RotationEars } from "../rotation.ts";
import { readHeld } from "./block-text.ts";
import type { Briefing } from "./briefing.ts";
import { type EarlyWay, RemoteBackend } from "./remote-backend.ts";

/** What rotation says of itself, as it comes from the warden. */
export type RotationSays = {
  readonly lines: readonly string[];
  readonly next: readonly { readonly what: string; readonly at: string | Date }[];
};

const NOTHING_KNOWN: HostFacts = { guards: [], unread: [] };

export class ListenerPowers implements Powers {
  readonly ownPids: readonly number[];
  readonly #client: Client;
  #briefing: Briefing;
  #facts: HostFacts = NOTHING_KNOWN;
  readonly #factsFollowers = new Set<() => void>();
  #backend: RemoteBackend | null = null;
  #ears: RotationEars | null = null;
  #touches: HandedEar | null = null;
  #rotation: RotationSays = { lines: [], next: [] };

  constructor(client: Client, briefing: Briefing) {
    this.#client = client;
    this.#briefing = briefing;
    this.ownPids = [briefing.wardenPid, process.pid];
  }

  describe(): readonly string[] {
    return [`user telltale, process ${process.pid}; the warden is process ${this.#briefing.wardenPid}`];
  }

  readonly facts: FactsSource = {
    current: () => this.#facts,
    follow: (onNews) => {
      this.#factsFollowers.add(onNews);
      return { [Symbol.dispose]: () => void this.#factsFollowers.delete(onNews) };
    },
  };

  /** Learns who is protected; the warden tells whenever that changes, and reads it anew before each block. */
  async start(): Promise<void> {
    this.#facts = (await this.#client.ask({ ask: "facts" })) as HostFacts;
  }

  briefAgain(briefing: Briefing): void {
    this.#briefing = briefing;
  }

  /** The firewall's backend tells something. */
  heardFirewall(event: unknown): void {
    this.#backend?.heard(event as BackendEvent);
  }

  /** A look of the warden's has found something. */
  heardFound(what: string, value: unknown): void {
    if (what === "facts") this.#heardFacts(value as HostFacts);
    if (what === "uncovered") this.#ears?.uncovered(value as CoverageReport);
    if (what === "rotation") this.#rotation = value as RotationSays;
  }

  #heardFacts(facts: HostFacts): void {
    this.#facts = facts;
    for (const follower of this.#factsFollowers) follower();
  }

  readonly backend: Powers["backend"] = (settings) => {
    const call = async (name: string, args: readonly unknown[]): Promise<unknown> => {
      if (name === "arm" || name === "disarm" || name === "close") this.#touches?.[Symbol.dispose]();
      const answer = await this.#client.ask({ ask: "firewall", call: name, args });
      if (name === "arm") await this.#hearTouches();
      return answer;
    };
    const { backend } = settings.config.respond;
    this.#backend = new RemoteBackend(backend, call, backend === "nftables" ? earlyWay() : null);
    return this.#backend;
  };

  readonly held: Powers["held"] = async () =>
    readHeld((await this.#client.ask({ ask: "firewall", call: "held", args: [] })) as string);

  readonly capture: Powers["capture"] = async () => {
    const fd = await this.#client.askDescriptor({ ask: "capture" });
    // The packet that tripped the wire lies in the ring as well; that the kernel has blocked is told first.
    return (options) => captureFrom(fd, { ...options, onWake: () => this.#touches?.read() });
  };

  readonly openLog = (path: string): Promise<number> => this.#client.askDescriptor({ ask: "log", path });

  readonly routes: Powers["routes"] = (settings) =>
    routesOf(settings).map((route) => this.#throughWarden(route));

  readonly rotation: Powers["rotation"] = async (_settings, ears) => {
    this.#rotation = (await this.#client.ask({ ask: "rotation" })) as RotationSays;
    this.#ears = ears;
    return {
      describe: () => this.#rotation.lines,
      outlook: () => ({ next: this.#rotation.next.map(({ what, at }) => ({ what, at: new Date(at) })) }),
      stop: async () => {
        this.#ears = null;
      },
    };
  };

  // Straight from the kernel: an alarm that came by way of the warden would wait for one more process to wake up.
  async #hearTouches(): Promise<void> {
    const backend = this.#backend;
    const deaf = (why: string): void => backend?.heard({ on: "deaf", why });
    try {
      const fd = await this.#client.askDescriptor({ ask: "touches" });
      this.#touches = hearHandedTouches(fd, (touch) => backend?.heard({ on: "touch", touch }), deaf);
    } catch (error) {
      deaf(describeError(error));
    }
  }

  #throughWarden(route: Route): Route {
    switch (route.via) {
      case "sendmail": {
        const run = async (_command: string, _args: readonly string[], input: Uint8Array): Promise<Ended> => {
          const mail = Buffer.from(input).toString("base64");
          const ended = (await this.#client.ask({ ask: "mail", mail })) as { status: number; stderr: string };
          return { ...ended, stdout: Buffer.alloc(0) };
        };
        return { ...route, run };
      }
      case "file":
        return { ...route, open: () => this.#client.askDescriptor({ ask: "report-file" }) };
      case "smtp":
        // The file with the password is root's.
        return route.auth === undefined
          ? route
          : { ...route, auth: { user: route.auth.user, pass: this.#briefing.smtpPassword } };
      case "webhook": {
        // And so are the files with the tokens.
        const token = new Map(Object.entries(this.#briefing.webhookTokens)).get(route.name ?? "");
        return token === undefined || token === "" ? route : { ...route, token };
      }
      default:
        return route;
    }
  }
}

// Without it a block waits for its order, as with every other backend.
function earlyWay(): EarlyWay | null {
  try {
    return new LoopbackDatagrams();
  } catch {
    return null;
  }
}
