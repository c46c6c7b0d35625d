// The guard with each firewall that the configuration may name: check that a scanner is shut out by it, that the commands beside
// it see, make and lift the same blocks, and that the end leaves nothing behind.
import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { startGuard } from "./guard-process.ts";
import { type Lab, labObstacle, makeLab, TELLTALE } from "./lab.ts";
import { synScan } from "./nmap.ts";
import { withListener } from "./split.ts";
import { waitFor } from "./wait.ts";

const BY_HAND = "203.0.113.7";
const SHORT = "203.0.113.8";
const WHILE_DOWN = "203.0.113.9";
const SIX = "2001:db8:9::7";

type Case = {
  readonly backend: string;
  readonly tools: readonly string[];
  readonly more?: (dir: string) => string;
  /** What it holds, as text in which a blocked address stands. */
  readonly holds: (lab: Lab) => string;
};

const CASES: readonly Case[] = [
  {
    backend: "iptables",
    tools: ["iptables", "ipset"],
    holds: (lab) =>
      ["ipset save", "iptables-save", "ip6tables-save"]
        .map((command) => lab.run("host", command.split(" ")).stdout)
        .join("\n"),
  },
  {
    backend: "route",
    tools: [],
    holds: (lab) =>
      ["-4", "-6"]
        .map(
          (family) =>
            lab.run("host", ["ip", family, "route", "show", "table", "all", "type", "blackhole"]).stdout,
        )
        .join("\n"),
  },
  {
    backend: "hosts-deny",
    tools: [],
    holds: (lab) => readFileSync(join(lab.dir, "etc/hosts.deny"), "utf8"),
  },
  {
    backend: "command",
    tools: [],
    more: (dir) =>
      `block_command = ["${dir}/firewall", "block", "{target}"]\nlift_command = ["${dir}/firewall", "lift", "{target}"]`,
    holds: (lab) => (existsSync(join(lab.dir, "held")) ? readFileSync(join(lab.dir, "held"), "utf8") : ""),
  },
];

/** A host's own /etc, because a file that is replaced whole cannot be a mount of its own. */
function makeEtc(lab: Lab): string {
  const etc = join(lab.dir, "etc");
  cpSync("/etc", etc, { recursive: true, verbatimSymlinks: true });
  writeFileSync(join(etc, "hosts.deny"), "# mine\n");
  return etc;
}

function writeConfig(lab: Lab, backend: string, more = ""): string {
  const config = join(lab.dir, "telltale.toml");
  const off = ["rotate", "check"].map((part) => `[${part}]\nenabled = false\n`).join("");
  writeFileSync(
    config,
    `[store]\ndirectory = "${lab.dir}/state"\n${off}[report]\nvia = "none"\n[respond]\nbackend = "${backend}"\n${more}\n`,
  );
  return config;
}

/** What is left of a history on a disk that has gone bad. */
function spoilHistory(lab: Lab): void {
  const store = join(lab.dir, "state/telltale.db");
  for (const path of [store, `${store}-wal`, `${store}-shm`]) rmSync(path, { force: true });
  writeFileSync(store, "garbage".repeat(9_999));
}

