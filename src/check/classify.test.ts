// The classifier, which asks one automaton, against a plain reading of logcheck: one rule file after another, one rule
// at a time, in each spelling of the timestamp.
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { compilePatternSet } from "../pattern/set.ts";
import { Classifier } from "./classify.ts";
import { OTHER_SPELLING_GROWTH_BYTES, writeOtherSpelling } from "./stamp/parse.ts";
import type { Judgement, RuleFile, RuleLayers } from "./types.ts";

const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 25);

const word = fc.constantFrom("alpha", "beta", "gamma", "delta");
const pattern = fc.oneof(
  word,
  fc.tuple(word, word).map(([a, b]) => `${a} ${b}$`),
  word.map((a) => `^\\w{3} [ :0-9]{11} h ${a}`),
  word.map((a) => `^[0-9T:.+-]{32} h ${a}`),
  word.map((a) => `^2000-.*${a}`),
  fc.constantFrom("", "broken ("),
);
const files = (layer: string, names: readonly string[]) =>
  fc.dictionary(fc.constantFrom(...names), fc.array(pattern, { maxLength: 3 })).map((made) =>
    Object.keys(made)
      .sort()
      .map(
        (name): RuleFile => ({
          name,
          rules: made[name]!.map((text, i) => ruleOf(text, `${layer}/${name}`, i + 1)),
        }),
      ),
  );
const raising = ["logcheck", "logcheck-x", "ssh", "su"];
const cancelling = ["ssh", "logcheck-ssh", "local", "local-x", "other", "logcheck"];
const layers: fc.Arbitrary<RuleLayers> = fc.record({
  cracking: files("cracking", raising),
  crackingIgnore: files("crackingIgnore", cancelling),
  violations: files("violations", raising),
  violationsIgnore: files("violationsIgnore", cancelling),
  ignore: files("ignore", ["a", "b"]),
});
const stamp = fc.constantFrom(
  "Nov 22 19:51:02 h ",
  "2026-11-22T19:51:02.000000+00:00 h ",
  "2026-11-22T19:51:02Z h ",
  "",
);
const line = fc
  .tuple(stamp, fc.array(word, { maxLength: 3 }), fc.constantFrom("", " "))
  .map(([head, words, end]) => Buffer.from(`${head}${words.join(" ")}${end}`));

function ruleOf(text: string, file: string, at: number) {
  return { place: { file, line: at, text }, bytes: new TextEncoder().encode(text) };
}

// Whether the file's rules match, one by one.
function hits(file: RuleFile, spellings: readonly Uint8Array[]): boolean {
  return file.rules.some(({ bytes }) => {
    const { set } = compilePatternSet([bytes], { locale: "C" });
    return spellings.some((spelling) => set.matches(spelling));
  });
}

type Told = { cracking: string[]; violations: string[]; system: boolean; crackingMatched: boolean };

function plainReading(all: RuleLayers, spellings: readonly Uint8Array[]): Told {
  const sections = (raise: readonly RuleFile[], ignore: readonly RuleFile[]) =>
    raise
      .filter((file) => {
        if (!hits(file, spellings)) return false;
        const cancels = (wanted: (name: string) => boolean) =>
          ignore.some((other) => wanted(other.name) && hits(other, spellings));
        if (cancels((name) => name === file.name || name === `logcheck-${file.name}`)) return false;
        if (cancels((name) => name === "local" || name.startsWith("local-"))) return false;
        if (file.name !== "logcheck") return true;
        if (cancels(() => true)) return false;
        return !raise.some((other) => !/^logcheck*/.test(other.name) && hits(other, spellings));
      })
      .map(({ name }) => name);
  const matches = (set: readonly RuleFile[]) => set.some((file) => hits(file, spellings));
  return {
    cracking: sections(all.cracking, all.crackingIgnore),
    violations: sections(all.violations, all.violationsIgnore),
    crackingMatched: matches(all.cracking),
    system: !matches(all.ignore) && !matches(all.cracking) && !matches(all.violations),
  };
}

function toldBy(judgement: Judgement): Told {
  return {
    cracking: judgement.cracking.map(({ section }) => section),
    violations: judgement.violations.map(({ section }) => section),
    crackingMatched: judgement.crackingMatched,
    system: judgement.system,
  };
}

function spellingsOf(bytes: Buffer, either: boolean): Uint8Array[] {
  const trimmed = Buffer.from(bytes.toString().trimEnd());
  const into = new Uint8Array(trimmed.length + OTHER_SPELLING_GROWTH_BYTES);
  const length = either ? writeOtherSpelling(trimmed, 0, trimmed.length, into) : -1;
  return length < 0 ? [trimmed] : [trimmed, into.subarray(0, length)];
}

test("agrees with the plain reading of logcheck, in one spelling of the timestamp and in both", () => {
  fc.assert(
    fc.property(
      layers,
      fc.array(line, { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      (all, lines, either) => {
        const classifier = new Classifier(all, { locale: "C", eitherTimestamp: either });
        for (const bytes of lines) {
          const told = plainReading(all, spellingsOf(bytes, either));
          assert.deepEqual(toldBy(classifier.judge(bytes)), told, bytes.toString());
          const first = classifier.classify(bytes);
          const [attack] = told.cracking;
          const [violation] = told.violations;
          const want = told.system
            ? "system/"
            : attack
              ? `cracking/${attack}`
              : violation
                ? `violations/${violation}`
                : null;
          assert.equal(first === null ? null : `${first.layer}/${first.section}`, want);
        }
        const broken = Object.values(all).flatMap((set) => set.flatMap(({ rules }) => rules));
        assert.equal(
          classifier.faults.length,
          broken.filter(({ place }) => place.text === "broken (").length,
        );
      },
    ),
    { numRuns: RUNS },
  );
});

test("judges a line inside a larger buffer by that line alone", () => {
  const rules = [{ name: "a", rules: [ruleOf("^quiet$", "a", 1)] }];
  const empty = { cracking: [], crackingIgnore: [], violations: [], violationsIgnore: [] };
  const classifier = new Classifier({ ...empty, ignore: rules }, { locale: "C", eitherTimestamp: true });
  const buffer = Buffer.from("loud\nquiet \nloud");
  assert.equal(classifier.judge(buffer, 5, 11).system, false);
  assert.equal(classifier.judge(buffer, 4, 11).system, true);
  assert.equal(classifier.judge(buffer, 5, 12).system, false);
  assert.equal(classifier.judge(buffer, 5, 13).system, true);
});
