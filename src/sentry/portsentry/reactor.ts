// Takes sightings one after the other, as PortSentry does: counts, decides, blocks, and writes the lines and files that
// other programs read.
import type { Address } from "../../core/address.ts";
import { describeError } from "../../core/errors.ts";
import { BlockedHosts } from "./blocked-file.ts";
import { decideSighting, planBlock } from "./decide.ts";
import { HostNames } from "./names.ts";
import type { PortsentryConfig } from "./parse.ts";
import { appendTo } from "./plain-file.ts";
import { runStep } from "./react.ts";
import {
  renderAlreadyBlocked,
  renderAttack,
  renderFailure,
  renderHistory,
  renderNothing,
  renderScan,
  renderStep,
  renderUnblocked,
} from "./render.ts";
import type { Flag, Sighting, Wording } from "./types.ts";

export type ReactorOptions = {
  readonly config: PortsentryConfig;
  /** Who is left alone; its list may change while it runs. */
  readonly ignore: { has(source: Address): boolean; readonly isMissing?: boolean };
  readonly wording: Wording;
  /** What $MODE$ stands for: `stcp`, `stealth`. */
  readonly mode: string;
  readonly log: (line: string) => void;
  /** Why this source must never be blocked, or null: a forged packet bears any address, the gateway's too. */
  readonly guardrail?: (source: Address) => string | null;
  readonly verbose?: boolean;
  /** `-d`. */
  readonly debug?: boolean;
  /** `-L`: what this host sends to itself counts, too. */
  readonly skipLocalCheck?: boolean;
  readonly hostsDeny?: string;
  readonly names?: HostNames;
};

// Sources counted for SCAN_TRIGGER; past that the oldest begin again.
const MAX_SOURCES = 100_000;
// Sightings that wait for a command; a flood has more, and they are counted instead.
const MAX_WAITING = 4_096;
// For the command that is running when a signal comes.
const LAST_COMMAND_MS = 3_000;

export class Reactor {
  readonly #options: ReactorOptions;
  readonly #blocked: BlockedHosts;
  readonly #names: HostNames;
  readonly #counts = new Map<Address, number>();
  #waiting = 0;
  #skipped = 0;
  #isEnding = false;
  readonly #ending = new AbortController();
  #last: Promise<void> = Promise.resolve();

  /** Throws the system's error when the blocked file cannot be used. */
  constructor(options: ReactorOptions) {
    this.#options = options;
    this.#names = options.names ?? new HostNames();
    const { config, wording, mode } = options;
    const path =
      config.blockedFile === "" || wording === 2 ? config.blockedFile : `${config.blockedFile}.${mode}`;
    this.#blocked = new BlockedHosts(path, wording);
  }

