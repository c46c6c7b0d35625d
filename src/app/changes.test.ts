import assert from "node:assert/strict";
import test from "node:test";
import { parse } from "smol-toml";
import { parseConfig } from "../config/parse.ts";
import { changesBetween } from "./changes.ts";
import type { Settings } from "./settings.ts";

function settings(text: string): Settings {
  const { config } = parseConfig("t.toml", text, parse(text));
  return {
    config,
    mode: config.respond.mode,
    allow: [],
    tripwires: [],
    rotateConfigs: [],
  } as unknown as Settings;
}

test("a change is told as somebody would write it", () => {
  const before = settings('[respond]\nblock_for = "10m"\n[report]\nevery = "1h"\n');
  const after = settings(
    '[respond]\nblock_for = "2h"\nallow = ["192.0.2.1"]\n[report]\nevery = "daily at 06:25"\n',
  );
  assert.deepEqual(changesBetween(before, after), [
    'respond.block_for: "10m" is now "2h"',
    'respond.allow: [] is now ["192.0.2.1"]',
    'report.every: "1h" is now "daily at 06:25"',
  ]);
  assert.deepEqual(changesBetween(after, after), []);
});

test("groups of files are told by name", () => {
  const group = (name: string, files: number) =>
    `[retention.${name}]\npaths = ["/srv/${name}/*.log"]\nmax_files = ${files}\n`;
  const changes = changesBetween(
    settings(group("a", 1) + group("b", 1) + group("c", 1)),
    settings(group("b", 1) + group("c", 2) + group("d", 1)),
  );
  assert.deepEqual(changes, ["[retention.a] is gone", "[retention.c] has changed", "[retention.d] is new"]);
});

test("of a webhook's address only the host is told: the rest of it is a secret", () => {
  const hook = (url: string) => settings(`[report]\nwebhook = "${url}"\n[webhook.x]\nurl = "${url}"\n`);
  const [none, one, two] = [
    settings(""),
    hook("https://hooks.example/T0/secret"),
    hook("https://hooks.example/T0/new"),
  ];
  assert.deepEqual(changesBetween(none, one), [
    'report.webhook: "" is now "https://hooks.example/..."',
    "[webhook.x] is new",
  ]);
  assert.deepEqual(changesBetween(one, two), ["report.webhook has changed", "[webhook.x] has changed"]);
});
