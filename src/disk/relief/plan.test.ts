import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { type GenerationFact, type Keep, type LogFact, planRelief, type ReliefFacts } from "./plan.ts";
import { renderRelief } from "./render.ts";

const MB = 1_000_000;
const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 200);

const generation = (path: string, megabytes: number, more: Partial<GenerationFact> = {}): GenerationFact => ({
  path,
  sizeBytes: megabytes * MB,
  diskBytes: megabytes * MB,
  mtimeMs: 0,
  dev: 1,
  ino: 1,
  compressed: /\.gz$/.test(path),
  busy: false,
  ...more,
});

const log = (path: string, more: Partial<LogFact> = {}): LogFact => ({
  path,
  sizeBytes: 0,
  diskBytes: 0,
  keep: "normal",
  compresses: true,
  copies: false,
  generations: [],
  writer: null,
  ...more,
});

const facts = (
  freeMegabytes: number,
  logs: readonly LogFact[],
  more: Partial<ReliefFacts> = {},
): ReliefFacts => ({
  mount: "/var",
  sizeBytes: 1_000 * MB,
  freeBytes: freeMegabytes * MB,
  logBytes: 0,
  aheadBytes: 0,
  logs,
  ...more,
});

const limits = { maxLogBytes: 0, minFreeBytes: 100 * MB, minGenerations: 1 };
const done = (plan: ReturnType<typeof planRelief>) =>
  plan.steps.map((step) => `${step.do} ${step.do === "rotate" ? step.log : step.file.path}`);

test("does nothing without a limit or while it holds", () => {
  const many = [log("/a", { generations: [generation("/a.2", 50), generation("/a.1", 50)] })];
  assert.equal(planRelief(facts(1, many), { ...limits, minFreeBytes: 0 }).verdict, "calm");
  assert.equal(planRelief(facts(100, many), limits).verdict, "calm");
});

test("compresses, then rotates what is large, then removes the oldest", () => {
  const plan = planRelief(
    facts(70, [
      log("/a", {
        sizeBytes: 40 * MB,
        diskBytes: 40 * MB,
        compresses: false,
        generations: [generation("/a.3.gz", 20), generation("/a.2.gz", 20), generation("/a.1", 10)],
      }),
      log("/b", { generations: [generation("/b.1", 10)] }),
    ]),
    limits,
  );
  // 35 MB are needed; a log whose owner does not compress is not compressed.
  assert.equal(plan.verdict, "pressed");
  assert.deepEqual(done(plan), ["compress /b.1", "remove /a.3.gz", "remove /a.2.gz", "rotate /a"]);
  assert.equal(plan.alarm, false);
});

test("when hardly anything is free it removes at once, and compresses nothing", () => {
  const generations = [generation("/a.3", 60), generation("/a.2", 60), generation("/a.1", 60)];
  const plan = planRelief(facts(10, [log("/a", { generations })]), limits);
  assert.equal(plan.verdict, "urgent");
  assert.deepEqual(done(plan), ["remove /a.3", "remove /a.2"]);
});

test("what is only foreseen removes nothing", () => {
  const generations = [generation("/a.3", 60), generation("/a.2", 60), generation("/a.1", 60)];
  const plan = planRelief(facts(110, [log("/a", { generations })], { aheadBytes: 100 * MB }), limits);
  assert.equal(plan.verdict, "ahead");
  assert.deepEqual(done(plan), ["compress /a.3", "compress /a.2"]);
  assert.match(plan.why, /^soon less is free/);
});

test("takes what is valued least first, and never what is valued highly", () => {
  const two = (path: string, keep: Keep, mtimeMs: number) =>
    log(path, {
      keep,
      generations: [generation(`${path}.2.gz`, 30, { mtimeMs }), generation(`${path}.1.gz`, 30, { mtimeMs })],
    });
  const logs = [two("/auth", "high", 1), two("/app", "normal", 2), two("/debug", "low", 3)];
  assert.deepEqual(done(planRelief(facts(60, logs), limits)), ["remove /debug.2.gz", "remove /app.2.gz"]);
  const scarce = planRelief(facts(60, [two("/auth", "high", 1)]), limits);
  assert.deepEqual([done(scarce), scarce.alarm], [[], true]);
});

test("meanwhile, beside work that goes on, only what is urgent is removed", () => {
  const logs = [log("/a", { generations: [generation("/a.2", 60), generation("/a.1", 60)] })];
  assert.deepEqual(done(planRelief(facts(80, logs), limits, true)), []);
  assert.deepEqual(done(planRelief(facts(10, logs), limits, true)), ["remove /a.2"]);
});

test("copies nothing that does not fit, and moves no small log out of turn", () => {
  const large = { sizeBytes: 90 * MB, diskBytes: 90 * MB };
  const plan = planRelief(
    facts(60, [log("/copied", { ...large, copies: true }), log("/small", { sizeBytes: 10, diskBytes: 10 })]),
    limits,
  );
  assert.deepEqual(done(plan), []);
});

test("whatever the facts, what is protected, busy or young stays, and nothing is named twice", () => {
  const someGeneration = fc.record({
    megabytes: fc.integer({ min: 0, max: 50 }),
    mtimeMs: fc.nat(5),
    busy: fc.boolean(),
    gz: fc.boolean(),
  });
  const someLog = fc.record({
    keep: fc.constantFrom<Keep>("high", "normal", "low"),
    megabytes: fc.integer({ min: 0, max: 80 }),
    compresses: fc.boolean(),
    copies: fc.boolean(),
    old: fc.array(someGeneration, { maxLength: 6 }),
  });
  fc.assert(
    fc.property(
      fc.array(someLog, { maxLength: 6 }),
      fc.integer({ min: 0, max: 200 }),
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 0, max: 300 }),
      fc.boolean(),
      (some, free, minGenerations, budget, working) => {
        const logs = some.map(({ megabytes, old, ...more }, i) =>
          log(`/${i}`, {
            ...more,
            sizeBytes: megabytes * MB,
            diskBytes: megabytes * MB,
            generations: old.map((each, n) =>
              generation(`/${i}.${old.length - n}${each.gz ? ".gz" : ""}`, each.megabytes, each),
            ),
          }),
        );
        const all = { maxLogBytes: budget * MB, minFreeBytes: 100 * MB, minGenerations };
        const plan = planRelief(facts(free, logs, { logBytes: 250 * MB }), all, working);
        const touched = plan.steps.map((step) => (step.do === "rotate" ? step.log : step.file.path));
        assert.equal(new Set(touched).size, touched.length);
        for (const each of logs) {
          const removed = plan.steps.filter((step) => step.do === "remove" && step.log === each.path);
          if (each.keep === "high") assert.equal(removed.length, 0);
          assert.ok(removed.length <= Math.max(0, each.generations.length - minGenerations));
        }
        for (const step of plan.steps) if (step.do !== "rotate") assert.ok(!step.file.busy);
        renderRelief(plan, String);
      },
    ),
    { numRuns: RUNS },
  );
});
