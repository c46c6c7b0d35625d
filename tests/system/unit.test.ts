// The service under a real systemd: a bare Debian is booted in a container, the package installed, and the hardened unit
// has to leave its work possible: rotation with a script that talks to systemd, changes user and sends mail, and blocking.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { bareDebianObstacle, makeBareDebian } from "./bare-debian.ts";
import { ROOT } from "./lab.ts";
import { waitFor } from "./wait.ts";

const PACKAGES = [
  "libatomic1",
  "libstdc++6",
  "systemd-sysv",
  "dbus",
  "rsyslog",
  "nftables",
  "iproute2",
  "exim4-daemon-light",
];

const STANZA = `/var/log/app.log {
 size 10k
 rotate 3
 create 0640 nobody adm
 postrotate
  systemctl kill -s HUP rsyslog.service && echo systemctl >> /var/log/script
  su nobody -s /bin/sh -c id >> /var/log/script
  echo hello | /usr/sbin/sendmail root && echo sendmail >> /var/log/script
  touch /etc/written 2>/dev/null || echo etc is read-only >> /var/log/script
 endscript
}
`;

const HOOK = `require("node:http").createServer((request, response) => {
  let body = "";
  request.on("data", (part) => (body += part)).on("end", () => {
    require("node:fs").appendFileSync("/hook.log", request.headers.authorization + " " + body + "\\n");
    response.end("ok");
  });
}).listen(9999, "127.0.0.1");
`;
const REPORTS = `[report]
to = "ops"
every = "2s"
[webhook.chat]
url = "http://127.0.0.1:9999/hook"
shape = "slack"
token_file = "/etc/telltale/token"
`;

