// The decision for one line, as a table over small rule directories, and over the rules that Debian ships.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "node:test";
import { loadRuleBook, type RuleBook, type RuleBookOptions } from "./rules.ts";

type Files = Record<string, string | Uint8Array>;

function ruleDir(t: test.TestContext, files: Files): string {
  const dir = mkdtempSync(join(tmpdir(), "telltale-rules-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  for (const layer of [
    "cracking.d",
    "violations.d",
    "violations.ignore.d",
    "ignore.d.server",
    "ignore.d.paranoid",
  ])
    mkdirSync(join(dir, layer));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  return dir;
}

function bookOf(t: test.TestContext, files: Files, options: Partial<RuleBookOptions> = {}): RuleBook {
  return loadRuleBook(ruleDir(t, files), { level: "server", ...options });
}

function say(book: RuleBook, line: string): string {
  const found = book.classify(Buffer.from(line));
  return found === null ? "ignored" : `${found.layer}/${found.section}`;
}

test("each layer hands down what it does not raise", (t) => {
  const book = bookOf(t, {
    "cracking.d/kernel": "# comment\n\n   \nattack\n",
    "violations.d/ssh": "refused\nattack\n",
    "violations.ignore.d/ssh": "refused .* friend$\n",
    "ignore.d.server/cron": "CRON\n",
  });
  assert.deepEqual(book.faults, []);
  assert.equal(book.ruleCount, 5);
  assert.equal(say(book, "an attack"), "cracking/kernel");
  assert.equal(say(book, "it refused"), "violations/ssh");
  assert.equal(say(book, "it refused a friend"), "ignored");
  assert.equal(say(book, "CRON ran"), "ignored");
  assert.equal(say(book, "something new"), "system/");
  assert.equal(say(book, ""), "system/");
});

test("the rule that raised a line is named with its file and line", (t) => {
  const dir = ruleDir(t, { "violations.d/ssh": "# head\nfirst\nsecond\n" });
  const found = loadRuleBook(dir, { level: "server" }).classify(Buffer.from("a second thing"));
  assert.deepEqual(found?.rule, { file: join(dir, "violations.d/ssh"), line: 3, text: "second" });
});

test("violations are cancelled by their namesake, its logcheck- twin and the local files, and by no other", (t) => {
  const book = bookOf(t, {
    "violations.d/su": "su:\n",
    "violations.ignore.d/su": "one\n",
    "violations.ignore.d/logcheck-su": "two\n",
    "violations.ignore.d/local": "three\n",
    "violations.ignore.d/local-more": "four\n",
    "violations.ignore.d/localx": "five\n",
    "violations.ignore.d/sudo": "six\n",
  });
  for (const word of ["one", "two", "three", "four"]) assert.equal(say(book, `su: ${word}`), "ignored", word);
  for (const word of ["five", "six"]) assert.equal(say(book, `su: ${word}`), "violations/su", word);
});

test("the file logcheck is cancelled by every ignore file, and by what other files report", (t) => {
  const book = bookOf(t, {
    "violations.d/logcheck": "bad\n",
    "violations.d/ssh": "sshd\n",
    "violations.d/logcheck-extra": "extra\n",
    "violations.d/logchecX": "odd\n",
    "violations.ignore.d/anything": "friend\n",
    "violations.ignore.d/ssh": "quiet\n",
  });
  assert.equal(say(book, "bad thing"), "violations/logcheck");
  assert.equal(say(book, "bad friend"), "ignored");
  assert.equal(say(book, "bad sshd"), "violations/ssh");
  assert.equal(say(book, "bad sshd quiet"), "ignored");
  assert.deepEqual(
    book.judge(Buffer.from("bad extra odd")).violations.map(({ section }) => section),
    ["logchecX", "logcheck", "logcheck-extra"],
  );
});

test("a line can stand in several sections, and classify names the first", (t) => {
  const book = bookOf(t, { "violations.d/b": "x\n", "violations.d/a": "xy\n", "cracking.d/z": "xyz\n" });
  const judgement = book.judge(Buffer.from("xyz"));
  assert.equal(judgement.crackingMatched, true);
  assert.deepEqual(
    [...judgement.cracking, ...judgement.violations].map(({ layer, section }) => `${layer}/${section}`),
    ["cracking/z", "violations/a", "violations/b"],
  );
  assert.equal(say(book, "xyz"), "cracking/z");
  assert.equal(say(book, "xy"), "violations/a");
});

test("cracking.ignore.d counts only when it is asked for", (t) => {
  const files = { "cracking.d/k": "attack\n", "cracking.ignore.d/k": "drill\n" };
  assert.equal(say(bookOf(t, files), "attack drill"), "cracking/k");
  assert.equal(say(bookOf(t, files, { supportCrackingIgnore: true }), "attack drill"), "ignored");
});

test("the levels add up: workstation ignores most, paranoid least", (t) => {
  const files = {
    "ignore.d.paranoid/a": "one\n",
    "ignore.d.server/a": "two\n",
    "ignore.d.workstation/a": "three\n",
  };
  const ignored = (level: "workstation" | "server" | "paranoid") => {
    const book = bookOf(t, files, { level });
    return ["one", "two", "three"].filter((line) => book.classify(Buffer.from(line)) === null);
  };
  assert.deepEqual(ignored("paranoid"), ["one"]);
  assert.deepEqual(ignored("server"), ["one", "two"]);
  assert.deepEqual(ignored("workstation"), ["one", "two", "three"]);
});

