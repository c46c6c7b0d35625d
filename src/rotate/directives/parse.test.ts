import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSizeBytes, parseWholeNumber } from "../values/parse.ts";
import { DEFAULTS, DIRECTIVES, nearestDirective } from "./parse.ts";

const names = {
  uidOf: (name: string) => ({ root: 0, syslog: 104, "7": 77 })[name] ?? null,
  gidOf: (name: string) => ({ root: 0, adm: 4 })[name] ?? null,
};

function apply(key: string, value: string) {
  const settings = { ...DEFAULTS };
  const refusal = DIRECTIVES.get(key)!.apply(settings, value, names);
  return { settings, refusal };
}

test("numbers are read as strtoul reads them", () => {
  for (const [text, count] of [
    ["7", 7],
    ["010", 8],
    ["0x1F", 31],
    ["+3", 3],
    ["-1", -1],
    ["0", 0],
  ] as const) {
    assert.equal(parseWholeNumber(text), count, text);
  }
  for (const text of ["", "7d", "1.5", "08", "0x", "--1", "9".repeat(20)])
    assert.equal(parseWholeNumber(text), null, text);
});

test("sizes know k, M and G in exactly this case", () => {
  for (const [text, bytes] of [
    ["100", 100],
    ["100k", 102400],
    ["2M", 2097152],
    ["1G", 1073741824],
  ] as const) {
    assert.equal(parseSizeBytes(text), bytes, text);
  }
  for (const text of ["5m", "5K", "5g", "k", "-5", "5 k", "1e3"])
    assert.equal(parseSizeBytes(text), null, text);
  assert.match(apply("size", "5m").refusal?.mend ?? "", /write 5M/);
});

test("create takes mode, owner and group, each of them optional", () => {
  assert.deepEqual(apply("create", "0640 syslog adm").settings.create, { mode: 0o640, uid: 104, gid: 4 });
  assert.deepEqual(apply("create", "").settings.create, { mode: null, uid: null, gid: null });
  assert.deepEqual(apply("create", "root").settings.create, { mode: null, uid: 0, gid: null });
  assert.deepEqual(apply("create", "0600 7 12").settings.create, { mode: 0o600, uid: 77, gid: 12 });
  assert.deepEqual(apply("create", "0600 :7 :12").settings.create, { mode: 0o600, uid: 7, gid: 12 });
  assert.match(apply("create", "0644 root nosuch").refusal?.message ?? "", /unknown group "nosuch"/);
  assert.match(apply("create", "0644 a b c").refusal?.message ?? "", /extra arguments/);
  assert.match(apply("create", "0948").refusal?.message ?? "", /octal mode, found "0948"/);
});

test("a misspelt value names what was found and how to write it", () => {
  const { refusal } = apply("rotate", "7d");
  assert.equal(refusal?.message, 'wants a whole number, found "7d"');
  assert.match(refusal.mend, /maxage 7/);
  assert.match(apply("rotate", "-2").refusal?.message ?? "", /at least -1, found -2/);
  assert.match(apply("weekly", "9").refusal?.message ?? "", /weekday/);
  assert.match(apply("mail", "a@b -x").refusal?.message ?? "", /one mail address/);
  assert.match(apply("mail", "-oQ/tmp").refusal?.message ?? "", /one mail address/);
  assert.match(apply("dateformat", "-%Y/%m").refusal?.message ?? "", /must not hold a \//);
  assert.match(apply("su", "root").refusal?.message ?? "", /a user and a group/);
});

test("compresscmd brings the extension of a compressor it knows", () => {
  assert.equal(apply("compresscmd", "/usr/bin/zstd").settings.compressExt, ".zst");
  assert.equal(apply("compresscmd", "/opt/own").settings.compressExt, ".gz");
});

test("the last of copy, copytruncate and renamecopy holds, and each is taken back by its own no-form only", () => {
  const settings = { ...DEFAULTS };
  for (const key of ["copytruncate", "renamecopy", "nocopytruncate"])
    DIRECTIVES.get(key)!.apply(settings, "", names);
  assert.equal(settings.copy, "renamecopy");
  DIRECTIVES.get("norenamecopy")!.apply(settings, "", names);
  assert.equal(settings.copy, "no");
});

test("a misspelt directive is answered with its neighbour", () => {
  assert.equal(nearestDirective("compres"), "compress");
  assert.equal(nearestDirective("Daily"), "daily");
  assert.equal(nearestDirective("frobnicate"), null);
});

test("a number after a colon is an id, though an account of that name is there", () => {
  assert.deepEqual(apply("su", ":7 :4").settings.su, { uid: 7, gid: 4 });
  assert.deepEqual(apply("create", "0640 :7 :4").settings.create, { mode: 0o640, uid: 7, gid: 4 });
  assert.equal(apply("create", "0640 7 adm").settings.create?.uid, 77);
});

test("the no-forms of dateyesterday and datehourago take them back", () => {
  for (const [key, setting] of [
    ["dateyesterday", "dateYesterday"],
    ["datehourago", "dateHourAgo"],
  ] as const) {
    const settings = { ...DEFAULTS };
    DIRECTIVES.get(key)!.apply(settings, "", names);
    assert.equal(settings[setting], true);
    DIRECTIVES.get(`no${key}`)!.apply(settings, "", names);
    assert.equal(settings[setting], false);
  }
});
