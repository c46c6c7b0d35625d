// What the guard shows in the foreground: first the status block, then a line an event; or all events as JSON.
import type { Event } from "../core/events.ts";
import { eventLine } from "../report/eventline.ts";
import type { StatusRow } from "./lifecycle.ts";
import type { Settings } from "./settings.ts";
import { statusBlock } from "./status.ts";
import { wantsColour, widthOf } from "./terminal.ts";

export class Screen {
  readonly #json: boolean;
  readonly #out = process.stdout;
  // Until the status block stands, events wait: a reader sees first what watches, then what happened.
  #early: Event[] | null;

  constructor(json: boolean) {
    this.#json = json;
    this.#early = json ? null : [];
  }

  /** Bound, so that a bus can be handed it. */
  readonly show = (event: Event): void => {
    if (this.#early !== null) this.#early.push(event);
    else this.#print(event);
  };

  /** Shows the block, and what happened meanwhile. */
  ready(settings: Settings, rows: readonly StatusRow[]): void {
    if (this.#json) return;
    this.#out.write(statusBlock(settings, rows, wantsColour(this.#out)));
    const early = this.#early ?? [];
    this.#early = null;
    for (const event of early) if (event.type !== "guard.started") this.#print(event);
  }

  #print(event: Event): void {
    if (this.#json) {
      this.#out.write(`${JSON.stringify(event)}\n`);
      return;
    }
    if (isEcho(event)) return;
    const width = this.#out.isTTY ? widthOf(this.#out) : 0;
    this.#out.write(`${eventLine(event, { colour: wantsColour(this.#out), width })}\n`);
  }
}

// A scanner that goes on is judged again and found to be blocked already: true, kept in the store, and no news.
function isEcho(event: Event): boolean {
  return (
    event.type === "verdict.reached" &&
    event.verdict.action === "ignore" &&
    event.verdict.guardrail === undefined
  );
}