test("the hardened unit leaves rotation, its scripts, mail, capture and the firewall working", async (t) => {
  const missing = bareDebianObstacle();
  if (missing !== null) return t.skip(missing);
  if (spawnSync("systemd-nspawn", ["--version"]).error)
    return t.skip("needs systemd-nspawn: apt install systemd-container");
  const made = makeBareDebian(t, "bookworm", PACKAGES);
  if ("skip" in made) return t.skip(made.skip);
  const { root } = made;
  const dir = mkdtempSync(join(tmpdir(), "telltale-unit-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const built = spawnSync("sh", [join(ROOT, "scripts/package"), "--fast", "--output", dir], {
    encoding: "utf8",
  });
  assert.equal(built.status, 0, built.stderr);
  copyFileSync(
    join(dir, readdirSync(dir).find((name) => name.endsWith(".deb"))!),
    join(root, "telltale.deb"),
  );
  writeFileSync(join(root, "etc/machine-id"), "");
  writeFileSync(join(root, "etc/logrotate.conf"), STANZA);

  const container = spawn(
    "systemd-nspawn",
    ["--quiet", `--directory=${root}`, "--register=no", "--keep-unit", "--private-network", "--boot"],
    { stdio: "ignore" },
  );
  const ended = new Promise((resolve) => container.on("exit", resolve));
  // Its own first child sets the container up; the one that is number 1 inside is systemd.
  const firstInside = () =>
    readFileSync(`/proc/${container.pid}/task/${container.pid}/children`, "utf8")
      .trim()
      .split(" ")
      .find((pid) => pid !== "" && /^NSpid:.*\t1$/m.test(readFileSync(`/proc/${pid}/status`, "utf8")));
  try {
    const leader = await waitFor("the container's first process", firstInside);
    t.after(() => ended);
    const inside = (script: string) => {
      const words = [
        "env",
        "-i",
        "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL=C.UTF-8",
        "sh",
        "-ec",
        script,
      ];
      return spawnSync("nsenter", ["-t", leader, "-m", "-u", "-i", "-n", "-p", "-r", "-w", ...words], {
        encoding: "utf8",
      });
    };
    await waitFor(
      "systemd to be up",
      () => /running|degraded/.test(inside("systemctl is-system-running || true").stdout),
      60_000,
    );
    // The administrator installs it and lets it block.
    inside("mkdir -p /etc/telltale; printf '[respond]\\nmode = \"block\"\\n' > /etc/telltale/telltale.toml");
    inside("head -c 100 /dev/zero | tr '\\0' x > /var/log/app.log");
    const installed = inside("dpkg -i /telltale.deb");
    assert.equal(installed.status, 0, installed.stdout + installed.stderr);
    await waitFor("the guard to watch", () =>
      inside("journalctl --namespace=telltale --no-pager || true").stdout.includes("  store  "),
    );

    // Check that a log that grows past its size is rotated, and that its script could do what scripts do.
    inside("head -c 50000 /dev/zero | tr '\\0' x >> /var/log/app.log");
    const script = await waitFor("the rotation's script", () => {
      const { stdout } = inside("cat /var/log/script");
      return stdout.includes("etc is") && stdout;
    });
    assert.match(script, /^systemctl\nuid=\d+\(nobody\).*\nsendmail\netc is read-only\n$/);

    // A stranger touches unused ports. Check that he is in the firewall.
    inside(`ip netns add stranger; ip link add v0 type veth peer name v1 netns stranger
      ip addr add 198.18.0.1/24 dev v0; ip link set v0 up
      ip -n stranger addr add 198.18.0.2/24 dev v1; ip -n stranger link set v1 up`);
    await waitFor("the block", () => {
      inside(`for port in 23 110 139 445 3306; do
        ip netns exec stranger timeout 0.2 bash -c "echo > /dev/tcp/198.18.0.1/$port" || true; done`);
      return inside("nft list table inet telltale").stdout.includes("198.18.0.2 ");
    });

    // Check from outside that it holds no more than the unit allows.
    const status = inside("cat /proc/$(systemctl show -p MainPID --value telltale)/status").stdout;
    assert.match(status, /^CapBnd:\t00000000208c37ff$/m);
    assert.match(status, /^Seccomp:\t2$/m);
    const listener = inside(
      'for each in /proc/[0-9]*/status; do ! grep -q "^Name:.telltale: liste" $each || cat $each; done',
    ).stdout;
    const uid = inside("id -u telltale").stdout.trim();
    assert.match(listener, new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, "m"));
    assert.match(listener, /^CapBnd:\t0000000000000000$/m);
    assert.match(listener, /^NoNewPrivs:\t1$/m);
    assert.match(inside("systemctl show -p StatusText telltale").stdout, /blocking/);
    // Crashed, it is started again by its warden, and systemd need not know.
    inside(`kill -SEGV ${/^Pid:\t(\d+)$/m.exec(listener)![1]}`);
    await waitFor(
      "the next listener",
      () =>
        inside("journalctl --namespace=telltale --no-pager || true").stdout.includes(
          "listener works again",
        ) ||
        inside("journalctl --namespace=telltale --no-pager || true").stdout.includes(
          "started again as process",
        ),
    );
    assert.equal(inside("systemctl show -p NRestarts --value telltale").stdout.trim(), "0");
    // A few lines more in the configuration are read when systemd is asked to reload: another reader, and a webhook whose
    // token only root may read. The report goes there, though who sends it may not.
    writeFileSync(join(root, "hook.js"), HOOK);
    writeFileSync(join(root, "reports.toml"), REPORTS);
    inside(`systemd-run --unit=hook /usr/lib/telltale/node /hook.js
      cat /reports.toml >> /etc/telltale/telltale.toml; umask 077; echo tk_secret > /etc/telltale/token
      systemctl reload telltale`);
    await waitFor("the reload", () => inside("telltale status").stdout.includes("mail to ops"));
    const posted = await waitFor("the report at the webhook", () => inside("cat /hook.log").stdout || null);
    assert.match(posted, /^Bearer tk_secret \{"text":.*198\.18\.0\.2/);

    // The warden hangs: systemd ends it and starts it again, and who was locked out stays so all the while.
    inside(`mkdir -p /run/systemd/system/telltale.service.d
      printf '[Service]\\nWatchdogSec=4\\nRestartSec=1\\n' > /run/systemd/system/telltale.service.d/quick.conf
      systemctl daemon-reload; systemctl restart telltale`);
    const pidOf = () => inside("systemctl show -p MainPID --value telltale").stdout.trim();
    const isActive = () => inside("systemctl is-active telltale").stdout === "active\n";
    await waitFor("the guard with a quick watchdog", isActive);
    const hanging = pidOf();
    inside(`kill -STOP ${hanging}`);
    const restarts = await waitFor(
      "the watchdog",
      () => {
        assert.match(inside("nft list table inet telltale").stdout, /198\.18\.0\.2 /);
        return (
          !["0", hanging].includes(pidOf()) &&
          inside("systemctl show -p NRestarts --value telltale").stdout.trim()
        );
      },
      60_000,
    );
    assert.equal(restarts, "1");
    await waitFor("the guard after the watchdog", isActive);
    assert.match(inside("journalctl -u telltale --no-pager").stdout, /Watchdog timeout/);
    assert.match(inside("telltale blocks").stdout, /198\.18\.0\.2/);

    // After removal nobody is locked out, and after purge nothing is left.
    assert.equal(inside("dpkg -r telltale").status, 0);
    assert.doesNotMatch(inside("nft list tables").stdout, /telltale/);
    assert.equal(inside("dpkg -P telltale").status, 0);
    assert.equal(inside("rm /telltale.deb; find / -xdev -name '*telltale*' ! -path '/proc/*'").stdout, "");
  } finally {
    const first = container.exitCode === null ? firstInside() : undefined;
    if (first) process.kill(Number(first), "SIGKILL"); // the first process takes the whole container with it
    container.kill("SIGTERM");
    await ended;
  }
});
