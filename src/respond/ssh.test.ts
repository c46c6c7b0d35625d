import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { parseAddress } from "../core/address.ts";
import { readSshSockets, SshSessions } from "./ssh.ts";

type Process = { comm: string; title: string; sockets: string[] };

function processes(t: TestContext): { root: string; set: (pid: number, process: Process | null) => void } {
  const root = mkdtempSync(join(tmpdir(), "tt-ssh-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const set = (pid: number, process: Process | null) => {
    const folder = join(root, "proc", String(pid));
    rmSync(folder, { recursive: true, force: true });
    if (process === null) return;
    mkdirSync(join(folder, "fd"), { recursive: true });
    writeFileSync(join(folder, "comm"), `${process.comm}\n`);
    writeFileSync(join(folder, "cmdline"), `${process.title}\0`);
    process.sockets.forEach((inode, fd) => {
      symlinkSync(`socket:[${inode}]`, join(folder, "fd", String(fd + 3)));
    });
    symlinkSync("/dev/null", join(folder, "fd", "0"));
  };
  return { root, set };
}

const row = (inode: string, remote: string) => ({
  local: parseAddress("192.0.2.5")!,
  localPort: 22,
  remote: parseAddress(remote)!,
  remotePort: 50_000,
  state: "01",
  inode,
});

// Titles as OpenSSH writes them; with privilege separation a connection has two processes.
const STAGES: readonly [
  stage: string,
  titles: readonly (readonly [comm: string, title: string])[],
  loggedIn: boolean,
][] = [
  ["just accepted", [["sshd", "sshd: [accepted]"]], false],
  ["forked, not yet titled", [["sshd", "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"]], false],
  [
    "asked for a name",
    [
      ["sshd", "sshd: unknown [priv]"],
      ["sshd", "sshd: unknown [net]"],
    ],
    false,
  ],
  [
    "trying passwords",
    [
      ["sshd", "sshd: root [priv]"],
      ["sshd", "sshd: root [net]"],
    ],
    false,
  ],
  ["a root shell", [["sshd", "sshd: root@pts/0"]], true],
  [
    "a user's shell",
    [
      ["sshd", "sshd: anna [priv]"],
      ["sshd", "sshd: anna@pts/1"],
    ],
    true,
  ],
  [
    "a tunnel without a shell",
    [
      ["sshd", "sshd: anna [priv]"],
      ["sshd", "sshd: anna"],
    ],
    true,
  ],
  ["9.8 before its title", [["sshd-session", "/usr/lib/openssh/sshd-session -R"]], false],
  [
    "9.8 logged in",
    [
      ["sshd-session", "sshd-session: anna [priv]"],
      ["sshd-session", "sshd-session: anna@pts/1"],
    ],
    true,
  ],
  [
    "10 before login",
    [
      ["sshd-session", "sshd-session: anna [priv]"],
      ["sshd-auth", "sshd-auth: anna [net]"],
    ],
    false,
  ],
  ["dropbear, which does not tell", [["dropbear", "/usr/sbin/dropbear -p 22"]], true],
];

for (const [stage, titles, loggedIn] of STAGES) {
  test(`${stage}: ${loggedIn ? "protected" : "not protected"}`, (t) => {
    const { root, set } = processes(t);
    set(1, {
      comm: "sshd",
      title: "sshd: /usr/sbin/sshd -D [listener] 1 of 10-100 startups",
      sockets: ["7"],
    });
    titles.forEach(([comm, title], i) => {
      set(100 + i, { comm, title, sockets: ["42"] });
    });
    const sessions = new SshSessions(root).loggedIn([row("42", "203.0.113.9")], 0);
    assert.equal(sessions.length, loggedIn ? 1 : 0);
  });
}

test("whoever logs in becomes protected within a second, and stays so without being asked again", (t) => {
  const { root, set } = processes(t);
  const sessions = new SshSessions(root);
  const table = [row("42", "203.0.113.9")];
  set(100, { comm: "sshd", title: "sshd: root [net]", sockets: ["42"] });
  assert.equal(sessions.loggedIn(table, 0).length, 0);
  set(100, { comm: "sshd", title: "sshd: root@pts/0", sockets: ["42"] });
  assert.equal(sessions.loggedIn(table, 999).length, 0);
  assert.equal(sessions.loggedIn(table, 1_000).length, 1);
  assert.equal(sessions.hasMoved(), false, "nobody waits any more");
  set(100, null);
  assert.equal(sessions.loggedIn(table, 5_000).length, 1);
  // The number may come again for another connection, once this one has ended.
  assert.equal(sessions.loggedIn([], 6_000).length, 0);
  set(101, { comm: "sshd", title: "sshd: [accepted]", sockets: ["42"] });
  assert.equal(sessions.loggedIn(table, 6_001).length, 0);
});

test("a login is noticed at the next question: its server waits no longer, or the half of it that waited has gone", (t) => {
  const { root, set } = processes(t);
  const sessions = new SshSessions(root);
  const table = [row("42", "203.0.113.9"), row("43", "203.0.113.10")];
  set(100, { comm: "sshd", title: "sshd: anna [priv]", sockets: ["42"] });
  set(101, { comm: "sshd", title: "sshd: anna [net]", sockets: ["42"] });
  set(102, { comm: "sshd-session", title: "sshd-session: [accepted]", sockets: ["43"] });
  assert.equal(sessions.loggedIn(table, 0).length, 0);
  assert.equal(sessions.hasMoved(), false);
  set(101, null);
  assert.equal(sessions.hasMoved(), true);
  assert.deepEqual(
    sessions.loggedIn(table, 10).map(({ inode }) => inode),
    ["42"],
  );
  assert.equal(sessions.hasMoved(), false);
  set(102, { comm: "sshd-session", title: "sshd-session: root@pts/0", sockets: ["43"] });
  assert.equal(sessions.hasMoved(), true);
  assert.equal(sessions.loggedIn(table, 20).length, 2);
});

test("a connection that nobody has accepted protects nobody; one of an unknown server does", (t) => {
  const { root } = processes(t);
  const sessions = new SshSessions(root);
  const loggedIn = sessions.loggedIn([row("0", "203.0.113.9"), row("43", "203.0.113.10")], 0);
  assert.deepEqual(
    loggedIn.map(({ remote }) => remote),
    ["203.0.113.10"],
  );
  assert.deepEqual(readSshSockets(root), { all: new Set(), notLoggedIn: new Map(), mosh: [] });
});
