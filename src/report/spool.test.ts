import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import type { EventBody } from "../core/events.ts";
import { collector } from "./fixtures/events.ts";
import { MESSAGE, scratch } from "./fixtures/mail.ts";
import { delayMs, FIRST_DELAY_MS, isDue, LONGEST_DELAY_MS } from "./spool/decide.ts";
import { openSpool, type Spool, type SpoolOptions } from "./spool.ts";
import type { Message, Route } from "./types.ts";

const START = Date.parse("2026-11-22T20:00:00Z");

type Bench = { spool: Spool; said: EventBody[]; dir: string; target: string; later(ms: number): void };

function bench(place: string, more: Partial<SpoolOptions> = {}): Bench {
  const { emit, said } = collector();
  let nowMs = START;
  const dir = join(place, "spool");
  const target = join(place, "out", "reports");
  const spool = openSpool({
    dir,
    emit,
    routes: () => [{ via: "file", path: target }],
    clock: { now: () => new Date(nowMs), monotonicMs: () => nowMs },
    chance: () => 0.5,
    ...more,
  });
  return { spool, said, dir, target, later: (ms) => (nowMs += ms) };
}

const numbered = (serial: number): Message => ({
  ...MESSAGE,
  id: `id-${String(serial).padStart(4, "0")}`,
  text: `report ${serial}\n`,
});
const mended = (target: string) => mkdirSync(join(target, ".."));

test("keeps a report that failed and delivers it once the way is free", async () => {
  using place = scratch();
  const { spool, said, target, later } = bench(place.dir);
  using _ = spool;
  const full = {
    ...MESSAGE,
    html: "<p>x</p>",
    attachments: [{ name: "a.gz", type: "application/gzip", content: Uint8Array.of(0, 255, 1) }],
  };
  await spool.send(full);
  assert.equal(spool.waiting().reports, 1);
  mended(target);
  assert.equal(await spool.retryDue(), 0, "not yet due");
  later(FIRST_DELAY_MS + 1);
  assert.equal(await spool.retryDue(), 1);
  assert.equal(spool.waiting().reports, 0);
  assert.match(readFileSync(target, "utf8"), /last line/);
  assert.deepEqual(
    said.map((each) => each.type),
    ["report.failed", "report.delivered"],
  );
});

test("leaves nothing behind when all went well", async () => {
  using place = scratch();
  const { spool, dir, target } = bench(place.dir);
  using _ = spool;
  mended(target);
  await spool.send(MESSAGE);
  assert.deepEqual(readdirSync(dir), []);
});

test("owes only the routes that failed", async () => {
  using place = scratch();
  const good = join(place.dir, "good");
  const target = join(place.dir, "out", "reports");
  const routes: Route[] = [
    { via: "file", path: good },
    { via: "file", path: target },
  ];
  const { spool, later } = bench(place.dir, { routes: () => routes });
  using _ = spool;
  await spool.send(MESSAGE);
  mended(target);
  later(FIRST_DELAY_MS * 2);
  await spool.retryDue();
  for (const path of [good, target])
    assert.equal(readFileSync(path, "utf8").match(/first line/g)?.length, 1, path);
});

test("survives the process: another one delivers what waits", async () => {
  using place = scratch();
  const first = bench(place.dir);
  await first.spool.send(MESSAGE);
  first.spool.close();
  mended(first.target);
  const second = bench(place.dir);
  using _ = second.spool;
  second.later(FIRST_DELAY_MS * 2);
  assert.equal(await second.spool.retryDue(), 1);
});

test("uses a mended route under its new name", async () => {
  using place = scratch();
  let routes: Route[] = [{ via: "file", path: join(place.dir, "none", "x") }];
  const { spool, later } = bench(place.dir, { routes: () => routes });
  using _ = spool;
  await spool.send(MESSAGE);
  routes = [{ via: "file", path: join(place.dir, "mended") }];
  later(FIRST_DELAY_MS * 2);
  assert.equal(await spool.retryDue(), 1);
});

