// What the guard shows in the foreground: first the status block, then a line an event; or all events as JSON. Whoever acts
// on an event comes first: showing waits until they have had their turn. The first alarm of a turn is shown within the very
// call, because whoever reads it may want to act, too.
import type { Event } from "../core/events.ts";
import { eventLine } from "../report/eventline.ts";
import type { StatusRow } from "./lifecycle.ts";
import type { Settings } from "./settings.ts";
import { statusBlock } from "./status.ts";
import { wantsColour, widthOf } from "./terminal.ts";

export class Screen {
  readonly #json: boolean;
  readonly #out = process.stdout;
  #waiting: Event[] = [];
  // Until the status block stands, events wait: a reader sees first what watches, then what happened.
  #open: boolean;
  #turn: NodeJS.Immediate | null = null;

  constructor(json: boolean) {
    this.#json = json;
    this.#open = json;
  }

  /** Bound, so that a bus can be handed it. */
  readonly show = (event: Event): void => {
    this.#waiting.push(event);
    if (!this.#open) return;
    if (event.type === "scan.detected" && this.#turn === null) this.flush();
    this.#turn ??= setImmediate(() => this.flush());
  };

  /** Shows what waits. */
  flush(): void {
    if (this.#turn !== null) clearImmediate(this.#turn);
    this.#turn = null;
    const text = this.#waiting.map((event) => this.#line(event)).join("");
    this.#waiting = [];
    if (text !== "") this.#out.write(text);
  }

  /** Shows the block, and what happened meanwhile. */
  ready(settings: Settings, rows: readonly StatusRow[]): void {
    if (this.#json) return;
    this.#out.write(statusBlock(settings, rows, wantsColour(this.#out)));
    this.#open = true;
    this.#waiting = this.#waiting.filter(({ type }) => type !== "guard.started");
    this.flush();
  }

  #line(event: Event): string {
    if (this.#json) return `${JSON.stringify(event)}\n`;
    if (isRoutine(event)) return "";
    const width = this.#out.isTTY ? widthOf(this.#out) : 0;
    return `${eventLine(event, { colour: wantsColour(this.#out), width })}\n`;
  }
}

// True, kept in the store, and no news: a scanner that goes on is judged again and found to be blocked already; the disks are
// measured each half hour.
function isRoutine(event: Event): boolean {
  return (
    event.type === "disk.sampled" ||
    (event.type === "verdict.reached" &&
      event.verdict.action === "ignore" &&
      event.verdict.guardrail === undefined)
  );
}
