// What a report says of its lines, held against sort(1) and sed(1), which are what logcheck uses.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import { Gatherer } from "./gather.ts";
import { loadRuleBook } from "./rules.ts";

const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 40);

const word = fc.constantFrom("Nov", "22", "10:00", "10:01", "host", "bad", "");
const gap = fc.constantFrom(" ", " ", "  ", "\t", "\u2003");
const line = fc
  .array(fc.tuple(word, gap), { maxLength: 5 })
  .map((parts) => parts.map(([text, blanks]) => text + blanks).join(""))
  .chain((text) => fc.constantFrom(text, text.trimEnd(), `${text}x`));

test("a section is what sort and sed make of its lines, blanks at their ends included", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale-gather-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  mkdirSync(join(dir, "violations.d"));
  writeFileSync(join(dir, "violations.d", "x"), "bad\n");
  const book = loadRuleBook(dir, { level: "server", eitherTimestamp: false });
  fc.assert(
    fc.property(
      fc.array(line, { minLength: 1, maxLength: 40 }),
      fc.boolean(),
      fc.constantFrom(200, 1 << 20),
      (lines, sortUniq, budgetBytes) => {
        const text = `${lines.join("\n")}\n`;
        const real = spawnSync(
          "sh",
          ["-c", `sort ${sortUniq ? "-u" : "-k 1,3 -s"} | sed -e 's/[[:space:]]*$//'`],
          { input: text, encoding: "utf8", env: { PATH: process.env["PATH"], LC_ALL: "C.UTF-8" } },
        );
        const want = real.stdout.split("\n").slice(0, -1);
        using gatherer = new Gatherer(book, { sortUniq, spillDir: () => dir, budgetBytes });
        gatherer.write(Buffer.from(text));
        gatherer.endOfLog();
        const visited: string[] = [];
        const poured: Buffer[] = [];
        for (const section of gatherer.sections()) {
          gatherer.visit(section, (bytes, start, end) =>
            visited.push(Buffer.from(bytes.subarray(start, end)).toString()),
          );
          gatherer.pour(section, (bytes, start, end) => poured.push(Buffer.from(bytes.subarray(start, end))));
        }
        assert.deepEqual(visited, [
          ...want.filter((each) => each.includes("bad")),
          ...want.filter((each) => !each.includes("bad")),
        ]);
        assert.equal(Buffer.concat(poured).toString(), visited.map((each) => `${each}\n`).join(""));
      },
    ),
    { numRuns: RUNS },
  );
});
