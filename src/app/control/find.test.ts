import assert from "node:assert/strict";
import test from "node:test";
import { parse } from "smol-toml";
import { parseConfig } from "../../config/parse.ts";
import { guardSocket } from "./find.ts";

const OWN = "/home/anna/.local/state/telltale/control.sock";
const HOST = "/run/telltale/control.sock";

const socketFor = (text: string, ...there: readonly string[]) =>
  guardSocket({ config: parseConfig("t.toml", text, parse(text)).config, controlSocket: OWN }, (path) =>
    there.includes(path),
  );

test("somebody who is not root and runs no guard asks the host's", () => {
  assert.equal(socketFor("", HOST), HOST);
  assert.equal(socketFor(""), HOST);
});

test("a guard of one's own comes first", () => {
  assert.equal(socketFor("", OWN, HOST), OWN);
});

test("a guard that the configuration names is meant, and no other", () => {
  assert.equal(socketFor('[store]\ndirectory = "/srv/x"\n', HOST), OWN);
  assert.equal(socketFor(`[guard]\ncontrol_socket = "${OWN}"\n`, HOST), OWN);
});
