import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { BlockQuota } from "./block-quota.ts";

const LIMITS = { perMinute: 60, inForce: 1_000 };
const HOUR_MS = 3_600_000;

const each = (count: number, ms = HOUR_MS) => Array<number>(count).fill(ms);

// A quota that has put back what there was to put back.
function quotaAt(inForce = 0) {
  const clock = { ms: 0, now: () => new Date(0), monotonicMs: () => clock.ms };
  const quota = new BlockQuota(clock);
  quota.counted(each(inForce));
  quota.running();
  clock.ms += 60_000;
  const grant = (wanted: number, left = 0, ms = HOUR_MS) =>
    quota.grant(each(wanted, ms), LIMITS, async () => each(left));
  const ask = async (wanted: number, left = 0, ms = HOUR_MS) => (await grant(wanted, left, ms)).granted;
  return { clock, quota, ask, grant };
}

test("four times what the breaker lets through is granted in a minute, and again in the next", async () => {
  const { clock, ask, grant } = quotaAt();
  assert.equal(await ask(239), 239);
  assert.equal(await ask(500), 1);
  const { why } = await grant(1);
  assert.match(why, /240 new blocks within a minute, 4 times what respond\.max_blocks_per_minute/);
  clock.ms += 60_000;
  assert.equal(await ask(1), 1);
});

test("once after the start the history may be put back, also when it holds more than the limits allow", async () => {
  const clock = { ms: 0, now: () => new Date(0), monotonicMs: () => clock.ms };
  const quota = new BlockQuota(clock);
  let inForce = 1_000;
  const ask = async (wanted: number) => {
    const { granted } = await quota.grant(each(wanted), LIMITS, async () => each(inForce));
    inForce += granted;
    return granted;
  };
  assert.equal(await ask(5_000), 5_000);
  // However often a listener ends and says that it runs.
  for (let start = 0; start < 5; start++) {
    quota.disturbed();
    quota.running();
  }
  assert.equal(await ask(6_000), 4_000, "10,000 with those that were there");
  clock.ms += 60_000;
  assert.equal(await ask(500), 0, "there are more than the limits allow");
});

test("what was not put back within a minute after everything ran is not put back at all", async () => {
  const { clock, quota, ask } = quotaAt();
  quota.running();
  assert.equal(await ask(300), 240);
  clock.ms += 60_000;
  quota.running();
  assert.equal(await ask(300), 240);
});

test("after the firewall was flushed as many may be put back as are missing, and no more", async () => {
  const { clock, quota, ask } = quotaAt(1_500);
  quota.disturbed();
  assert.equal(await ask(1_000, 0), 1_000);
  quota.disturbed();
  assert.equal(await ask(2_000, 1_000), 500 + 240);
  clock.ms += 60_000;
  // Taking the table apart oneself gains nothing: all of it is still there.
  for (let again = 0; again < 5; again++) {
    quota.disturbed();
    await ask(1_000, 1_740);
  }
  assert.equal(await ask(1_000, 1_740), 0);
});

test("what was lifted, or cleared by order, or has ended is not lost and not owed", async () => {
  for (const gone of ["lifted", "cleared", "ended"]) {
    const { clock, quota, ask } = quotaAt();
    assert.equal(await ask(200, 0, gone === "ended" ? 500_000 : HOUR_MS), 200);
    if (gone === "lifted") quota.lifted(200);
    else if (gone === "cleared") quota.cleared();
    else clock.ms += 600_000;
    quota.disturbed();
    assert.equal(await ask(500), gone === "ended" ? 240 : 40, gone);
  }
});

test("a guard that lifted thousands at their end gets back what is lost a month later", async () => {
  const { clock, quota, ask } = quotaAt();
  for (let minute = 0; minute < 100; minute++) {
    clock.ms += 60_000;
    assert.equal(await ask(20, 20, 30_000), 20);
    quota.lifted(20);
  }
  clock.ms += 60_000;
  quota.counted(each(900));
  quota.disturbed();
  assert.equal(await ask(900), 900);
});

test("near the limit the firewall is counted, but not at every block", async () => {
  const { clock, quota } = quotaAt(2_000);
  let counts = 0;
  const ask = (inForce: number) =>
    quota.grant([HOUR_MS], LIMITS, async () => {
      counts++;
      return each(inForce);
    });
  const { granted, why } = await ask(2_000);
  assert.deepEqual([granted, counts], [0, 1]);
  assert.match(why, /2000 blocks in force, 2 times what respond\.max_blocks/);
  await ask(0);
  assert.equal(counts, 1);
  clock.ms += 10_000;
  assert.equal((await ask(7)).granted, 1, "they have ended meanwhile");
  await ask(7);
  assert.equal(counts, 2);
});

test("whatever is asked for, a minute never brings more than its share and what was lost", async () => {
  const step = fc.record({
    waitMs: fc.nat(20_000),
    wanted: fc.nat(3_000),
    lost: fc.nat(3_000),
    lifts: fc.nat(500),
    isDisturbed: fc.boolean(),
    isRestarted: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { clock, quota, ask } = quotaAt();
      let inForce = 0;
      let lostInAll = 0;
      let total = 0;
      for (const { waitMs, wanted, lost, lifts, isDisturbed, isRestarted } of steps) {
        clock.ms += waitMs;
        if (isRestarted) {
          quota.disturbed();
          quota.running();
        }
        await ask(0, inForce);
        const lifted = Math.min(lifts, inForce);
        quota.lifted(lifted);
        inForce -= lifted;
        if (isDisturbed) {
          quota.disturbed();
          const gone = Math.min(lost, inForce);
          inForce -= gone;
          lostInAll += gone;
        }
        const granted = await ask(wanted, inForce);
        assert.ok(granted >= 0 && granted <= wanted);
        inForce += granted;
        total += granted;
        assert.ok(inForce <= 2_000, `${inForce} in force`);
      }
      const minutes = Math.floor(clock.ms / 60_000) + 1;
      assert.ok(total <= minutes * 240 + lostInAll, `${total} in ${minutes} minutes, ${lostInAll} lost`);
    }),
    { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 200) },
  );
});
