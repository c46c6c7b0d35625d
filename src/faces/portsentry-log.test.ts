import assert from "node:assert/strict";
import test from "node:test";
import { openLog } from "./portsentry-log.ts";

function failing(code: string): Error {
  return Object.assign(new Error(`${code}: write`), { code });
}

test("a full disk costs lines, which are counted and told once there is room", () => {
  const out: string[] = [];
  const err: string[] = [];
  let isFull = false;
  const write = (bytes: Uint8Array): void => {
    if (isFull) throw failing("ENOSPC");
    out.push(Buffer.from(bytes).toString());
  };
  const log = openLog("stdout", { out: write, err: (text) => err.push(text) }, assert.fail);
  log.write("one");
  isFull = true;
  log.write("two");
  log.write("three");
  isFull = false;
  log.write("four");
  assert.deepEqual(out, ["one\n", "four\n", "adminalert: ERROR: 2 lines could not be written here\n"]);
  assert.deepEqual(err, ["adminalert: ERROR: lines are lost: ENOSPC: write\n"]);
});

test("whoever read the lines and has gone is told of once", () => {
  let gone = 0;
  const out = (): void => {
    throw failing("EPIPE");
  };
  const err = (): void => {
    throw failing("EPIPE");
  };
  const log = openLog("stdout", { out, err }, () => gone++);
  for (const line of ["one", "two"]) log.write(line);
  assert.equal(gone, 1);
});
