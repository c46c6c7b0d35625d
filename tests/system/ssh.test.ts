// A real OpenSSH server on a port that only its command line knows. Check that whoever has logged in is not locked out whatever
// they do, from the very moment on, and that whoever merely holds a connection to it is.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { startGuard } from "./guard-process.ts";
import { type Lab, labObstacle, makeLab, type RunOptions } from "./lab.ts";
import { synScan } from "./nmap.ts";
import { listenerOf, withListener } from "./split.ts";
import { blocked } from "./split-scene.ts";
import { waitFor } from "./wait.ts";

const PORT = 2_222;
const SSHD = process.env["TELLTALE_SSHD"] ?? "/usr/sbin/sshd";
// Where sshd locks in what it does before a login (sshd(8)); made by its unit otherwise.
const EMPTY = "/run/sshd";

function keys(lab: Lab): { config: string; client: readonly string[] } {
  for (const name of ["host", "admin"]) {
    const made = spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(lab.dir, name)]);
    assert.equal(made.status, 0, String(made.stderr));
  }
  const config = join(lab.dir, "sshd_config");
  writeFileSync(
    config,
    `HostKey ${join(lab.dir, "host")}
AuthorizedKeysFile ${join(lab.dir, "admin.pub")}
PermitRootLogin yes
StrictModes no
UsePAM no
PidFile none
`,
  );
  const options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"];
  const words = options.flatMap((option) => ["-o", option]);
  return { config, client: ["ssh", "-i", join(lab.dir, "admin"), "-p", String(PORT), ...words] };
}

/** Why there can be no server here, or null. */
function sshObstacle(...tools: readonly string[]): string | null {
  const obstacle = labObstacle("nft", "nmap", "ssh", "ssh-keygen", ...tools);
  if (obstacle !== null) return obstacle;
  return spawnSync(SSHD, ["-V"]).error === undefined ? null : "needs sshd: apt install openssh-server";
}

/** A server that listens; what is returned is the client's command line. */
async function startServer(t: TestContext, lab: Lab, binds: RunOptions["binds"]): Promise<readonly string[]> {
  makeEmptyFolder(t);
  appendFileSync(join(lab.dir, "passwd"), "sshd:x:64932:65534::/run/sshd:/usr/sbin/nologin\n");
  const { config, client } = keys(lab);
  lab.start("host", [SSHD, "-D", "-f", config, "-p", String(PORT)], { binds: binds ?? [] });
  await waitFor("sshd", () => lab.run("host", ["ss", "-Hltn", `sport = :${PORT}`]).stdout !== "");
  return client;
}

function writeConfig(lab: Lab, more: string): string {
  const config = join(lab.dir, "telltale.toml");
  const off = ["check", "rotate"].map((part) => `[${part}]\nenabled = false\n`).join("");
  writeFileSync(
    config,
    `[store]\ndirectory = "${lab.dir}/state"\n${off}[report]\nvia = "none"\n[respond]\n${more}\n`,
  );
  return config;
}

const isBlocked = (lab: Lab, address: string) => blocked(lab).includes(`${address} `);

function makeEmptyFolder(t: TestContext): void {
  try {
    mkdirSync(EMPTY, { mode: 0o755 });
    t.after(() => rmdirSync(EMPTY));
  } catch {
    // The machine has its own.
  }
}

