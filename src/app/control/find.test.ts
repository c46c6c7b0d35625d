import assert from "node:assert/strict";
import test from "node:test";
import { guardSocket } from "./find.ts";

const OWN = "/home/anna/.local/state/telltale/control.sock";
const HOST = "/run/telltale/control.sock";

const socketFor = (isNamed: boolean, ...there: readonly string[]) =>
  guardSocket({ isNamed, controlSocket: OWN }, (path) => there.includes(path));

test("somebody who is not root and runs no guard asks the host's", () => {
  assert.equal(socketFor(false, HOST), HOST);
  assert.equal(socketFor(false), HOST);
});

test("a guard of one's own comes first", () => {
  assert.equal(socketFor(false, OWN, HOST), OWN);
});

test("a guard that the configuration names is meant, and no other", () => {
  assert.equal(socketFor(true, HOST), OWN);
});
