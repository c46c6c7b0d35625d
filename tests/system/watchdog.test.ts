// The service manager is played by the test: a guard that works says that it is alive, one that hangs does not, and that is
// when a real systemd ends it and starts it again (unit.test.ts).
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { startGuard } from "./guard-process.ts";
import { labObstacle, makeLab } from "./lab.ts";
import { listenerOf, withListener } from "./split.ts";
import { waitFor } from "./wait.ts";

// Each message on a line of its own: who sent it (SCM_CREDENTIALS of unix(7), as systemd asks), and what it says.
const MANAGER = `import os, socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
print("bound", flush=True)
while True:
    text, control, _, _ = s.recvmsg(4096, 256)
    print(struct.unpack("3i", control[0][2])[0], text.decode().replace("\\n", " "), flush=True)`;

const WATCHDOG_MS = 1_000;

for (const mode of ["one process", "two processes"] as const) {
  test(`a guard that hangs stops saying that it is alive: ${mode}`, async (t) => {
    const obstacle = labObstacle("python3");
    if (obstacle !== null) return t.skip(obstacle);
    using lab = makeLab([]);
    const config = join(lab.dir, "telltale.toml");
    writeFileSync(
      config,
      `[store]\ndirectory = "${lab.dir}/state"\n[check]\nenabled = false\n[rotate]\nenabled = false\n[sentry]\nenabled = false\n[report]\nvia = "none"\n`,
    );
    const address = join(lab.dir, "notify");
    const manager = spawn("python3", ["-c", MANAGER, address], { stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => manager.kill("SIGKILL"));
    let heard = "";
    manager.stdout.setEncoding("utf8").on("data", (text: string) => {
      heard += text;
    });
    await waitFor("the manager", () => heard === "bound\n");

    const env = { NOTIFY_SOCKET: address, WATCHDOG_USEC: String(WATCHDOG_MS * 1_000) };
    const options = mode === "one process" ? { env } : { env, ...withListener(lab) };
    const guard = await startGuard(lab, ["--config", config], options);
    const pid = guard.child.pid!;
    const signs = () => heard.split("WATCHDOG=1").length - 1;
    await waitFor("readiness", () => heard.includes("READY=1"));
    assert.match(heard, new RegExp(`^${pid} READY=1 STATUS=observing`, "m"));

    // Check that it goes on saying so, by itself and nobody else, and that a listener that hangs is the warden's affair.
    if (mode === "two processes") process.kill(listenerOf(guard), "SIGSTOP");
    const before = signs();
    await waitFor("signs of life", () => signs() >= before + 4);
    const speakers = new Set(heard.match(/^\d+(?= )/gm));
    assert.deepEqual([...speakers], [String(pid)]);

    // It hangs. Check that it is silent for longer than systemd waits, and speaks again when it goes on.
    process.kill(pid, "SIGSTOP");
    await waitFor("the stop", () => /^\d+ \(.*\) T /s.test(readFileSync(`/proc/${pid}/stat`, "latin1")));
    let silentAtMs = performance.now();
    let last = signs();
    await waitFor("silence", () => {
      // What was under way when it stopped may still arrive.
      if (signs() !== last) silentAtMs = performance.now();
      last = signs();
      return performance.now() - silentAtMs > 2 * WATCHDOG_MS;
    });
    process.kill(pid, "SIGCONT");
    await waitFor("a sign of life", () => signs() > last);
    if (mode === "two processes") process.kill(listenerOf(guard), "SIGCONT");
    await guard.stop();
    assert.match(heard, new RegExp(`^${pid} STOPPING=1$`, "m"));
  });
}
