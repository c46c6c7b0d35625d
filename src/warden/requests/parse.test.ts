// Whatever a listener in a stranger's hands writes is one of the known requests, word for word, or the end.
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { Ask } from "../types.ts";
import { fitsStage, MalformedRequest, parseRequest } from "./parse.ts";

const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 300);

const GOOD = [
  { ask: "hello" },
  { ask: "ready" },
  { ask: "capture" },
  { ask: "touches" },
  { ask: "log", path: "/var/log/syslog" },
  { ask: "report-file" },
  { ask: "mail", mail: "aGVsbG8=" },
  { ask: "facts" },
  { ask: "firewall", call: "apply", args: [[]] },
  { ask: "rotation" },
  { ask: "stored", upTo: 7 },
  { ask: "reply", n: 1, value: { anything: true } },
  { ask: "heard", event: {} },
  { ask: "pong" },
] as const;

test("each known request is read as it was written", () => {
  for (const request of GOOD) {
    assert.deepEqual(parseRequest(JSON.stringify({ id: 4, ...request })), { id: 4, request });
  }
});

test("a request with a field too many, one too few, or one of another kind is none", () => {
  for (const request of GOOD) {
    const fields: Record<string, unknown> = { id: 4, ...request };
    assert.throws(() => parseRequest(JSON.stringify({ ...fields, more: 1 })), MalformedRequest);
    for (const name of Object.keys(fields)) {
      const { [name]: _, ...less } = fields;
      assert.throws(
        () => parseRequest(JSON.stringify(less)),
        MalformedRequest,
        `${request.ask} without ${name}`,
      );
      if (name === "value" || name === "event") continue;
      assert.throws(
        () => parseRequest(JSON.stringify({ ...fields, [name]: { not: "this" } })),
        MalformedRequest,
      );
    }
  }
});

test("no text makes the reader fail in another way", () => {
  const shaped = fc.record(
    {
      id: fc.oneof(fc.nat(), fc.anything()),
      ask: fc.oneof(
        fc.constantFrom(...GOOD.map(({ ask }) => ask)),
        fc.constantFrom("constructor", "__proto__"),
        fc.string(),
      ),
      path: fc.oneof(fc.string(), fc.constant("a\0b"), fc.anything()),
      args: fc.array(fc.anything()),
    },
    { requiredKeys: [] },
  );
  const line = fc.oneof(
    fc.string(),
    fc.json(),
    shaped.map((value) => JSON.stringify(value) ?? ""),
  );
  fc.assert(
    fc.property(line, (text) => {
      try {
        const { id, request } = parseRequest(text);
        assert.ok(Number.isSafeInteger(id) && id >= 0);
        assert.ok(GOOD.some(({ ask }) => ask === request.ask));
      } catch (error) {
        assert.ok(error instanceof MalformedRequest, String(error));
      }
    }),
    { numRuns: RUNS },
  );
});

test("the stages only go forward", () => {
  const at = (stage: Parameters<typeof fitsStage>[1]) =>
    GOOD.map(({ ask }): Ask => ask).filter((ask) => fitsStage(ask, stage));
  assert.deepEqual(at("init"), ["hello", "pong"]);
  assert.ok(!at("config").includes("hello"));
  assert.ok(!at("running").includes("hello") && !at("running").includes("ready"));
  for (const ask of ["capture", "log", "rotation", "facts"] as const) assert.ok(!at("quit").includes(ask));
});
