// A service manager's socket, played by another process: what is said arrives there.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { openNotifier } from "./notify.ts";

const READER = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
name = sys.argv[1]
s.bind("\\0" + name[1:] if name[0] == "@" else name)
print("bound", flush=True)
print(s.recv(4096).decode(), flush=True)`;

for (const kind of ["path", "abstract"] as const) {
  test(`what is said arrives at a socket by ${kind} name`, async (t) => {
    if (spawnSync("python3", ["-V"]).status !== 0) return t.skip("needs python3: apt install python3");
    const dir = mkdtempSync(join(tmpdir(), "telltale-notify-"));
    t.after(() => rmSync(dir, { recursive: true }));
    const address = kind === "path" ? join(dir, "notify") : `@telltale-${process.pid}`;
    const reader = spawn("python3", ["-c", READER, address], { stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => reader.kill());
    let said = "";
    for await (const chunk of reader.stdout) {
      const first = said === "";
      said += String(chunk);
      if (!first) continue;
      const notifier = openNotifier(address);
      notifier.say("READY=1", "STATUS=two lines");
      notifier.close();
    }
    assert.equal(said, "bound\nREADY=1\nSTATUS=two lines\n");
  });
}

test("what nobody hears is dropped, and what is no address is refused", () => {
  const notifier = openNotifier("/nonexistent/notify");
  notifier.say("READY=1");
  notifier.close();
  assert.throws(() => openNotifier("notify"), /is no address/);
});
