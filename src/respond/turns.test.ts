import assert from "node:assert/strict";
import test from "node:test";
import { inTurns, nextTurn, Pace } from "./turns.ts";

test("so many pass within one turn, the others in later ones, each in its order", async () => {
  const pace = new Pace(3);
  const passed: number[] = [];
  const arrive = (name: number): void => {
    const wait = pace.pass();
    if (wait === null) passed.push(name);
    else void wait.then(() => passed.push(name));
  };
  for (let name = 0; name < 8; name++) arrive(name);
  assert.deepEqual(passed, [0, 1, 2]);
  await nextTurn();
  // Whoever comes meanwhile does not overtake.
  arrive(8);
  assert.deepEqual(passed, [0, 1, 2, 3, 4, 5]);
  await nextTurn();
  assert.deepEqual(passed, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  await nextTurn();
  await nextTurn();
  arrive(9);
  assert.equal(passed.at(-1), 9, "after a quiet turn nobody waits");
});

test("a long list is worked off whole, and others have their turn in between", async () => {
  const seen: number[] = [];
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await inTurns([...Array(1_001).keys()], (some) => seen.push(...some));
  isOver = true;
  assert.deepEqual(seen, [...Array(1_001).keys()]);
  assert.ok(turns >= 4, `${turns} turns`);
});
