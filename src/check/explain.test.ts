// Why a line is where it is, and which rules do any work.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import { Explainer } from "./explain.ts";
import { loadRuleBook, type RuleBook } from "./rules.ts";
import { Survey } from "./survey.ts";

const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 40);

function bookOf(t: test.TestContext, files: Record<string, string>): { book: RuleBook; dir: string } {
  const dir = mkdtempSync(join(tmpdir(), "telltale-explain-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  return { book: loadRuleBook(dir, { level: "server" }), dir };
}

const RULES = {
  "cracking.d/k": "attack\n",
  "violations.d/su": "su: .*\nsu: FAILED\n",
  "violations.d/logcheck": "denied\n",
  "violations.d/ssh": "sshd.*denied\n",
  "violations.ignore.d/logcheck-su": "su: opened\n",
  "violations.ignore.d/any": "cups\n",
  "ignore.d.server/cron": "CRON\n^\\w{3} [ :0-9]{11} host quiet$\n",
};

test("names the rules that decide, and says the verdict in one sentence", (t) => {
  const { book, dir } = bookOf(t, RULES);
  const explainer = new Explainer(book);
  const verdict = (line: string) => explainer.explain(Buffer.from(line)).verdict.replaceAll(`${dir}/`, "");
  assert.equal(verdict("su: FAILED"), "reported in the violations layer, section su, by violations.d/su:1");
  assert.equal(
    verdict("su: opened"),
    "ignored: raised by violations.d/su:1, cancelled by violations.ignore.d/logcheck-su:1",
  );
  assert.equal(
    verdict("denied by cups"),
    "ignored: raised by violations.d/logcheck:1, cancelled by violations.ignore.d/any:1",
  );
  assert.equal(
    verdict("sshd: denied"),
    "reported in the violations layer, section ssh, by violations.d/ssh:1",
  );
  assert.equal(verdict("attack: denied"), "reported in the cracking layer, section k, by cracking.d/k:1");
  assert.equal(verdict("CRON"), "ignored by ignore.d.server/cron:1");
  assert.equal(verdict("2026-11-22T19:51:02+01:00 host quiet"), "ignored by ignore.d.server/cron:2");
  assert.equal(verdict("what is this"), "reported in the system layer: no rule matches it");
  const { raised } = explainer.explain(Buffer.from("su: FAILED"));
  assert.deepEqual(
    raised.map(({ section, rules }) => `${section} ${rules.map(({ line }) => line)}`),
    ["su 1,2"],
  );
});

test("never disagrees with the classifier", (t) => {
  const { book } = bookOf(t, RULES);
  const explainer = new Explainer(book);
  const words = fc.constantFrom("attack", "su:", "FAILED", "opened", "denied", "sshd", "cups", "CRON", "x");
  fc.assert(
    fc.property(fc.array(words, { maxLength: 5 }), (parts) => {
      const line = Buffer.from(parts.join(" "));
      const { reported, raised, ignoredBy } = explainer.explain(line);
      assert.deepEqual(reported[0] ?? null, book.classify(line));
      const standing = raised.filter(({ cancelledBy }) => cancelledBy.length === 0);
      assert.equal(
        standing.length > 0 || (raised.length === 0 && ignoredBy.length === 0),
        reported.length > 0,
      );
    }),
    { numRuns: RUNS },
  );
});

test("counts hits, finds dead, shadowed and doubled rules", (t) => {
  const { book, dir } = bookOf(t, {
    "ignore.d.server/a": "^one\n^one two$\nnever\nbroken (\n",
    "ignore.d.server/b": "^one\nthree\n",
    "violations.d/x": "^one\n",
    "violations.d/y": "bad\n",
  });
  const survey = new Survey(book);
  for (const line of ["one", "one two", "three", "three", "bad \u001b[31m"]) {
    survey.take(Buffer.from(line), "/var/log/syslog");
  }
  assert.equal(survey.lineCount, 5);
  const place = (owned?: { rule: { place: { file: string; line: number } } }) =>
    owned === undefined ? "" : `${owned.rule.place.file.slice(dir.length + 1)}:${owned.rule.place.line}`;
  const rows = survey
    .result()
    .map((row) =>
      [
        place(row),
        row.hits,
        row.soleHits,
        place(row.shadowedBy),
        place(row.duplicateOf),
        row.lastHit?.line ?? "",
        row.fault === undefined ? "" : "invalid",
      ].join(" | "),
    );
  assert.deepEqual(rows, [
    "violations.d/x:1 | 2 | 2 |  |  | one two | ",
    "violations.d/y:1 | 1 | 1 |  |  | bad \\x1b[31m | ",
    "ignore.d.server/a:1 | 2 | 0 |  |  | one two | ",
    "ignore.d.server/a:2 | 1 | 0 | ignore.d.server/a:1 |  | one two | ",
    "ignore.d.server/a:3 | 0 | 0 |  |  |  | ",
    "ignore.d.server/a:4 | 0 | 0 |  |  |  | invalid",
    "ignore.d.server/b:1 | 2 | 0 | ignore.d.server/a:1 | ignore.d.server/a:1 | one two | ",
    "ignore.d.server/b:2 | 2 | 2 |  |  | three | ",
  ]);
});