for (const { backend, tools, more, holds } of CASES) {
  test(`respond.backend = "${backend}"`, {
    skip: labObstacle("nmap", ...tools) ?? false,
    timeout: 120_000,
  }, async () => {
    using lab = makeLab(["stranger"]);
    const { host4, v4 } = lab.clients[0]!;
    const binds = [[makeEtc(lab), "/etc"], ...withListener(lab).binds] as const;
    writeFileSync(
      join(lab.dir, "firewall"),
      `#!/bin/sh\ncd ${lab.dir}\nexec 9>lock\nflock 9\ngrep -vx "$2" held >held.new 2>/dev/null\n[ "$1" = lift ] || echo "$2" >>held.new\nmv held.new held\n`,
      { mode: 0o755 },
    );
    const config = writeConfig(lab, backend, more?.(lab.dir));
    const telltale = (...args: string[]) =>
      lab.run("host", [TELLTALE, ...args, "--config", config], { binds });
    const has = (address: string) => new RegExp(`\\b${address.replaceAll(".", "\\.")}\\b`).test(holds(lab));
    const guard = await startGuard(lab, ["--block", "--config", config], { binds });
    lab.run("stranger", synScan(host4, "1-100", "3s"));
    await guard.until("block.applied", ({ target }) => target === v4);
    assert.ok(has(v4), holds(lab));

    // None of these ends a block by itself: the guard does.
    assert.equal(telltale("block", SHORT, "--for", "2s").status, 0);
    assert.ok(has(SHORT), holds(lab));
    await guard.until("block.lifted", ({ target, cause }) => target === SHORT && cause === "expired");
    assert.ok(!has(SHORT) && has(v4), holds(lab));

    const byHand = telltale("block", BY_HAND, "--why", "by hand");
    assert.equal(byHand.status, 0, byHand.stderr);
    assert.equal(byHand.stderr, "");
    assert.ok(has(BY_HAND) && has(v4), holds(lab));
    assert.match(telltale("blocks").stdout, new RegExp(`^${BY_HAND} .* by hand$`, "m"));
    assert.match(telltale("unblock", v4).stdout, /is let in again/);
    assert.ok(!has(v4) && has(BY_HAND), holds(lab));
    await guard.until("block.lifted", ({ target }) => target === v4);

    // Killed, it leaves its blocks; the next one has them, and the brake lifts all.
    await guard.stop("SIGKILL");
    assert.ok(has(BY_HAND));
    const again = await startGuard(lab, ["--block", "--config", config], { binds });
    await waitFor("the block to be known", () => telltale("blocks").stdout.includes(BY_HAND));
    assert.ok(has(BY_HAND) && !has(v4), holds(lab));
    const panic = telltale("panic");
    assert.equal(panic.status, 0, panic.stderr);
    assert.ok(!has(BY_HAND), holds(lab));
    assert.equal(telltale("blocks").stdout, "Nobody is blocked.\n");
    assert.equal(telltale("panic", "--end").status, 0);
    assert.deepEqual(
      [...guard.events, ...again.events].filter(({ type }) => type === "block.failed"),
      [],
    );
    assert.equal((await again.stop()).status, 0);
    assert.doesNotMatch(holds(lab), /telltale/);

    // With the guard down nothing is blocked for longer than until the next start, and everybody can be let in.
    const blockBoth = () => {
      const { status, stderr } = telltale("block", BY_HAND, SIX);
      assert.equal(status, 0, stderr);
      // A set of ipset has its own time; of the others the administrator has to know.
      assert.equal(
        /no guard runs, and \S+ ends no block by itself/.test(stderr),
        backend !== "iptables",
        stderr,
      );
    };
    blockBoth();
    assert.equal(telltale("block", WHILE_DOWN, "--for", "1s").status, 0);
    assert.ok(has(BY_HAND) && has(SIX) && has(WHILE_DOWN), holds(lab));
    const third = await startGuard(lab, ["--block", "--config", config], { binds });
    await waitFor("what ran out meanwhile to be lifted", () => !has(WHILE_DOWN));
    assert.ok(has(BY_HAND) && has(SIX), holds(lab));
    await third.stop("SIGKILL");
    const all = telltale("unblock", "--all");
    assert.equal(all.status, 0, all.stderr);
    assert.ok(!has(BY_HAND) && !has(SIX), holds(lab));
    assert.doesNotMatch(holds(lab), /telltale/);

    // The same with a history that is no history any more.
    for (const order of [["unblock", "--all"], ["panic"]]) {
      blockBoth();
      spoilHistory(lab);
      const ordered = telltale(...order);
      if (backend !== "command") {
        assert.ok(!has(BY_HAND) && !has(SIX), `${order}: ${holds(lab)} ${ordered.stderr}`);
        continue;
      }
      // Nobody can ask the command whom it has blocked: that is said, and how to undo it.
      assert.equal(ordered.status, 1);
      assert.match(
        ordered.stderr,
        /whom respond\.block_command has blocked .* is not known\n +mend: .*firewall lift/,
      );
      assert.doesNotMatch(ordered.stdout, /Everybody is let in|Nobody is blocked/);
      rmSync(join(lab.dir, "held"));
    }
    assert.equal(telltale("panic", "--end").status, 0);
    if (backend === "hosts-deny") assert.equal(holds(lab), "# mine\n");
  });
}

for (const [what, spoil] of [
  [
    "is a link to somebody's file",
    (lab: Lab) => {
      rmSync(join(lab.dir, "etc/hosts.deny"));
      symlinkSync(join(lab.dir, "elsewhere"), join(lab.dir, "etc/hosts.deny"));
      return [];
    },
  ],
  // A file that is a mount of its own cannot be replaced, whoever tries.
  ["cannot be replaced", (lab: Lab) => [[join(lab.dir, "elsewhere"), "/etc/hosts.deny"]] as const],
] as const) {
  test(`a hosts.deny that ${what} is left as it is, nobody is called blocked, and the mend is named`, {
    skip: labObstacle("nmap") ?? false,
    timeout: 120_000,
  }, async () => {
    using lab = makeLab(["stranger"]);
    const { host4, v4 } = lab.clients[0]!;
    const etc = makeEtc(lab);
    const elsewhere = join(lab.dir, "elsewhere");
    writeFileSync(elsewhere, "# somebody's\n");
    const binds = [[etc, "/etc"] as const, ...spoil(lab), ...withListener(lab).binds];
    const config = writeConfig(lab, "hosts-deny");
    const guard = await startGuard(lab, ["--block", "--config", config], { binds });
    lab.run("stranger", synScan(host4, "1-100", "3s"));
    await guard.until("scan.detected", (event) => event.scan.source === v4);
    const mend = "make /etc/hosts.deny a plain file that root may write";
    await waitFor("the guard to say what is wrong", () =>
      guard.events.some(
        (event) => (event.type === "part.failed" || event.type === "block.failed") && event.mend === mend,
      ),
    );
    const byHand = lab.run("host", [TELLTALE, "block", BY_HAND, "--config", config], { binds });
    assert.notEqual(byHand.status, 0);
    assert.match(byHand.stderr, /hosts\.deny|EBUSY/);
    assert.doesNotMatch(byHand.stdout, /is locked out/);
    assert.equal(guard.events.filter(({ type }) => type === "block.applied").length, 0);
    assert.equal((await guard.stop()).status, 0);
    assert.equal(readFileSync(elsewhere, "utf8"), "# somebody's\n");
    if (what.includes("link")) assert.equal(readlinkSync(join(etc, "hosts.deny")), elsewhere);
    assert.deepEqual(
      readdirSync(etc).filter((name) => name.includes("telltale-")),
      [],
    );
  });
}