  /** Takes a sighting; `sendBanner` is called when it is time for PORT_BANNER. */
  see(sighting: Sighting, sendBanner: () => void = () => {}): Promise<void> {
    if (this.#waiting >= MAX_WAITING) {
      this.#skipped++;
      return Promise.resolve();
    }
    this.#waiting++;
    // Asked for now, so that many strangers' names are looked up beside each other.
    if (this.#options.config.resolveHost) void this.#names.of(sighting.source);
    this.#last = this.#last.then(() => this.#handle(sighting, sendBanner)).finally(() => this.#waiting--);
    return this.#last;
  }

  /** Resolves when all that was seen has been dealt with. */
  settled(): Promise<void> {
    return this.#last;
  }

  /** Deals with nobody any more: who waits is counted, and a command that is running gets a moment to finish. */
  async end(lastCommandMs = LAST_COMMAND_MS): Promise<void> {
    this.#isEnding = true;
    const timer = setTimeout(() => this.#ending.abort(), lastCommandMs);
    await this.#last;
    clearTimeout(timer);
    if (this.#skipped > 0)
      this.#options.log(
        `adminalert: ${this.#skipped} probes were not dealt with any more: portsentry was ended`,
      );
  }

  async #handle(sighting: Sighting, sendBanner: () => void): Promise<void> {
    const { config, ignore, wording, log } = this.#options;
    const { source } = sighting;
    if (this.#isEnding) {
      this.#skipped++;
      return;
    }
    if (this.#skipped > 0) {
      log(
        `adminalert: ${this.#skipped} probes were not written down one by one: they came faster than lines can be written`,
      );
      this.#skipped = 0;
    }
    const isIgnored = ignore.has(source);
    if (sighting.isToItself === true && !isIgnored && this.#options.skipLocalCheck !== true) {
      if (this.#options.debug === true)
        log(`debug: Source address ${source} same as destination address ${source}, skipping`);
      return;
    }
    if (wording === 1 && ignore.isMissing === true)
      log("attackalert: ERROR: cannot open ignore file. Blocking host anyway.");
    const count = isIgnored || config.scanTrigger === 0 ? 0 : this.#count(source);
    this.#refreshBlocked();
    const facts = { isIgnored, count, isBlocked: this.#blocked.has(source) };
    const { outcome, banner, react } = decideSighting(config, sighting, facts);
    // A block does not wait for a name; the lines about it do.
    const block = react === "block" ? await this.#block(sighting) : null;
    const name = config.resolveHost ? await this.#names.of(source) : source;
    if (isIgnored && this.#options.verbose)
      log(`Host: ${source} found in ignore file ${config.ignoreFile}, aborting actions`);
    if (wording === 1 && outcome.triggered === "true")
      for (const line of renderAttack(sighting, name)) log(line);
    if (banner) sendBanner();
    let blocked: Flag = outcome.blocked;
    if (react === "already blocked") log(renderAlreadyBlocked(sighting, name, wording));
    else if (block !== null) {
      for (const line of block.lines(name)) log(line);
      if (block.done) this.#remember(sighting, name);
      blocked = block.done ? "true" : "false";
    } else if (wording === 1 && outcome.noblock === "true") {
      log(`attackalert: Ignoring ${sighting.protocol} response per configuration file setting.`);
    }
    if (wording === 1) return;
    const line = renderScan(sighting, name, { ...outcome, blocked });
    log(line);
    this.#appendHistory(renderHistory(line, sighting, name, 2));
  }

  #refreshBlocked(): void {
    try {
      this.#blocked.refresh();
    } catch (error) {
      const { config, log } = this.#options;
      log(
        `adminalert: ERROR: Cannot read ${config.blockedFile}: ${describeError(error)}; its last content counts`,
      );
    }
  }

  #appendHistory(line: string): void {
    const { historyFile } = this.#options.config;
    if (historyFile !== "")
      this.#write(() => appendTo(historyFile, Buffer.from(`${line}\n`), { anything: true }), historyFile);
  }

  /** Done when at least one step succeeded; its lines want the source's name. */
  async #block(sighting: Sighting): Promise<{ done: boolean; lines: (name: string) => string[] }> {
    const { source } = sighting;
    const guardrail = this.#options.guardrail?.(source) ?? null;
    if (guardrail !== null) {
      const lines = (name: string) => [`attackalert: Host: ${name}/${source} is never blocked: ${guardrail}`];
      return { done: false, lines };
    }
    const { config, mode, wording } = this.#options;
    const told: string[] = [];
    let done = false;
    for (const step of planBlock(config, sighting, mode)) {
      if (step.do === "nothing") {
        told.push(renderNothing(step.key, wording));
        continue;
      }
      const { hostsDeny } = this.#options;
      const failure = await runStep(step, { hostsDeny, ending: this.#ending.signal });
      if (failure === null) done = true;
      told.push(failure === null ? renderStep(step, sighting) : renderFailure(step, sighting, failure));
    }
    const lines = (name: string) => (done ? told : [...told, renderUnblocked(sighting, name, wording)]);
    return { done, lines };
  }

  #remember(sighting: Sighting, name: string): void {
    const { config, wording } = this.#options;
    const line = renderHistory("", sighting, name, 1);
    this.#write(() => this.#blocked.add(sighting.source, line), config.blockedFile);
    if (wording === 1) this.#appendHistory(line);
  }

  #write(work: () => void, path: string): void {
    try {
      work();
    } catch (error) {
      this.#options.log(`adminalert: ERROR: Cannot write ${path}: ${describeError(error)}`);
    }
  }

  #count(source: Address): number {
    const count = (this.#counts.get(source) ?? 0) + 1;
    if (count === 1 && this.#counts.size >= MAX_SOURCES) {
      for (const oldest of this.#counts.keys()) {
        this.#counts.delete(oldest);
        break;
      }
    }
    this.#counts.set(source, count);
    return count;
  }
}
