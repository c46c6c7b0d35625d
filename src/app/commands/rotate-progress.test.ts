import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { RotationProgress } from "../../rotate/progress.ts";
import { progressText } from "./rotate-progress.ts";

test("the line counts logs, and bytes where any are compressed", () => {
  const progress = new RotationProgress();
  progress.begin(10_000, () => 1_500_000);
  progress.walked(812);
  assert.equal(progressText(progress), "812 of 10000 logs");
  progress.bytesToCompress = 4_000_000;
  progress.compressedByCommand(500_000);
  assert.equal(progressText(progress), "812 of 10000 logs, 2.0 MB of 4.0 MB compressed");
});

// A rotation that takes over a second, in a scratch place; the words it wrote to its terminal, or to its pipes.
async function rotateSlowly(t: TestContext, wrap: (argv: readonly string[], out: string) => string[]) {
  const root = mkdtempSync(join(tmpdir(), "tt-line-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, "d"));
  mkdirSync(join(root, "state"));
  writeFileSync(join(root, "d/a.log"), "line\n");
  writeFileSync(
    join(root, "lr.conf"),
    `${root}/d/a.log {\n rotate 1\n postrotate\n sleep 2\n endscript\n}\n`,
  );
  writeFileSync(
    join(root, "t.toml"),
    `[store]\ndirectory = "${root}/state"\n[rotate]\nconfig = ["${root}/lr.conf"]\nstate = "${root}/state/rotate"\n`,
  );
  const telltale = join(import.meta.dirname, "../../../bin/telltale");
  const argv = [telltale, "rotate", "--force", "--config", join(root, "t.toml")];
  const [program, ...args] = wrap(argv, join(root, "typescript"));
  const child = spawn(program!, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, TERM: "xterm" },
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
  const [status] = (await once(child, "close")) as [number];
  return { said, status, typescript: () => readFileSync(join(root, "typescript"), "utf8") };
}

test("on a terminal, long work shows one line and takes it away again", { timeout: 60_000 }, async (t) => {
  if (spawnSync("script", ["--version"]).error !== undefined)
    return t.skip("needs script: apt install bsdutils");
  const { typescript, status } = await rotateSlowly(t, (argv, out) => [
    "script",
    "-qec",
    argv.map((word) => `'${word}'`).join(" "),
    out,
  ]);
  assert.equal(status, 0, typescript());
  assert.match(typescript(), /\r\u001b\[K0 of 1 logs/);
  assert.match(typescript(), /\r\u001b\[Krotated /);
});

test("in a pipe there is no such line", { timeout: 60_000 }, async (t) => {
  const { said, status } = await rotateSlowly(t, (argv) => [...argv]);
  assert.equal(status, 0, said);
  assert.match(said, /^rotated /);
  assert.doesNotMatch(said, /\u001b|of 1 logs/);
});
