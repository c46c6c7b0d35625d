import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { BlockQuota } from "./block-quota.ts";

const LIMITS = { perMinute: 60, inForce: 1_000 };

function quotaAt(start = 0) {
  const clock = { ms: start, now: () => new Date(0), monotonicMs: () => clock.ms };
  const quota = new BlockQuota(clock);
  const ask = async (wanted: number, inForce = 0) =>
    (await quota.grant(wanted, LIMITS, async () => inForce)).granted;
  return { clock, quota, ask };
}

test("four times what the breaker lets through is granted in a minute, and again in the next", async () => {
  const { clock, quota, ask } = quotaAt();
  quota.counted(0);
  assert.equal(await ask(239), 239);
  assert.equal(await ask(500), 1);
  const { why } = await quota.grant(1, LIMITS, async () => 0);
  assert.match(why, /240 new blocks within a minute, 4 times what respond\.max_blocks_per_minute/);
  clock.ms += 60_000;
  assert.equal(await ask(1), 1);
});

test("for a minute after its start a listener may put back what its history holds, also more than the limit", async () => {
  const { clock, quota, ask } = quotaAt();
  quota.counted(0);
  quota.starting();
  assert.equal(await ask(100_000), 100_000);
  clock.ms += 60_000;
  assert.equal(await ask(500, 100_000), 0);
});

test("after the firewall was flushed as many may be put back as are missing, and no more", async () => {
  const { clock, quota, ask } = quotaAt();
  quota.counted(1_500);
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

test("near the limit the firewall is counted, but not at every block", async () => {
  const { clock, quota } = quotaAt();
  let counts = 0;
  const ask = (inForce: number) =>
    quota.grant(1, LIMITS, async () => {
      counts++;
      return inForce;
    });
  quota.counted(2_000);
  clock.ms += 60_000;
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
    isDisturbed: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { clock, quota, ask } = quotaAt();
      const grants: [atMs: number, count: number][] = [];
      let inForce = 0;
      let lostInAll = 0;
      quota.counted(0);
      for (const { waitMs, wanted, lost, isDisturbed } of steps) {
        clock.ms += waitMs;
        if (isDisturbed) {
          quota.disturbed();
          const gone = Math.min(lost, inForce);
          inForce -= gone;
          lostInAll += gone;
        }
        const granted = await ask(wanted, inForce);
        assert.ok(granted >= 0 && granted <= wanted);
        inForce += granted;
        grants.push([clock.ms, granted]);
      }
      const total = grants.reduce((sum, [, count]) => sum + count, 0);
      const minutes = Math.floor(clock.ms / 60_000) + 1;
      assert.ok(total <= minutes * 240 + lostInAll, `${total} in ${minutes} minutes, ${lostInAll} lost`);
      assert.ok(inForce <= 2_000);
    }),
    { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 200) },
  );
});
