import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { settingsInForce } from "./explain.ts";
import { coveredBy, loadRotation } from "./run.ts";

test("names file and line of each setting in force; of two that say the same thing, the last", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale-explain-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const config = join(dir, "logrotate.conf");
  const included = join(dir, "app");
  writeFileSync(config, `weekly\nrotate 4\ncompress\ninclude ${included}\n`, { mode: 0o644 });
  writeFileSync(
    included,
    `${dir}/a.log {\n  daily\n  nocompress\n  create 640\n  postrotate\n    true\n  endscript\n}\n`,
    { mode: 0o644 },
  );
  const rotation = await loadRotation({ configs: [config] });
  assert.deepEqual(rotation.faults, []);
  const settings = settingsInForce(coveredBy(rotation, `${dir}/a.log`)!);
  assert.deepEqual(
    settings.map(({ directive, value, place }) => [
      directive,
      value,
      `${place.file === config ? "conf" : "app"}:${place.line}`,
    ]),
    [
      ["daily", "", "app:2"],
      ["nocompress", "", "app:3"],
      ["create", "0640, owner kept, group kept", "app:4"],
      ["postrotate", "1 line of shell", "app:5"],
      ["rotate", "4", "conf:2"],
    ],
  );
});
