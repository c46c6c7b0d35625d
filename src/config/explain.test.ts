import assert from "node:assert/strict";
import test from "node:test";
import { parse } from "smol-toml";
import { everyKey, explainKeys, type KeyAnswer } from "./explain.ts";
import { KEYS } from "./keys.ts";
import { parseConfigs } from "./parse.ts";
import { kindInWords, tomlValue } from "./render.ts";

const read = (...texts: readonly string[]) =>
  parseConfigs(texts.map((text, index) => ({ file: `${index}.toml`, text, table: parse(text) })));

function answers(name: string, ...texts: readonly string[]): readonly KeyAnswer[] {
  const found = explainKeys(name, read(...texts));
  assert.ok(!("nearest" in found), name);
  return found;
}

test("names the value in force, its place, what it overrides, default, bounds and reason", () => {
  const [answer] = answers(
    "respond.block_for",
    '[respond]\nblock_for = "5m"\n',
    '[respond]\nblock_for = "20m"\n',
  );
  assert.equal(answer!.value, "20m");
  assert.deepEqual(answer!.from, { file: "1.toml", line: 2 });
  assert.deepEqual(answer!.overridden, [{ file: "0.toml", line: 2, written: "5m" }]);
  assert.equal(answer!.fallback, "10m");
  assert.match(kindInWords(answer!.kind), /a duration from 1s to/);
  assert.match(answer!.reason, /scan is over in minutes/);
});

test("without a word in any file the default holds", () => {
  const [answer] = answers("respond.mode", "");
  assert.deepEqual([answer!.value, answer!.from], ["observe", null]);
});

test("a faulty value is not the one in force", () => {
  const [answer] = answers("respond.max_blocks", "[respond]\nmax_blocks = 0\n");
  assert.deepEqual([answer!.value, answer!.from], [100_000, null]);
});

test("a section explains all of its keys, a retention group its own", () => {
  const sentry = KEYS.filter(({ name }) => name.startsWith("sentry.")).length;
  assert.equal(answers("sentry", "").length, sentry);
  const text = '[retention.web]\npaths = ["/srv/web/*.log"]\nmax_files = 3\n';
  const [files] = answers("retention.web.max_files", text);
  assert.deepEqual([files!.value, files!.from?.line], [3, 3]);
  assert.ok(answers("retention.web", text).length > 3);
});

test("an unknown key gets the nearest known one", () => {
  const cases: [string, string][] = [
    ["respond.blok_for", "respond.block_for"],
    ["block_for", "respond.block_for"],
    ["sentri", "sentry"],
    ["blockfor", "respond.block_for"],
    ["x".repeat(10_000), ""],
  ];
  for (const [asked, want] of cases) {
    const found = explainKeys(asked, read(""));
    assert.ok("nearest" in found);
    if (want !== "") assert.equal(found.nearest[0], want);
    assert.ok(found.nearest.length <= 5);
  }
});

test("a key that several sections have is looked for in all of them, and part of a name will do", () => {
  const meant = (name: string) => {
    const found = explainKeys(name, read(""));
    return "nearest" in found ? found.nearest : [];
  };
  assert.deepEqual([...meant("every")].sort(), ["disk.every", "report.every", "rotate.every"]);
  assert.deepEqual(meant("tripwire"), ["sentry.tripwire_ports"]);
  assert.ok(meant("webhook").includes("webhook.NAME"));
});

test("every key has its answer, and what is shown of it reads back as the same value", () => {
  const all = everyKey(
    read('[retention.web]\npaths = ["/srv/web/*.log"]\n[webhook.chat]\nshape = "slack"\n'),
  );
  assert.ok(all.length > KEYS.length);
  assert.ok(all.some(({ key, value }) => key === "webhook.chat.shape" && value === "slack"));
  for (const { key, value } of all) {
    if (/^(?:retention|webhook)\./.test(key)) continue;
    const [section, name] = key.split(".");
    assert.deepEqual(read(`[${section}]\n${name} = ${tomlValue(value)}\n`).faults, [], key);
  }
  assert.equal(parse(`a = ${tomlValue('q"\\\u007f\u0001é')}`)["a"], 'q"\\\u007f\u0001é');
});
