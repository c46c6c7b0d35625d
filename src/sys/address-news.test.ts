import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import test from "node:test";

test("an address that comes or goes is heard of", { timeout: 60_000 }, async (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root for network namespaces");
  const name = `tt-an-${process.pid}`;
  try {
    execFileSync("ip", ["netns", "add", name]);
  } catch {
    return t.skip("needs ip: apt install iproute2");
  }
  t.after(() => spawnSync("ip", ["netns", "del", name]));
  const module = new URL("./address-news.ts", import.meta.url).href;
  const code = `const { AddressNews } = await import(${JSON.stringify(module)});
const news = new AddressNews(() => console.log("news"));
process.stdin.on("end", () => news.close()).resume();
console.log("ready");`;
  const child = spawn("ip", ["netns", "exec", name, process.execPath, "--input-type=module", "-e", code], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const said: string[] = [];
  const heard = async (): Promise<void> => {
    const [chunk] = (await once(child.stdout, "data")) as [Buffer];
    said.push(String(chunk));
  };
  await heard();
  assert.deepEqual(said, ["ready\n"]);
  for (const what of ["add", "del"]) {
    const news = heard();
    execFileSync("ip", ["-n", name, "addr", what, "192.0.2.7/32", "dev", "lo"]);
    await news;
  }
  child.stdin.end();
  const [status] = (await once(child, "exit")) as [number];
  assert.equal(status, 0);
  assert.match(said.slice(1).join(""), /^(news\n){2,}$/);
});