test("a live login over SSH is never locked out, a mere connection is", async (t) => {
  const obstacle = sshObstacle("socat");
  if (obstacle !== null) return t.skip(obstacle);
  using lab = makeLab(["admin", "stranger", "admin6"]);
  const { binds } = withListener(lab);
  const [admin, stranger, admin6] = [lab.clients[0]!, lab.clients[1]!, lab.clients[2]!];
  const config = writeConfig(lab, "aggregate_from = 0");
  const ssh = await startServer(t, lab, binds);
  const guard = await startGuard(lab, ["--block", "--config", config], { binds });

  const scan = (client: string, address: string) => lab.run(client, synScan(address, "1-300"));

  // The administrator logs in and, from the session on, looks at all ports at once.
  const session = lab.start("admin", [...ssh, `root@${admin.host4}`, "echo in; sleep 600"]);
  let said = "";
  session.stdout!.on("data", (chunk) => {
    said += String(chunk);
  });
  await waitFor("the login", () => said === "in\n");
  // Whatever is asked of it, the warden sees who has logged in; the listener hears of it, and says so itself from then on.
  scan("admin", admin.host4);
  await guard.until("verdict.reached", ({ verdict }) => verdict.source === admin.v4);
  await waitFor("the administrator to be free", () => !isBlocked(lab, admin.v4));
  await waitFor("the listener to know", () => {
    scan("admin", admin.host4);
    return guard.events.some(
      (event) =>
        event.type === "verdict.reached" && event.verdict.guardrail === `live SSH session on port ${PORT}`,
    );
  });
  assert.ok(!isBlocked(lab, admin.v4));
  assert.ok(!guard.events.some((event) => event.type === "block.applied" && event.target === admin.v4));

  // The same over IPv6: nor is the network of the session cut.
  const session6 = lab.start("admin6", [...ssh, `root@${admin6.host6}`, "echo in; sleep 600"]);
  let said6 = "";
  session6.stdout!.on("data", (chunk) => {
    said6 += String(chunk);
  });
  await waitFor("the login over IPv6", () => said6 === "in\n");
  await waitFor("the listener to know of it", () => {
    scan("admin6", admin6.host6);
    return guard.events.some(
      (event) =>
        event.type === "verdict.reached" &&
        event.verdict.source === admin6.v6 &&
        event.verdict.guardrail === `live SSH session on port ${PORT}`,
    );
  });
  await waitFor("the administrator to be free over IPv6", () => !isBlocked(lab, admin6.v6));
  assert.ok(
    !guard.events.some((event) => event.type === "block.applied" && event.target.startsWith("2001:db8:3:")),
  );

  // A stranger connects to the same port, says nothing, and scans.
  lab.start("stranger", ["socat", "-u", `TCP:${stranger.host4}:${PORT}`, "STDOUT"]);
  await waitFor("the connection", () =>
    lab
      .run("host", ["ss", "-Htn", "state", "established", `sport = :${PORT}`])
      .stdout.includes(`${stranger.v4}:`),
  );
  scan("stranger", stranger.host4);
  await guard.until(
    "verdict.reached",
    ({ verdict }) => verdict.source === stranger.v4 && verdict.action === "block",
  );
  await waitFor("the block", () => isBlocked(lab, stranger.v4));
  assert.ok(!isBlocked(lab, admin.v4));
  await guard.stop();
});

test("a login that the listener has not heard of: the warden refuses its block, and that is a verdict and no failure", async (t) => {
  const obstacle = sshObstacle();
  if (obstacle !== null) return t.skip(obstacle);
  using lab = makeLab(["admin"]);
  const { binds } = withListener(lab);
  const admin = lab.clients[0]!;
  // The kernel would decide by itself, before either of the two.
  const config = writeConfig(lab, "kernel = false");
  const ssh = await startServer(t, lab, binds);
  const guard = await startGuard(lab, ["--block", "--config", config], { binds });
  const listener = listenerOf(guard);

  // While the warden is held up somebody logs in and looks at all ports: the listener knows of the scan only.
  process.kill(guard.child.pid!, "SIGSTOP");
  const beat = "while echo in; do sleep 0.1; done";
  const session = lab.start("admin", [...ssh, `root@${admin.host4}`, beat]);
  let heard = 0;
  session.stdout!.on("data", (chunk) => {
    heard += String(chunk).length;
  });
  await waitFor("the login", () => heard > 0);
  lab.run("admin", synScan(admin.host4, "1-300"));
  const { verdict: hasty } = await guard.until(
    "verdict.reached",
    ({ verdict }) => verdict.source === admin.v4 && verdict.action === "block",
  );
  process.kill(guard.child.pid!, "SIGCONT");
  const { verdict } = await guard.until(
    "verdict.reached",
    ({ verdict: { findingId, action } }) => findingId === hasty.findingId && action !== "block",
  );
  const session22 = `live SSH session on port ${PORT}`;
  assert.deepEqual(verdict, {
    ...hasty,
    action: "ignore",
    forMs: 0,
    because: `never blocked: ${session22}`,
    guardrail: session22,
  });
  const before = heard;
  await waitFor("the session to go on", () => heard > before);
  assert.ok(!isBlocked(lab, admin.v4));
  const wrong = guard.events.filter(({ type }) => /^(block\.|part\.failed)/.test(type));
  assert.deepEqual(wrong, [], guard.stderr());
  assert.equal(listenerOf(guard), listener, "the listener is not suspected of anything");
  assert.equal((await guard.stop()).status, 0);
});
