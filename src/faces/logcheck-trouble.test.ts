// What our logcheck does where something is amiss: what is broken costs itself, is named, and nothing that was not told
// counts as read.
import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { Playground } from "./logcheck.playground.ts";
import { runLogcheck } from "./logcheck.ts";

const NOBODY = { uid: 1, env: {}, deliver: () => Promise.resolve() };

test("a rule that does not compile costs itself, not every line, and the report says so", async (t) => {
  const place = new Playground(t);
  place.write("rules/ignore.d.server/x", "quiet\nbroken (\n");
  place.write("logs/syslog", "Nov 22 19:51:02 host loud\nNov 22 19:51:03 host quiet\n");
  const ours = await place.runOurs("C.UTF-8");
  assert.match(ours.report, /^System Events\n=-=-=-=-=-=-=\nNov 22 19:51:02 host loud\n\n/);
  assert.doesNotMatch(ours.report, /host quiet/);
  assert.match(ours.report, /Logcheck Warnings\n[=-]+\n.*rules\/ignore\.d\.server\/x:2: .*\n +mend: /);
});

test("a log that cannot be read is named, the others are read, and its mark stays", async (t) => {
  const place = new Playground(t);
  place.write("logs/syslog", "Nov 22 19:51:02 host here\n");
  place.write("list", `${place.dir}/gone\n${place.logs}\n${place.logs}/syslog\n`);
  const ours = await place.runOurs("C");
  assert.equal(ours.status, 0);
  assert.match(ours.report, /E: File could not be read: .*gone\nE: File could not be read: .*logs\n/);
  assert.match(ours.report, /host here/);
  assert.deepEqual(Object.keys(place.offsets("ours")), [`offset${place.logs.replaceAll("/", ".")}.syslog`]);
});

test("-D /dev/null says that there are no further lists", async (t) => {
  const place = new Playground(t);
  place.write("logs/syslog", "Nov 22 19:51:02 host here\n");
  const ours = await place.runOurs("C", ["-D", "/dev/null"]);
  assert.deepEqual([ours.status, ours.errors], [0, ""]);
  assert.match(ours.report, /host here/);
});

test("a run that can read nothing says so in logcheck's words, and no others", async (t) => {
  const place = new Playground(t);
  place.write("list", "/no-such-file\n");
  const ours = await place.runOurs("C");
  assert.deepEqual([ours.status, ours.errors], [1, "Error: E: File could not be read: /no-such-file\n"]);
});

test("a journal that cannot be read does not keep the logs from being read", async (t) => {
  const place = new Playground(t);
  place.write("logs/syslog", "Nov 22 19:51:02 host here\n");
  place.write("list", `journal\n${place.logs}/syslog\n`);
  const ours = await place.runOurs("C", [], place.dir);
  assert.equal(ours.status, 0);
  assert.match(
    ours.report,
    /^\nE: File could not be read: journal\n\nSystem Events\n[=-]+\nNov 22 19:51:02 host here\n/,
  );
  assert.match(ours.errors, /journal is not checked: journalctl cannot be run/);
});

test("a mark that cannot be written is an error after the report, and the other marks are written", async (t) => {
  const place = new Playground(t);
  place.write("logs/a", "Nov 22 19:51:02 host one\n");
  place.write("logs/b", "Nov 22 19:51:02 host two\n");
  const offset = (name: string) => `offset${place.logs.replaceAll("/", ".")}.${name}`;
  place.write(`ours/${offset("a")}/in-the-way`, "");
  const args = place.arguments("ours", ["-o"]);
  let report = "";
  const output = { out: (bytes: Uint8Array) => void (report += Buffer.from(bytes)), err: () => {} };
  assert.equal(await runLogcheck(args, output, NOBODY), 1);
  assert.match(report, /host one\n.*host two\n/);
  assert.equal(existsSync(join(place.dir, "ours", offset("b"))), true);
});

test("nothing counts as read when the report could not be delivered", async (t) => {
  const place = new Playground(t);
  place.write("logs/syslog", "Nov 22 19:51:02 host here\n");
  let errors = "";
  const output = { out: () => {}, err: (text: string) => void (errors += text) };
  const status = await runLogcheck(place.arguments("ours", []), output, {
    uid: 1,
    env: {},
    deliver: () => Promise.reject(new Error("the mailer is gone")),
  });
  assert.equal(status, 1);
  assert.match(errors, /the mailer is gone/);
  assert.deepEqual(place.offsets("ours"), {});
});

test("-t reads everything and marks nothing; two runs never overlap", async (t) => {
  const place = new Playground(t);
  place.write("logs/syslog", "Nov 22 19:51:02 host here\n");
  assert.match((await place.runOurs("C", ["-t"])).report, /host here/);
  assert.deepEqual(place.offsets("ours"), {});
  assert.match((await place.runOurs("C")).report, /host here/);
  assert.equal((await place.runOurs("C")).report, "");
  place.write("lock.lock", "0\n");
  const second = await place.runOurs("C");
  assert.equal(second.status, 1);
  assert.match(second.errors, /still running/);
  assert.equal(statSync(join(place.dir, "lock.lock")).isFile(), true);
});

test("root is refused, and told how to run it instead", async () => {
  let errors = "";
  let said = "";
  const out = (bytes: Uint8Array) => void (said += Buffer.from(bytes));
  const output = { out, err: (text: string) => void (errors += text) };
  assert.equal(await runLogcheck(["-o", "-t"], output, { ...NOBODY, uid: 0 }), 1);
  assert.match(
    said,
    /^logcheck should not be run as root\. .*\nsu .* -o -t" logcheck\n.* logcheck -o -t\.\n$/,
  );
  assert.equal(await runLogcheck(["-x"], output, NOBODY), 1);
  assert.match(errors, /illegal option -- x/);
});
