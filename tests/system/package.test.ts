// The Debian package: built, looked into, run from where it was unpacked; and, in CI or when TELLTALE_PACKAGE_TEST=1 allows
// the minutes it takes, installed on a bare Debian without Node, upgraded, removed and purged there.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { COMMANDS } from "../../src/app/catalogue.ts";
import { FACES } from "../../src/app/faces.ts";
import { bareDebianObstacle, makeBareDebian } from "./bare-debian.ts";
import { ROOT } from "./lab.ts";

const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
const run = (program: string, args: readonly string[], env: Record<string, string> = {}) =>
  spawnSync(program, args, { encoding: "utf8", env: { ...process.env, ...env }, maxBuffer: 1 << 26 });

/** Runs and insists on success; returns what was printed. */
function must(program: string, args: readonly string[], env: Record<string, string> = {}): string {
  const { status, stdout, stderr, error } = run(program, args, env);
  assert.equal(status, 0, `${program} ${args.join(" ")}: ${error ?? ""}${stdout}${stderr}`);
  return stdout;
}

function obstacle(): string | null {
  for (const [tool, from] of [
    ["dpkg-deb", "dpkg"],
    ["strip", "binutils"],
    ["ar", "binutils"],
  ] as const) {
    if (run("sh", ["-c", 'command -v "$1"', "sh", tool]).status !== 0)
      return `needs ${tool}: apt install ${from}`;
  }
  return existsSync(join(ROOT, "node_modules/esbuild")) ? null : "needs esbuild: run scripts/setup";
}

function scratch(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "telltale-package-"));
  t.after(() => rmSync(dir, { recursive: true }));
  return dir;
}

function build(output: string): string {
  must("sh", [join(ROOT, "scripts/package"), "--fast", "--output", output], {
    SOURCE_DATE_EPOCH: "1700000000",
  });
  return join(output, readdirSync(output).find((name) => name.endsWith(".deb"))!);
}

