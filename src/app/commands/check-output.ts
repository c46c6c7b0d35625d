// What `telltale check` prints: with --json each event as it comes; otherwise the lines that remain, held until all is
// read because the most serious come first. Strangers decide how many remain, so past a bound they wait on disk.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { IGNORED } from "../../check/classify.ts";
import { EchoFilter } from "../../check/echoes.ts";
import type { RuleBook } from "../../check/rules.ts";
import { SortedLines } from "../../check/sortedlines.ts";
import type { TeamOutput } from "../../check/team/team.ts";
import type { Event, EventBody, Layer } from "../../core/events.ts";
import { showable, showableBytes } from "../../core/hostile.ts";
import { BlockWriter, type FaceOutput } from "../../faces/output.ts";
import { eventLine } from "../../report/eventline.ts";
import type { Bus } from "../bus.ts";

const LAYERS: readonly { readonly layer: Layer; readonly title: string }[] = [
  { layer: "cracking", title: "Active System Attack Alerts" },
  { layer: "violations", title: "Security Violations" },
  { layer: "system", title: "Unusual System Events" },
];

// Half of it again may be spent on where its lines begin and end; the rules take some 100 MB.
const HELD_BYTES = 16 << 20;

export class CheckOutput {
  unreadable = 0;
  readonly #rules: RuleBook;
  readonly #json: boolean;
  readonly #bus: Bus;
  readonly #output: FaceOutput;
  readonly #echoes: EchoFilter | null;
  readonly #lines = new SortedLines({
    order: "arrival",
    spillDir: () => this.#spillDir(),
    budgetBytes: HELD_BYTES,
  });
  readonly #found: Record<Layer, number> = { cracking: 0, violations: 0, system: 0 };
  #read = 0;
  #directory: string | null = null;

  /** @param oncePerLine a line that another source told already is left out */
  constructor(rules: RuleBook, json: boolean, bus: Bus, output: FaceOutput, oncePerLine = false) {
    this.#echoes = oncePerLine ? new EchoFilter() : null;
    this.#rules = rules;
    this.#json = json;
    this.#bus = bus;
    this.#output = output;
  }

  /** One line of a log, newline excluded; the bytes may change once it returns. */
  take(source: string, bytes: Uint8Array, start = 0, end = bytes.length): void {
    this.#read++;
    if (this.#rules.verdict(bytes, start, end) !== IGNORED) this.#report(source, bytes, start, end);
  }

  /** Takes lines of a log that are judged already. */
  judged(source: string): TeamOutput {
    return {
      take: (bytes, start, end) => this.#report(source, bytes, start, end),
      count: (lines) => {
        this.#read += lines;
      },
    };
  }

  #report(source: string, bytes: Uint8Array, start: number, end: number): void {
    const line = bytes.subarray(start, end);
    const found = this.#rules.classify(line);
    if (found === null || this.#echoes?.isEcho(line, source) === true) return;
    const { layer, rule } = found;
    this.#found[layer]++;
    if (this.#json) {
      this.tell({ type: "line.found", layer, source, line: showableBytes(line), ...(rule && { rule }) });
    } else {
      const section = LAYERS.findIndex((each) => each.layer === layer);
      this.#lines.add(section, line, 0, line.length);
    }
  }

  /** What is to be said beside the lines: a log that shrank, lines that were cut, a log that cannot be read. */
  tell(body: EventBody): Event {
    const event = this.#bus.stamp(body);
    if (this.#json) this.#output.out(Buffer.from(`${JSON.stringify(event)}\n`));
    if (event.type === "log.unreadable") {
      this.unreadable++;
      this.#output.err(
        `telltale check: ${showable(event.path)}: ${showable(event.why)}\n    mend: ${showable(event.mend)}\n`,
      );
    } else if (!this.#json) this.#output.err(`${eventLine(event, { colour: false, width: 0 })}\n`);
    return event;
  }

  /** Everything was read: prints what was held. */
  finish(): void {
    if (this.#json) return;
    const writer = new BlockWriter(this.#output.out);
    LAYERS.forEach(({ layer, title }, section) => {
      if (this.#found[layer] === 0) return;
      writer.add(Buffer.from(`${title}\n${"=-".repeat(title.length).slice(0, title.length)}\n`));
      this.#lines.visit(section, (bytes, start, end) =>
        writer.add(Buffer.from(`${showableBytes(bytes.subarray(start, end))}\n`)),
      );
      writer.add(Buffer.from("\n"));
    });
    writer.flush();
    const found = this.#found.cracking + this.#found.violations + this.#found.system;
    this.#output.err(`${found.toLocaleString("en")} of ${this.#read.toLocaleString("en")} lines remain.\n`);
  }

  [Symbol.dispose](): void {
    this.#lines[Symbol.dispose]();
    if (this.#directory !== null) rmSync(this.#directory, { recursive: true, force: true });
  }

  #spillDir(): string {
    return (this.#directory ??= mkdtempSync(join(tmpdir(), "telltale-check-")));
  }
}
