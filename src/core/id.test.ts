import assert from "node:assert/strict";
import test from "node:test";
import { newId } from "./id.ts";

test("ids are UUIDs of version 7, none comes twice, and later milliseconds sort after earlier ones", () => {
  const ids: string[] = [];
  for (let ms = 0; ms < 3_000; ms++) ids.push(newId(new Date(1_790_000_000_000 + ms)));
  for (const id of ids) assert.match(id, /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  assert.equal(new Set(ids.map((id) => id.slice(14))).size, ids.length);
  assert.deepEqual([...ids].sort(), ids);
});