test("keeps a report for the first route that is configured after it", async () => {
  using place = scratch();
  let routes: Route[] = [];
  const { spool, said } = bench(place.dir, { routes: () => routes });
  using _ = spool;
  await spool.send(MESSAGE);
  assert.equal(await spool.retryDue(), 0);
  assert.match(JSON.stringify(said), /no way for reports to leave/);
  routes = [{ via: "file", path: join(place.dir, "reports") }];
  assert.equal(await spool.retryDue(), 1);
});

test("loses nothing when killed in the middle of a delivery", async () => {
  using place = scratch();
  const script = join(place.dir, "child.ts");
  const modules = new URL(".", import.meta.url).href;
  writeFileSync(join(place.dir, "sendmail"), `#!/bin/sh\necho $$ >${place.dir}/started\nexec sleep 600\n`, {
    mode: 0o755,
  });
  writeFileSync(
    script,
    `import { openSpool } from "${modules}spool.ts";
     import { MESSAGE } from "${modules}fixtures/mail.ts";
     const routes = () => [{ via: "sendmail", to: "root", command: "${place.dir}/sendmail" }];
     const spool = openSpool({ dir: "${place.dir}/spool", routes, emit: (body) => body });
     await spool.send(MESSAGE);`,
  );
  const child = spawn(process.execPath, [script], { stdio: "ignore" });
  const started = () =>
    readdirSync(place.dir).includes("started") && readFileSync(join(place.dir, "started"), "utf8") !== "";
  await until("the mailer runs", started);
  child.kill("SIGKILL");
  process.kill(Number(readFileSync(join(place.dir, "started"), "utf8")), "SIGKILL");
  const { spool, target, later } = bench(place.dir);
  using _ = spool;
  assert.equal(spool.waiting().reports, 1);
  mended(target);
  later(365 * 86_400_000);
  assert.equal(await spool.retryDue(), 1);
});

test("drops the oldest when full, and says so", async () => {
  using place = scratch();
  const { spool, said, dir } = bench(place.dir, { maxReports: 3 });
  using _ = spool;
  for (let serial = 1; serial <= 5; serial++) await spool.send(numbered(serial));
  assert.deepEqual(readdirSync(dir), ["id-0003.json", "id-0004.json", "id-0005.json"]);
  const drops = said.filter((each) => each.type === "report.failed" && each.route === "spool");
  assert.equal(drops.length, 2);
});

test("gives up attachments before reports", async () => {
  using place = scratch();
  const { spool, said, dir } = bench(place.dir, { maxBytes: 100_000 });
  using _ = spool;
  const content = new Uint8Array(30_000);
  const attachments = [{ name: "a", type: "application/gzip", content }];
  for (let serial = 1; serial <= 8; serial++)
    await spool.send({ ...numbered(serial), html: "<p>", attachments });
  assert.equal(spool.waiting().reports, 8);
  assert.ok(!said.some((each) => each.type === "report.failed" && each.route === "spool"));
  const oldest = readFileSync(join(dir, "id-0001.json"), "utf8");
  assert.match(oldest, /report 1.*attachments were dropped/);
  assert.ok(readFileSync(join(dir, "id-0008.json")).length > 30_000);
});

test("bounds the bytes it keeps", async () => {
  using place = scratch();
  const { spool } = bench(place.dir, { maxBytes: 50_000 });
  using _ = spool;
  for (let serial = 1; serial <= 10; serial++)
    await spool.send({ ...numbered(serial), text: "x".repeat(20_000) });
  assert.ok(spool.waiting().sizeBytes < 75_000);
});

test("tells the same refusal once, not at every try", async () => {
  using place = scratch();
  const { spool, said, later } = bench(place.dir);
  using _ = spool;
  await spool.send(MESSAGE);
  for (let i = 0; i < 10; i++) {
    later(LONGEST_DELAY_MS * 2);
    await spool.retryDue();
  }
  assert.equal(said.filter((each) => each.type === "report.failed").length, 1);
  assert.equal(spool.waiting().reports, 1);
});

