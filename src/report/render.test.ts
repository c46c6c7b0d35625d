import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { digest } from "./digest.ts";
import { busyHour, HOSTILE, line, scan, stamped, verdict } from "./fixtures/events.ts";
import { renderHtml, renderText, subject } from "./render.ts";
import type { Digest, DigestInput } from "./types.ts";

process.env["TZ"] = "UTC";
const WHOLE = { serializers: [String] };

function made(more: Partial<DigestInput> = {}): Digest {
  return digest({
    host: "web1",
    from: new Date("2026-11-22T19:00:00Z"),
    to: new Date("2026-11-22T20:00:00Z"),
    mode: "block",
    events: busyHour(),
    blocksInForce: [
      {
        target: "192.0.2.7",
        since: "2026-11-22T19:51:02Z",
        until: "2026-11-22T20:01:02Z",
        because: "vertical scan",
        packetsStopped: 64_001,
      },
    ],
    pid: 812,
    ...more,
  });
}

test("reads like a logcheck mail", (t) => {
  const text = renderText(made(), { width: 78 });
  t.assert.fileSnapshot(text, "src/report/fixtures/report.txt.snapshot", WHOLE);
  assert.match(text, /\nActive System Attack Alerts\n=-=-=-=-=-=-=-=-=-=-=-=-=-=\n/);
  assert.match(text, /\nSecurity Violations\n=-=-=-=-=-=-=-=-=-=\n/);
  assert.match(text, /\nUnusual System Events\n=-=-=-=-=-=-=-=-=-=-=\n/);
});

test("has the same in HTML", (t) => {
  t.assert.fileSnapshot(renderHtml(made()), "src/report/fixtures/report.html.snapshot", WHOLE);
});

test("wraps its own sentences, never a line that somebody may search for", () => {
  const long = `Nov 22 19:58:00 web1 app[1]: ${"word ".repeat(60)}end`;
  const text = renderText(made({ events: [stamped(line("system", long))], blocksInForce: [] }), {
    width: 60,
  });
  assert.ok(text.split("\n").includes(long));
  const own = text.split("\n").filter((each) => each !== long);
  for (const each of own) assert.ok(each.length <= 60, each);
});

test("says in observe mode that nothing is blocked, and how to change that", () => {
  const text = renderText(made({ mode: "observe", events: [stamped(verdict("192.0.2.7"))] }), { width: 200 });
  assert.match(text, /1 host would have been blocked\. Mode: observe, nothing is blocked\./);
});

test("says so when there is nothing to say", () => {
  const quiet = made({ events: [], blocksInForce: [] });
  assert.match(renderText(quiet, { width: 78 }), /All quiet.*\n\nNothing to report\.\n$/);
  assert.match(renderHtml(quiet), /Nothing to report/);
  assert.equal(subject(quiet), "web1 2026-11-22 20:00 all quiet");
});

test("names host, time and the gravest section in the subject", () => {
  assert.equal(
    subject(made()),
    "web1 2026-11-22 20:00 Active System Attack Alerts: scans from 2 sources, 1 host blocked, 1 attack line",
  );
  assert.match(
    subject(made({ events: [stamped(line("system", "x"))] })),
    /Unusual System Events: 1 unusual line$/,
  );
});

test("keeps every subject one short line", () => {
  fc.assert(
    fc.property(fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: "binary" })), (host) => {
      const said = subject(made({ host, events: [stamped(line("system", "x"))] }));
      assert.doesNotMatch(said, /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]/);
      assert.ok(said.length <= 160);
    }),
  );
});

test("lets no stranger's text become a tag, an attribute or an entity", () => {
  fc.assert(
    fc.property(fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: "binary" })), (text) => {
      const mine = made({
        events: [stamped(line("system", "x")), stamped(scan("192.0.2.7", [1], { reason: "x" }))],
        host: "x",
      });
      const theirs = made({
        events: [stamped(line("system", text)), stamped(scan("192.0.2.7", [1], { reason: text }))],
        host: text,
      });
      const tags = (html: string) => html.match(/<[^>]*>/g)!.filter((tag) => !tag.startsWith("<title"));
      assert.deepEqual(tags(renderHtml(theirs)), tags(renderHtml(mine)));
    }),
  );
});

test("loads nothing from anywhere", () => {
  const html = renderHtml(made(), { chart: true });
  assert.doesNotMatch(html, /https?:|url\(|<script|<link|javascript:/i);
  assert.match(html, /default-src 'none'/);
  assert.match(html, /prefers-color-scheme: dark/);
});

test("has no line that is a heading's rule but the rules", () => {
  const text = renderText(made({ events: [stamped(line("system", "=-=-=-=-=-="))], blocksInForce: [] }), {
    width: 78,
  });
  assert.equal(text.split("\n").filter((each) => each.startsWith("=-")).length, 1);
});
