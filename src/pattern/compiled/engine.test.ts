// A compiled form is only good for the code that made it.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { ENGINE } from "./engine.ts";

test("ENGINE names the code as it is: write the new name into engine.ts when this fails", () => {
  const room = join(import.meta.dirname, "..");
  const files = globSync("**/*.ts", { cwd: room })
    .filter((file) => !/\.(test|bench)\.ts$|^testing\/|^compiled\/engine\.ts$/.test(file))
    .sort();
  assert.ok(files.length > 20);
  const hash = createHash("sha256");
  for (const file of files) hash.update(`${file}\n`).update(readFileSync(join(room, file)));
  assert.equal(ENGINE, hash.digest("hex").slice(0, 16));
});
