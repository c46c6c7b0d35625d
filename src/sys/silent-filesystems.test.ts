import assert from "node:assert/strict";
import { statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import test from "node:test";
import { isSilent } from "./silent-filesystems.ts";

test("file systems whose writers may be elsewhere are silent, ordinary ones are not", () => {
  assert.equal(isSilent(statfsSync(tmpdir()).type), false);
  assert.equal(isSilent(0x6969), true);
  assert.equal(isSilent(0xff534d42), true);
  assert.equal(isSilent(0xff534d42 | 0), true, "the same, with its sign");
});
