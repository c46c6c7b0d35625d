// Every example in the documents is run: what a reader types here works there.
import assert from "node:assert/strict";
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { readConfig } from "../src/config/read.ts";
import { formatFault } from "../src/core/errors.ts";
import { makeScratchHost, scratchObstacle } from "./documents/scratch-host.ts";
import { blocksOf, missingFrom, stepsOf } from "./documents/session.ts";
import { ROOT } from "./system/lab.ts";

const DOCUMENTS = ["README.md", ...globSync("docs/manual/*.md", { cwd: ROOT }).sort()];
const FURNITURE = join(ROOT, "tests/documents/furniture.sh");

for (const document of DOCUMENTS) {
  const blocks = blocksOf(readFileSync(join(ROOT, document), "utf8"));
  const sessions = blocks.filter(({ language }) => language === "console");
  const configurations = blocks.filter(({ language }) => language === "toml");

  if (sessions.length > 0) {
    test(`what ${document} types on a terminal works and prints what it shows`, async (t) => {
      const obstacle = scratchObstacle();
      if (obstacle !== null) return t.skip(obstacle);
      using host = makeScratchHost();
      const furnished = await host.type(`sh -e ${FURNITURE}`);
      assert.equal(furnished.status, 0, furnished.output);
      for (const { line, command, shown } of sessions.flatMap(stepsOf)) {
        // Root needs no sudo, and a scratch host may have none.
        const { status, output } = await host.type(command.replaceAll(/\bsudo /g, ""));
        const where = `${document}:${line}: $ ${command}\n${output}`;
        assert.equal(status, 0, where);
        const missing = missingFrom(output, shown);
        assert.equal(missing, null, `${where}\nis shown but was not printed: ${missing}`);
      }
    });
  }

  if (configurations.length > 0) {
    test(`every configuration in ${document} is one without faults`, () => {
      const dir = mkdtempSync(join(tmpdir(), "telltale-documents-"));
      try {
        for (const { line, text } of configurations) {
          const file = join(dir, "telltale.toml");
          writeFileSync(file, text);
          const { faults } = readConfig(file, true);
          assert.deepEqual(faults.map(formatFault), [], `${document}:${line}`);
        }
      } finally {
        rmSync(dir, { recursive: true, force: true });
      }
    });
  }
}

test("a link in a document leads to a file that is there", () => {
  for (const document of [...DOCUMENTS, "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"]) {
    const text = readFileSync(join(ROOT, document), "utf8");
    for (const [, target] of text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      const path = join(ROOT, document, "..", decodeURIComponent(target!));
      assert.equal(globSync(path).length, 1, `${document} links to ${target}`);
    }
  }
});
