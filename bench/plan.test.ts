import assert from "node:assert/strict";
import test from "node:test";
import { chosen, durationOf, estimateS, furtherRounds, guess, shortestFirst, spoken } from "./plan.ts";
import type { CaseResult, Duration } from "./types.ts";

const duration = (setUpS: number, roundS: number, laterRoundS = roundS): Duration => ({
  setUpS,
  roundS,
  laterRoundS,
});

const result = (took: Duration | undefined, ...walls: readonly number[][]): CaseResult => ({
  name: "case",
  what: "",
  metrics: [],
  goals: [],
  contenders: walls.map((each, n) => ({
    name: String(n),
    role: "peer",
    command: "",
    obstacle: null,
    samples: each.map((wallMs) => ({ wallMs })),
  })),
  agreement: null,
  at: "",
  commit: "",
  load: 0,
  command: "",
  ...(took === undefined ? {} : { took }),
});

test("a name means that case alone, and a part of a name all that have it", () => {
  const all = ["small", "small-gzip", "idle"];
  const named = (...texts: string[]) => chosen(all, texts, (name) => name);
  assert.deepEqual(named("small"), ["small"]);
  assert.deepEqual(named("smal"), ["small", "small-gzip"]);
  assert.deepEqual(named("idle", "gzip"), ["small-gzip", "idle"]);
  assert.deepEqual(named(), all);
  assert.deepEqual(named("none"), []);
});

test("who runs once only costs its time once", () => {
  assert.equal(estimateS(duration(5, 100, 2), 1), 105);
  assert.equal(estimateS(duration(5, 100, 2), 3), 109);
  assert.equal(spoken(duration(5, 100, 2), 3), "2 min");
  assert.equal(spoken(duration(0.2, 0.4), 2), "1 s");
  assert.equal(spoken(null, 3), "not known");
});

test("a record without durations is judged by the walls in it, and one without either says nothing", () => {
  assert.deepEqual(durationOf(result(duration(1, 2), [9_000])), duration(1, 2));
  assert.equal(durationOf(result(undefined, [1_000, 2_000], [500], []))?.roundS, 2.5);
  assert.equal(durationOf(result(undefined, [])), null);
  assert.equal(guess({ guessS: 200 })?.roundS, 200);
  assert.equal(guess({}), null);
});

test("short cases come first, and what was never measured among those of a minute", () => {
  const cases = [
    { name: "long", took: duration(0, 300) },
    { name: "unknown", took: null },
    { name: "short", took: duration(1, 1) },
  ];
  assert.deepEqual(
    shortestFirst(cases, ({ took }) => took).map(({ name }) => name),
    ["short", "unknown", "long"],
  );
});

test("further rounds are as many as fit into a fair share of the time that is left", () => {
  assert.equal(furtherRounds(duration(10, 20), 2, 1_000, 4), 2, "there is time enough");
  assert.equal(furtherRounds(duration(10, 20), 2, 160, 4), 1, "30 of a share of 40 seconds");
  assert.equal(
    furtherRounds(duration(10, 20), 2, 80, 4),
    0,
    "a share of 20 seconds is over with the material",
  );
  assert.equal(furtherRounds(duration(10, 20), 2, -5, 1), 0, "the time is over");
  assert.equal(furtherRounds(duration(0, 0), 2, 1, 1), 2, "what takes no time");
});
