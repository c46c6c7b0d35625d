import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { deliver, routeName } from "./deliver.ts";
import { collector } from "./fixtures/events.ts";
import { MESSAGE, mailer, RECORD, scratch } from "./fixtures/mail.ts";

test("uses every route, and one that fails stops no other", async () => {
  using place = scratch();
  const { emit, said } = collector();
  const results = await deliver(
    MESSAGE,
    [
      { via: "sendmail", to: "root", command: join(place.dir, "missing") },
      { via: "file", path: join(place.dir, "reports") },
    ],
    emit,
  );
  assert.deepEqual(
    results.map((each) => each.delivered),
    [false, true],
  );
  assert.match(readFileSync(join(place.dir, "reports"), "utf8"), /first line/);
  assert.deepEqual(said.map((each) => each.type).sort(), ["report.delivered", "report.failed"]);
});

test("a route that hangs holds up no other", async () => {
  using place = scratch();
  // Ends only when the other route is done: one after the other, they would never both succeed.
  const waiting = mailer(place.dir, 'cat >/dev/null; while [ ! -s "$HERE/reports" ]; do sleep 0.01; done');
  const results = await deliver(
    MESSAGE,
    [
      { via: "sendmail", to: "root", command: waiting, timeoutMs: 20_000 },
      { via: "file", path: join(place.dir, "reports") },
    ],
    collector().emit,
  );
  assert.deepEqual(
    results.map((each) => each.delivered),
    [true, true],
  );
});

test("is content with no route at all", async () => {
  assert.deepEqual(await deliver(MESSAGE, [], collector().emit), []);
});

test("says in the event what to mend", async () => {
  const { emit, said } = collector();
  await deliver(MESSAGE, [{ via: "sendmail", to: "-oQ/tmp" }], emit);
  assert.deepEqual(said, [
    {
      type: "report.failed",
      route: "sendmail to -oQ/tmp",
      why: 'report.to: wants mail addresses, found "-oQ/tmp"',
      mend: 'write it as report.to = "root" or report.to = "you@example.org", several with commas between',
    },
  ]);
});

test("never throws, whatever stands in a message", async () => {
  using place = scratch();
  const command = mailer(place.dir, RECORD);
  const { emit } = collector();
  const odd = { ...MESSAGE, id: "\n", host: "\r\n", at: "never", subject: "\r\nX: y", text: "\0" };
  const [result] = await deliver(odd, [{ via: "sendmail", to: "root", command }], emit);
  assert.equal(typeof result!.delivered, "boolean");
  if (result!.delivered) assert.doesNotMatch(readFileSync(join(place.dir, "mail"), "utf8"), /^X: y/m);
});

test("calls routes by names that hold no secret", () => {
  const names = [
    routeName({
      via: "smtp",
      host: "mail",
      port: 25,
      to: "root@x",
      from: "t@x",
      auth: { user: "u", pass: "s3cret" },
    }),
    routeName({ via: "webhook", url: "https://hooks.example.org/s3cret", shape: "slack", token: "s3cret" }),
  ];
  assert.deepEqual(names, ["smtp mail:25 to root@x", "webhook https://hooks.example.org (slack)"]);
});
