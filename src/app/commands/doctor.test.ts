// Doctor against a machine whose rooms can be told: one small disk that is nearly full, one log folder on it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";

const TELLTALE = join(import.meta.dirname, "../../../bin/telltale");

function host(t: TestContext, config: (dir: string) => string): { dir: string; file: string } {
  const dir = mkdtempSync(join(tmpdir(), "telltale-doctor-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, "telltale.toml");
  writeFileSync(file, `${config(dir)}\n[store]\ndirectory = "${join(dir, "state")}"\n`);
  return { dir, file };
}

type Finding = { part: string; ok: boolean; what: string; mend: string };

function findings(file: string): Finding[] {
  const { stdout } = spawnSync(TELLTALE, ["doctor", "--json", "--config", file], { encoding: "utf8" });
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Finding);
}

test("says how much room each file system with logs has, and which is low", (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root to mount a small disk");
  const { dir, file } = host(t, (at) => `[rotate]\nroots = ["${join(at, "small")}"]`);
  const small = join(dir, "small");
  mkdirSync(small);
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "telltale-doctor", small], {
    encoding: "utf8",
  });
  if (mounted.status !== 0) return t.skip(`needs mount: ${mounted.stderr.trim()}`);
  try {
    writeFileSync(join(small, "app.log"), Buffer.alloc(1_000_000));
    const disks = findings(file).filter(({ part }) => part === "disk");
    assert.ok(disks.some(({ what }) => what.startsWith("/: ")));
    const low = disks.find(({ what }) => what.startsWith(`${small}: `))!;
    assert.equal(low.ok, false);
    assert.match(low.what, / of 1\.0 MB free/);
    assert.match(low.mend, /telltale disk/);
    const shown = spawnSync(TELLTALE, ["doctor", "--config", file], { encoding: "utf8" });
    assert.match(shown.stdout, /^disk {5}low /m);
    assert.equal(shown.status, 1);
  } finally {
    spawnSync("umount", ["-l", small]);
  }
});

test("names each way that reports take", (t) => {
  const { file } = host(
    t,
    () =>
      '[report]\nvia = "none"\n[webhook.chat]\nurl = "https://hooks.example/secret"\nshape = "slack"\n[webhook.ops]\nurl = "https://hooks.example/other"',
  );
  const ways = findings(file).filter(({ part }) => part === "report");
  assert.deepEqual(
    ways.map(({ what }) => what.split(";")[0]),
    [
      "reports go by webhook chat at https://hooks.example (slack)",
      "reports go by webhook ops at https://hooks.example (generic)",
    ],
  );
});

test("each faulty key is a finding with its mend", (t) => {
  const { file } = host(t, () => '[check]\njournal = "of"\n[report]\nwebhook = "chat"');
  const faulty = findings(file).filter(({ part, ok }) => part === "config" && !ok);
  assert.deepEqual(
    faulty.map(({ mend }) => mend),
    ['write "off"', 'write it in full: "https://HOST/PATH"'],
  );
});

test("a kernel without nf_tables is a finding, not the end of the program", (t) => {
  // The library of nftables ends whichever process calls it there; strace(1) makes this kernel one of that kind.
  const strace = [
    "-f",
    "-qq",
    "-o",
    "/dev/null",
    "-e",
    "trace=socket",
    "-e",
    "inject=socket:error=EPROTONOSUPPORT",
  ];
  const tried = spawnSync("strace", [...strace, "true"], { encoding: "utf8" });
  if (tried.status !== 0) return t.skip("needs strace that may trace: apt install strace");
  const { file } = host(t, () => "");
  const { stdout, status } = spawnSync("strace", [...strace, TELLTALE, "doctor", "--config", file], {
    encoding: "utf8",
  });
  assert.equal(status, 1);
  assert.match(stdout, /^respond {2}not ok .*\n {18}mend: .*nf_tables$/m);
  assert.match(stdout, /^guard {4}/m);
});