test("sets a file aside that is no report, and goes on with the rest", async () => {
  using place = scratch();
  const { spool, said, dir, target, later } = bench(place.dir);
  using _ = spool;
  await spool.send(numbered(2));
  for (const [name, text] of [
    ["id-0000.json", "{"],
    ["id-0001.json", '{"format":1,"message":{},"owed":[]}'],
    ["id-0003.json", '{"format":9}'],
  ] as const) {
    writeFileSync(join(dir, name), text);
  }
  mended(target);
  later(FIRST_DELAY_MS * 2);
  assert.equal(await spool.retryDue(), 1);
  assert.deepEqual(readdirSync(dir), ["id-0000.json.broken", "id-0001.json.broken", "id-0003.json.broken"]);
  assert.equal(
    said.filter((each) => each.type === "report.failed" && /is no report/.test(each.why)).length,
    3,
  );
});

test("delivers even when the spool itself cannot be written", async () => {
  using place = scratch();
  const { spool, said, dir, target } = bench(place.dir);
  using _ = spool;
  mended(target);
  rmSync(dir, { recursive: true });
  const [result] = await spool.send(MESSAGE);
  assert.equal(result!.delivered, true);
  assert.ok(said.some((each) => each.type === "report.failed" && each.route === "spool"));
});

test("keeps its directory and files to itself, and writes no password into them", async () => {
  using place = scratch();
  mkdirSync(join(place.dir, "spool"));
  chmodSync(join(place.dir, "spool"), 0o777);
  const auth = { user: "me", pass: "s3cr3t-pass" };
  const { spool, dir } = bench(place.dir, {
    routes: () => [
      { via: "smtp", host: "127.0.0.1", port: 1, auth, to: "root@x", from: "t@x", timeoutMs: 500 },
    ],
  });
  using _ = spool;
  await spool.send(MESSAGE);
  assert.equal(statSync(dir).mode & 0o777, 0o700);
  const [name] = readdirSync(dir);
  assert.equal(statSync(join(dir, name!)).mode & 0o777, 0o600);
  assert.doesNotMatch(readFileSync(join(dir, name!), "utf8"), /s3cr3t-pass/);
});

test("sweeps away what crashes left half written, but nothing that is being written", () => {
  using place = scratch();
  bench(place.dir).spool.close();
  const dir = join(place.dir, "spool");
  for (const name of ["old.json.1.part", "new.json.2.part"]) writeFileSync(join(dir, name), "{");
  utimesSync(join(dir, "old.json.1.part"), 1, 1);
  for (let i = 0; i < 30; i++) writeFileSync(join(dir, `id-${String(i).padStart(2, "0")}.json.broken`), "{");
  bench(place.dir).spool.close();
  const left = readdirSync(dir);
  assert.ok(left.includes("new.json.2.part") && !left.includes("old.json.1.part"));
  assert.deepEqual(left.filter((name) => name.endsWith(".broken")).length, 20);
  assert.ok(left.includes("id-29.json.broken"));
});

test("refuses a directory that is a link to somewhere else", () => {
  using place = scratch();
  mkdirSync(join(place.dir, "elsewhere"));
  symlinkSync(join(place.dir, "elsewhere"), join(place.dir, "spool"));
  assert.throws(() => bench(place.dir), { name: "MissingPartError", part: "report" });
});

test("waits longer each time, never longer than six hours", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000 }),
      fc.boolean(),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (tries, worth, chance) => {
        const delay = delayMs(tries, worth, chance);
        assert.ok(delay >= FIRST_DELAY_MS * 0.9 && delay <= LONGEST_DELAY_MS * 1.1);
        assert.ok(delayMs(tries + 1, worth, chance) >= delay);
      },
    ),
  );
});

test("tries at once when the clock was set back by more than any delay", () => {
  const owed = { route: "x", attempts: 1, nextAt: "2036-01-01T00:00:00.000Z", why: "" };
  assert.ok(isDue(owed, new Date(START)));
  assert.ok(!isDue({ ...owed, nextAt: new Date(START + 1_000).toISOString() }, new Date(START)));
  assert.ok(isDue({ ...owed, nextAt: "never" }, new Date(START)));
});

async function until(what: string, holds: () => boolean, timeoutMs = 10_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`timed out: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
