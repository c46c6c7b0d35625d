import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { FACE_PAGES } from "./face-pages.ts";
import { FACES } from "./faces.ts";
import { manPages } from "./manpage.ts";
import { VERSION } from "./version.ts";

const dir = "docs/man";

test("the pages in docs/man are those of the catalogue", () => {
  const pages = manPages(VERSION);
  assert.deepEqual(readdirSync(dir).sort(), [...pages.keys()].sort(), "run: node scripts/generate-docs.ts");
  for (const [name, text] of pages) {
    assert.equal(readFileSync(join(dir, name), "utf8"), text, `${name}; run: node scripts/generate-docs.ts`);
  }
});

test("each face has a page, and no page a face that is gone", () => {
  assert.deepEqual(FACE_PAGES.map(({ name }) => name).sort(), Object.keys(FACES).sort());
});

test("man(1) formats each of them without a warning", (t) => {
  if (spawnSync("man", ["--version"]).error !== undefined) return t.skip("needs man: apt install man-db");
  for (const name of readdirSync(dir)) {
    const { status, stderr } = spawnSync("man", ["--warnings", "-l", "-Tutf8", join(dir, name)], {
      encoding: "utf8",
      env: { ...process.env, MANROFFSEQ: "", MANWIDTH: "80", LC_ALL: "C.UTF-8" },
    });
    assert.equal(status, 0, name);
    assert.equal(stderr, "", name);
  }
});
