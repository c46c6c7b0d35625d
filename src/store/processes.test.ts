// More than one process at a history, and one that is killed.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { lineEvent, scratch } from "./rig.ts";
import { openStore } from "./store.ts";

test("a command may write beside the guard: both wait for each other and nothing is lost", async (t) => {
  const path = join(scratch(t), "history.db");
  using guard = openStore(path);
  const program = `
    import { openStore } from ${JSON.stringify(new URL("./store.ts", import.meta.url).href)};
    import { newId } from ${JSON.stringify(new URL("../core/id.ts", import.meta.url).href)};
    const store = openStore(process.argv[1]);
    for (let n = 0; n < 300; n++) {
      const at = new Date();
      store.append({ type: "packets.lost", count: n, where: "ring", v: 1, id: newId(at), host: "h", at: at.toISOString() });
    }
    store.close();`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program, path], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  const closed = once(child, "close");
  let own = 0;
  for (; child.exitCode === null && own < 20_000; own++) {
    guard.append(lineEvent(`line ${own}`));
    if (own % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual((await closed)[0], 0);
  assert.equal(guard.eventsSince(0, { types: ["packets.lost"] }).length, 300);
  assert.equal(guard.lastSeq(), own + 300);
});

test("killed at any moment, the history holds exactly what was committed, cursor and findings together", async (t) => {
  const path = join(scratch(t), "history.db");
  const program = `
    import { openStore } from ${JSON.stringify(new URL("./store.ts", import.meta.url).href)};
    import { newId } from ${JSON.stringify(new URL("../core/id.ts", import.meta.url).href)};
    import { writeSync } from "node:fs";
    const store = openStore(process.argv[1]);
    for (let n = Number(store.cursors.get("s")?.n ?? 0) + 1; ; n++) {
      const at = new Date();
      store.transaction(() => {
        for (let i = 0; i < 3; i++)
          store.append({ type: "line.found", layer: "system", source: "s", line: n + "." + i, v: 1, id: newId(at), host: "h", at: at.toISOString() });
        store.cursors.set("s", { n });
      });
      writeSync(1, n + "\\n");
    }`;
  let acknowledged = 0;
  for (let run = 0; run < Number(process.env["TELLTALE_RUNS"] ?? 6); run++) {
    const child = spawn(process.execPath, ["--input-type=module", "-e", program, path], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let out = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      // Killed after a different number of commits each time, at whatever instruction it has reached by then.
      if ((out += text).split("\n").length > 20 + run * 37) child.kill("SIGKILL");
    });
    await once(child, "close");
    acknowledged = Number(out.trimEnd().split("\n").at(-1));
    using store = openStore(path);
    const n = Number(store.cursors.get("s")?.["n"]);
    assert.ok(n >= acknowledged, `acknowledged ${acknowledged}, found ${n}`);
    assert.deepEqual(store.notices, []);
    const lines = store
      .eventsSince(0, { limit: 1_000_000 })
      .map(({ event }) => (event.type === "line.found" ? event.line : ""));
    const want = Array.from({ length: n * 3 }, (_, i) => `${1 + Math.floor(i / 3)}.${i % 3}`);
    assert.deepEqual(lines, want);
  }
});

test("what root begins or writes in the folder of another user stays that user's", (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root: run as root");
  const dir = scratch(t);
  const path = join(dir, "history.db");
  chownSync(dir, 65534, 65534);
  const owners = () => readdirSync(dir).map((name) => statSync(join(dir, name)).uid);
  {
    using store = openStore(path);
    store.append(lineEvent("by root"));
    using reader = openStore(path, { readOnly: true });
    assert.equal(reader.lastSeq(), 1);
    assert.deepEqual(owners(), [65534, 65534, 65534], "file, log and shared memory");
  }
  process.seteuid?.(65534);
  try {
    using store = openStore(path);
    store.append(lineEvent("by its owner"));
    assert.equal(store.lastSeq(), 2);
  } finally {
    process.seteuid?.(0);
  }
});

test("a history can be read where its reader may write nothing", (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root: run as root");
  const dir = scratch(t);
  const path = join(dir, "history.db");
  {
    using store = openStore(path);
    store.append(lineEvent("kept"));
  }
  chmodSync(path, 0o644);
  chmodSync(dir, 0o755);
  process.seteuid?.(65534);
  try {
    using reader = openStore(path, { readOnly: true });
    assert.equal(reader.lastSeq(), 1);
  } finally {
    process.seteuid?.(0);
  }
  assert.deepEqual(readdirSync(dir), ["history.db"]);
});

test("a history knows whether anybody else has written to it", (t) => {
  const path = join(scratch(t), "history.db");
  using one = openStore(path);
  assert.equal(one.changedElsewhere(), true, "asked for the first time, nobody knows");
  one.append(lineEvent("own"));
  assert.equal(one.changedElsewhere(), false);
  using other = openStore(path);
  other.append(lineEvent("another's"));
  assert.equal(one.changedElsewhere(), true);
  one.append(lineEvent("own again"));
  assert.equal(one.changedElsewhere(), false);
  assert.equal(one.eventsSince(0).length, 3);
});