test("the package is whole, and its program runs from wherever it was unpacked", async (t) => {
  const missing = obstacle();
  if (missing !== null) return t.skip(missing);
  const dir = scratch(t);
  const deb = build(dir);
  const tree = join(dir, "a tree");
  must("dpkg-deb", ["-x", deb, tree]);
  const telltale = join(tree, "usr/bin/telltale");

  await t.test("what an administrator looks for is there", () => {
    const names = new Set(
      must("dpkg-deb", ["-c", deb])
        .split("\n")
        .map((line) => line.replace(/^.* \.\//, "/").replace(/ -> .*/, "")),
    );
    const wanted = [
      "/usr/bin/telltale",
      "/usr/lib/systemd/system/telltale.service",
      "/usr/share/man/man8/telltale.8.gz",
      "/usr/share/man/man1/telltale.1.gz",
      "/usr/share/man/man5/telltale.toml.5.gz",
      ...COMMANDS.map((command) => `/usr/share/man/man8/telltale-${command.name}.8.gz`),
      ...Object.keys(FACES).flatMap((face) => [
        `/usr/lib/telltale/faces/${face}`,
        `/usr/share/man/man8/telltale-${face}.8.gz`,
      ]),
      "/usr/share/bash-completion/completions/telltale",
      "/usr/share/zsh/vendor-completions/_telltale",
      "/usr/share/fish/vendor_completions.d/telltale.fish",
      "/usr/share/doc/telltale/copyright",
      "/usr/share/doc/telltale/changelog.gz",
      "/usr/share/doc/telltale/examples/telltale.toml",
      "/etc/cron.daily/telltale",
    ];
    assert.deepEqual(
      wanted.filter((name) => !names.has(name)),
      [],
    );
    const owners = must("dpkg-deb", ["-c", deb])
      .split("\n")
      .filter((line) => line !== "" && !line.includes(" root/root "));
    assert.deepEqual(owners, []);
    assert.equal(must("dpkg-deb", ["-f", deb, "Version"]), `${version}\n`);
  });

  await t.test("no file tells where it was built", () => {
    const { stdout } = run("grep", [
      "-rlF",
      "-e",
      ROOT,
      "-e",
      dir,
      join(tree, "usr/lib/telltale/program"),
      telltale,
    ]);
    assert.equal(stdout, "");
  });

  await t.test("the names the runtime is linked to come from the packages it depends on", () => {
    const owned: Record<string, string> = {
      "libatomic.so.1": "libatomic1",
      "libstdc++.so.6": "libstdc++6",
      "libgcc_s.so.1": "libgcc-s1",
    };
    const depends = must("dpkg-deb", ["-f", deb, "Depends"]);
    const needed = must("objdump", ["-p", join(tree, "usr/lib/telltale/node")]).matchAll(/NEEDED\s+(\S+)/g);
    for (const name of [...needed].map((match) => match[1]!)) {
      assert.ok(depends.includes(owned[name] ?? "libc6"), name);
    }
  });

  await t.test("it starts, answers under the names of its faces, and its foreign library loads", () => {
    const bare = { PATH: "/usr/bin:/bin" };
    assert.equal(must(telltale, ["--version"], bare), `telltale ${version}\n`);
    for (const command of COMMANDS) must(telltale, [command.name, "--help"], bare);
    assert.match(
      must(join(tree, "usr/lib/telltale/faces/logrotate"), ["--version"], bare),
      /^logrotate .*telltale/,
    );
    const doctor = run(telltale, ["doctor", "--json"], bare).stdout;
    assert.doesNotMatch(doctor, /Cannot find module/);
    if (process.getuid?.() === 0) assert.match(doctor, /"part":"sentry","ok":true/);
  });

  await t.test("an error's stack names the room it comes from", () => {
    const chunks = join(tree, "usr/lib/telltale/program");
    const sources = readdirSync(chunks)
      .filter((name) => name.endsWith(".map"))
      .flatMap(
        (name) => (JSON.parse(readFileSync(join(chunks, name), "utf8")) as { sources: string[] }).sources,
      );
    assert.ok(sources.some((source) => source.startsWith("/src/sentry/")));
    assert.deepEqual(
      sources.filter((source) => !/^\/(src|node_modules)\//.test(source)),
      [],
    );
  });

  await t.test("systemd understands the unit", (t) => {
    if (run("systemd-analyze", ["--version"]).error)
      return t.skip("needs systemd-analyze: apt install systemd");
    const unit = join(dir, "telltale.service");
    const text = readFileSync(join(tree, "usr/lib/systemd/system/telltale.service"), "utf8");
    writeFileSync(
      unit,
      text.replaceAll("/usr/bin/telltale", "/bin/true").replace(/^Documentation=.*\n/m, ""),
    );
    const { stderr } = run("systemd-analyze", ["verify", "--man=no", unit]);
    assert.equal(
      stderr
        .split("\n")
        .filter((line) => line.includes("telltale"))
        .join("\n"),
      "",
    );
    // What the hardening leaves open is listed in the unit with its reason; logrotate's own stands at 6.5.
    const rated = run("systemd-analyze", ["security", "--offline=yes", "--threshold=50", unit]);
    assert.equal(rated.status, 0, rated.stdout.split("\n").slice(-3).join("\n"));
  });

  await t.test("lintian finds nothing that is not listed with its reason", (t) => {
    if (process.env["TELLTALE_PACKAGE_TEST"] !== "1" && !process.env["CI"])
      return t.skip("takes half a minute: TELLTALE_PACKAGE_TEST=1");
    if (run("lintian", ["--version"]).error) return t.skip("needs lintian: apt install lintian");
    const { stdout } = run("lintian", ["--allow-root", "--tag-display-limit", "0", deb]);
    assert.equal(stdout, "");
  });
});

// The files of two packages that are not the same, or that only their archives are not.
function whatDiffers(dirs: readonly string[]): string {
  const trees = dirs.map((dir) => {
    const deb = join(dir, readdirSync(dir).find((name) => name.endsWith(".deb"))!);
    must("dpkg-deb", ["-R", deb, join(dir, "raw")]);
    return join(dir, "raw");
  });
  const listed = (tree: string) =>
    must("find", [tree, "-printf", "%P %m %s %T@ %l\\n"]).split("\n").sort().join("\n");
  const said = run("diff", ["-rq", ...trees]).stdout.trim();
  if (said !== "") return said;
  return listed(trees[0]!) === listed(trees[1]!) ? "the archives only" : "modes, times or links";
}

test("the same commit gives the same package", (t) => {
  const missing = obstacle();
  if (missing !== null) return t.skip(missing);
  const dirs = [scratch(t), scratch(t)];
  const [first, second] = dirs.map((dir) => readFileSync(build(dir)));
  assert.ok(first!.equals(second!), `two builds differ: ${whatDiffers(dirs)}`);
});

test("for another processor it holds that processor's programs, and nothing of this one's", (t) => {
  const missing = obstacle();
  if (missing !== null) return t.skip(missing);
  const [arch, tools, machine] =
    process.arch === "arm64"
      ? (["amd64", "x86_64-linux-gnu", "X86-64"] as const)
      : (["arm64", "aarch64-linux-gnu", "AArch64"] as const);
  if (run(`${tools}-strip`, ["--version"]).error)
    return t.skip(`needs ${tools}-strip: apt install binutils-${tools.replace("_", "-")}`);
  const dir = scratch(t);
  const built = run("sh", [join(ROOT, "scripts/package"), "--fast", "--arch", arch, "--output", dir]);
  if (/npm error.*network|ENOTFOUND|EAI_AGAIN/.test(built.stderr))
    return t.skip("needs npm's registry for the other processor's runtime");
  assert.equal(built.status, 0, built.stderr);
  const deb = join(dir, `telltale_${version}_${arch}.deb`);
  assert.equal(must("dpkg-deb", ["-f", deb, "Architecture"]), `${arch}\n`);
  const tree = join(dir, "tree");
  must("dpkg-deb", ["-x", deb, tree]);
  const programs = must("find", [tree, "-type", "f", "(", "-name", "node", "-o", "-name", "*.node", ")"]);
  const paths = programs.trimEnd().split("\n");
  assert.equal(paths.length, 2, programs);
  for (const path of paths) assert.match(must("readelf", ["-h", path]), new RegExp(`Machine: +.*${machine}`));
});

for (const release of ["bookworm", "trixie"] as const)
  test(`on a bare Debian ${release} it installs, runs, upgrades, and is gone after purge`, (t) => {
    const missing = bareDebianObstacle() ?? obstacle();
    if (missing !== null) return t.skip(missing);
    const made = makeBareDebian(t, release, ["libatomic1", "libstdc++6", "logrotate"]);
    if ("skip" in made) return t.skip(made.skip);
    const { root } = made;
    // With a /proc of its own, as on every host; it goes with its namespace.
    const bare = ["--mount", "--pid", "--fork", `--mount-proc=${root}/proc`, "chroot", root];
    const inside = (script: string) =>
      must("unshare", [
        ...bare,
        "/usr/bin/env",
        "-i",
        "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        "sh",
        "-ec",
        script,
      ]);
    // Whoever makes or removes a user leaves a copy of the files of users as they were before: /etc/passwd-, /etc/shadow-.
    const listing = () =>
      inside(
        "find / -xdev ! -path '/proc/*' ! -path '/var/log/*' ! -path '/var/cache/*' ! -path '/var/lib/dpkg/*' ! -path '/etc/*-' | sort",
      );

    const dir = scratch(t);
    const deb = build(dir);
    copyFileSync(deb, join(root, "new.deb"));
    olderVersion(deb, dir, join(root, "old.deb"));
    const before = listing();

    // The administrator installs it: there is no Node, and it runs.
    inside("dpkg -i /old.deb");
    assert.match(inside("getent passwd telltale"), /:\/nonexistent:\/usr\/sbin\/nologin$/m);
    assert.equal(run("unshare", [...bare, "sh", "-c", "command -v node"]).status, 127);
    assert.equal(inside("telltale --version"), `telltale ${version}\n`);
    assert.match(inside("/usr/lib/telltale/faces/logrotate --version 2>&1"), /telltale/);
    // A copy of the launcher that somebody put elsewhere starts the installed program.
    const copy = "/usr/local/bin/telltale-copy";
    assert.equal(
      inside(`cp /usr/bin/telltale ${copy}; ${copy} --version; rm ${copy}`),
      `telltale ${version}\n`,
    );
    assert.match(inside("telltale doctor || true"), /rotate {3}.*\n[\s\S]*store/);
    // A newer version takes over: what was configured and found stays, what only the older had goes.
    inside("mkdir -p /etc/telltale /var/lib/telltale; touch /var/lib/telltale/telltale.db");
    inside("echo '# mine' > /etc/telltale/telltale.toml; echo '# mine' >> /etc/cron.daily/telltale");
    assert.equal(inside("test -e /usr/lib/telltale/program/old.js && echo there"), "there\n");
    inside("dpkg --force-confold -i /new.deb");
    assert.equal(
      inside("dpkg -s telltale | grep -e ^Status -e ^Version"),
      `Status: install ok installed\nVersion: ${version}\n`,
    );
    inside("test ! -e /usr/lib/telltale/program/old.js; test -e /var/lib/telltale/telltale.db");
    assert.equal(
      inside("tail -qn 1 /etc/telltale/telltale.toml /etc/cron.daily/telltale"),
      "# mine\n# mine\n",
    );

    // Without systemd the daily job rotates what is due.
    inside(`mkdir -p /var/log/app; head -c 30000 /dev/zero > /var/log/app/big.log
      printf '/var/log/app/big.log {\nrotate 1\nsize 10k\n}\n' > /etc/logrotate.d/app; sh /etc/cron.daily/telltale`);
    assert.equal(inside("ls /var/log/app"), "big.log\nbig.log.1\n"); // Debian says "create"
    inside("rm -r /var/log/app /etc/logrotate.d/app");

    // The commands of README.Debian let the face answer in logrotate's place.
    const readme = inside("cat /usr/share/doc/telltale/README.Debian").split("\nAnd back:\n");
    const commands = (text: string) =>
      [...text.matchAll(/^ {4}(?:dpkg-divert|update-alternatives) .*$/gm)].join("\n");
    const [back, forth] = [readme.pop()!, readme.join("")].map(commands);
    inside(forth!);
    assert.match(inside("/usr/sbin/logrotate --version 2>&1"), /telltale/);
    // An upgrade leaves the name where it is; removal gives it back. Configuration and history stay until purge.
    inside("dpkg -i /new.deb");
    assert.match(inside("/usr/sbin/logrotate --version 2>&1"), /telltale/);
    inside(
      "dpkg -r telltale; test -e /etc/telltale/telltale.toml; test -e /var/lib/telltale/telltale.db; sh /etc/cron.daily/telltale",
    );
    assert.doesNotMatch(inside("/usr/sbin/logrotate --version 2>&1"), /telltale/);
    inside(back!);
    inside("dpkg -P telltale");
    // The daily job was run with logrotate's own state, which is logrotate's to keep.
    const left = listing().replace("/var/lib/logrotate/status\n", "");
    assert.equal(left, before.replace("/var/lib/logrotate/status\n", ""));
    assert.equal(inside("getent passwd telltale || getent group telltale || echo nobody"), "nobody\n");
  });

/** The same package, with a smaller version and one file that the newer has not. */
function olderVersion(deb: string, scratchDir: string, to: string): void {
  const tree = join(scratchDir, "older");
  must("dpkg-deb", ["-R", deb, tree]);
  const control = join(tree, "DEBIAN/control");
  writeFileSync(
    control,
    readFileSync(control, "utf8").replace(/^Version: .*$/m, `Version: ${version}~before`),
  );
  writeFileSync(join(tree, "usr/lib/telltale/program/old.js"), "");
  must("dpkg-deb", ["--root-owner-group", "-Zgzip", "-z1", "--build", tree, to]);
}
