import assert from "node:assert/strict";
import test from "node:test";
import { showable, showableBytes } from "./hostile.ts";

test("what moves a cursor, hides or reverses is written out; the rest stays", () => {
  assert.equal(showable("a\tb\u001b[31m\u202e\u{e0041}é日"), "a\tb\\x1b[31m\\u{202e}\\u{e0041}é日");
});

test("a byte of a name that is no UTF-8 is shown as that byte, however it travels", () => {
  assert.equal(showable("caf\udce9.log"), "caf\\xe9.log");
  assert.equal(showableBytes(Buffer.from("caf\xe9 \u00e9.log", "latin1")), "caf\\xe9 \\xe9.log");
  assert.equal(showable("\ud83d alone, \u{1f600} whole"), "\\u{d83d} alone, \u{1f600} whole");
});
