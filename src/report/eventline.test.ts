import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { Event } from "../core/events.ts";
import { eventLine } from "./eventline.ts";
import { everyType, HOSTILE, line, stamped } from "./fixtures/events.ts";

process.env["TZ"] = "UTC";

test("has one aligned line for every event there is", (t) => {
  const lines = everyType().map((event) => eventLine(event, { colour: false, width: 0 }));
  for (const each of lines) assert.match(each, /^\d\d:\d\d:\d\d {2}\S[\S ]{9} {2}\S/);
  t.assert.fileSnapshot(`${lines.join("\n")}\n`, "src/report/fixtures/console.snapshot", {
    serializers: [String],
  });
});

test("fits the width of the terminal", () => {
  for (const event of everyType()) {
    const shown = eventLine(event, { colour: false, width: 60 });
    assert.ok([...shown].length <= 60, shown);
  }
});

test("writes colours only when asked, and ends each", () => {
  for (const event of everyType()) {
    assert.doesNotMatch(eventLine(event, { colour: false, width: 0 }), /\x1b/);
    const coloured = eventLine(event, { colour: true, width: 80 });
    assert.equal(coloured.match(/\x1b\[[\d;]+m/g)?.at(-1) ?? "\x1b[0m", "\x1b[0m");
    assert.equal(coloured.replace(/\x1b\[[\d;]*m/g, ""), eventLine(event, { colour: false, width: 80 }));
  }
});

test("shows an event of a newer telltale by its name", () => {
  const unknown = { ...stamped(line("system", "x")), type: "moon.rose" } as unknown as Event;
  assert.match(eventLine(unknown, { colour: false, width: 0 }), /event +moon\.rose$/);
});

test("keeps hostile text from moving the cursor, colouring or breaking the line", () => {
  fc.assert(
    fc.property(fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: "binary" })), (text) => {
      const shown = eventLine(stamped(line("cracking", text)), { colour: false, width: 0 });
      assert.doesNotMatch(shown, /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]/);
    }),
  );
});
