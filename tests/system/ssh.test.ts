// A real OpenSSH server on a port that only its command line knows. Check that whoever has logged in is not locked out whatever
// they do, from the very moment on, and that whoever merely holds a connection to it is.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { startGuard } from "./guard-process.ts";
import { type Lab, labObstacle, makeLab } from "./lab.ts";
import { withListener } from "./split.ts";
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

function makeEmptyFolder(t: TestContext): void {
  try {
    mkdirSync(EMPTY, { mode: 0o755 });
    t.after(() => rmdirSync(EMPTY));
  } catch {
    // The machine has its own.
  }
}

test("a live login over SSH is never locked out, a mere connection is", async (t) => {
  const obstacle = labObstacle("nft", "nmap", "ssh", "ssh-keygen", "socat");
  if (obstacle !== null) return t.skip(obstacle);
  if (spawnSync(SSHD, ["-V"]).error !== undefined) return t.skip("needs sshd: apt install openssh-server");
  using lab = makeLab(["admin", "stranger", "admin6"]);
  makeEmptyFolder(t);
  const { binds } = withListener(lab);
  appendFileSync(join(lab.dir, "passwd"), "sshd:x:64932:65534::/run/sshd:/usr/sbin/nologin\n");
  const ssh = keys(lab);
  const [admin, stranger, admin6] = [lab.clients[0]!, lab.clients[1]!, lab.clients[2]!];
  const config = join(lab.dir, "telltale.toml");
  writeFileSync(
    config,
    `[store]\ndirectory = "${lab.dir}/state"\n[check]\nenabled = false\n[rotate]\nenabled = false\n[report]\nvia = "none"\n[respond]\naggregate_from = 0\n`,
  );
  lab.start("host", [SSHD, "-D", "-f", ssh.config, "-p", String(PORT)], { binds });
  await waitFor("sshd", () => lab.run("host", ["ss", "-Hltn", `sport = :${PORT}`]).stdout !== "");
  const guard = await startGuard(lab, ["--block", "--config", config], { binds });

  const scan = (client: string, address: string) =>
    lab.run(client, [
      "nmap",
      ...(address.includes(":") ? ["-6"] : []),
      "-sS",
      "-Pn",
      "-n",
      "-T4",
      "--max-retries",
      "0",
      "-p",
      "1-300",
      address,
    ]);
  const isBlocked = (address: string) => {
    const sets = lab.run("host", ["nft", "list", "table", "inet", "telltale"]).stdout;
    return [...sets.matchAll(/set blocked[^}]*\}/g)].join("\n").includes(`${address} `);
  };

  // The administrator logs in and, from the session on, looks at all ports at once.
  const session = lab.start("admin", [...ssh.client, `root@${admin.host4}`, "echo in; sleep 600"]);
  let said = "";
  session.stdout!.on("data", (chunk) => {
    said += String(chunk);
  });
  await waitFor("the login", () => said === "in\n");
  // Whatever is asked of it, the warden sees who has logged in; the listener hears of it, and says so itself from then on.
  scan("admin", admin.host4);
  await guard.until("verdict.reached", ({ verdict }) => verdict.source === admin.v4);
  await waitFor("the administrator to be free", () => !isBlocked(admin.v4));
  await waitFor("the listener to know", () => {
    scan("admin", admin.host4);
    return guard.events.some(
      (event) =>
        event.type === "verdict.reached" && event.verdict.guardrail === `live SSH session on port ${PORT}`,
    );
  });
  assert.ok(!isBlocked(admin.v4));
  assert.ok(!guard.events.some((event) => event.type === "block.applied" && event.target === admin.v4));

  // The same over IPv6: nor is the network of the session cut.
  const session6 = lab.start("admin6", [...ssh.client, `root@${admin6.host6}`, "echo in; sleep 600"]);
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
  await waitFor("the administrator to be free over IPv6", () => !isBlocked(admin6.v6));
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
  await waitFor("the block", () => isBlocked(stranger.v4));
  assert.ok(!isBlocked(admin.v4));
  await guard.stop();
});