test("only file names that run-parts takes are rules", (t) => {
  const dir = ruleDir(t, {
    "ignore.d.server/good_Name-1": "a1\n",
    "ignore.d.server/ssh.dpkg-old": "b1\n",
    "ignore.d.server/ssh~": "c1\n",
    "ignore.d.server/.hidden": "d1\n",
    "ignore.d.server/folder/inside": "e1\n",
    elsewhere: "f1\n",
  });
  symlinkSync(join(dir, "elsewhere"), join(dir, "ignore.d.server", "linked"));
  symlinkSync(join(dir, "nowhere"), join(dir, "ignore.d.server", "broken"));
  const book = loadRuleBook(dir, { level: "server" });
  const ignored = ["a1", "b1", "c1", "d1", "e1", "f1"].filter((line) => say(book, line) === "ignored");
  assert.deepEqual(ignored, ["a1", "f1"]);
  assert.deepEqual(
    book.faults.map(({ file }) => file),
    [join(dir, "ignore.d.server", "broken")],
  );
});

test("an invalid rule is named and skipped, and its neighbours stay in force", (t) => {
  const dir = ruleDir(t, {
    "ignore.d.server/x": "good one\nbad (one\ngood two\n",
    "violations.ignore.d/y": "[[:alphanum:]]\n",
  });
  const book = loadRuleBook(dir, { level: "server" });
  assert.equal(book.ruleCount, 2);
  assert.equal(say(book, "good two"), "ignored");
  assert.deepEqual(
    book.faults.map(({ file, line }) => `${file.slice(dir.length + 1)}:${line}`),
    ["ignore.d.server/x:2", "violations.ignore.d/y:1"],
  );
  for (const fault of book.faults) assert.notEqual(fault.mend, "");
});

test("trailing blanks of a line are cut before any rule sees it; a rule keeps its own", (t) => {
  const book = bookOf(t, { "ignore.d.server/x": "^end$\n^rule with blank $\n" });
  assert.equal(say(book, "end \t \r"), "ignored");
  assert.equal(say(book, "end\u2003\u3000"), "ignored");
  assert.equal(say(book, "end\u00a0"), "system/");
  assert.equal(say(book, "rule with blank "), "system/");
  const bytes = bookOf(t, { "ignore.d.server/x": "^end$\n" }, { locale: "C" });
  assert.equal(say(bytes, "end \r"), "ignored");
  assert.equal(say(bytes, "end\u2003"), "system/");
});

test("a rule for one spelling of the timestamp accepts the other, unless that is switched off", (t) => {
  const files = {
    "ignore.d.server/old": "^[[:alpha:]]{3} [ :[:digit:]]{11} [._[:alnum:]-]+ old: hello$\n",
    "ignore.d.server/new": "^[0-9T:.+-]{32} [._[:alnum:]-]+ new: hello$\n",
    "violations.d/old": "^\\w{3} [ :0-9]{11} [^ ]+ old: bad$\n",
  };
  const loose = bookOf(t, files);
  const strict = bookOf(t, files, { eitherTimestamp: false });
  const traditional = "Nov  2 19:51:02 host ";
  const rfc3339 = "2026-11-02T19:51:02.123456+01:00 host ";
  const cases: [string, string, string][] = [
    [`${traditional}old: hello`, "ignored", "ignored"],
    [`${rfc3339}old: hello`, "ignored", "system/"],
    [`2026-11-02T19:51:02Z host old: hello`, "ignored", "system/"],
    [`2026-11-02T19:51:02+0100 host old: hello`, "ignored", "system/"],
    [`${traditional}new: hello`, "ignored", "system/"],
    [`${rfc3339}new: hello`, "ignored", "ignored"],
    [`${rfc3339}old: bad`, "violations/old", "system/"],
    [`${rfc3339}old: worse`, "system/", "system/"],
    ["2026-13-02T19:51:02Z host old: hello", "system/", "system/"],
    ["Nix  2 19:51:02 host new: hello", "system/", "system/"],
  ];
  for (const [line, want, wantStrict] of cases) {
    assert.equal(say(loose, line), want, line);
    assert.equal(say(strict, line), wantStrict, line);
  }
});

test("works with the directories that are there, and names the others", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale-rules-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  mkdirSync(join(dir, "violations.d"));
  writeFileSync(join(dir, "violations.d", "x"), "bad\n");
  const book = loadRuleBook(dir, { level: "server" });
  assert.equal(say(book, "bad"), "violations/x");
  assert.equal(say(book, "other"), "system/");
  assert.equal(book.missing.length, 4);
  const nowhere = loadRuleBook(join(dir, "none"), { level: "server" });
  assert.equal(nowhere.faults.length, 1);
  assert.equal(say(nowhere, "anything"), "system/");
});

test("Debian's rules load without a fault and sort ordinary lines", (t) => {
  if (!existsSync("/etc/logcheck/ignore.d.server/ssh"))
    return t.skip("needs logcheck-database: apt install logcheck-database");
  const book = loadRuleBook("/etc/logcheck", { level: "server" });
  assert.deepEqual(book.faults, []);
  assert.ok(book.ruleCount > 1_500, `${book.ruleCount} rules`);
  const head = "Nov 22 19:51:02 host ";
  assert.equal(say(book, `${head}CRON[12]: pam_unix(cron:session): session closed for user root`), "ignored");
  assert.equal(say(book, `${head}kernel: Oversized packet received from 192.0.2.1`), "cracking/kernel");
  assert.equal(
    say(book, `${head}sudo: eve : user NOT in sudoers ; TTY=pts/0 ; COMMAND=x`),
    "violations/sudo",
  );
  assert.equal(say(book, `${head}frobnicate[3]: never seen before`), "system/");
});
