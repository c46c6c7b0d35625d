import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import type { Address } from "../../core/address.ts";
import { HostNames, type Resolver } from "./names.ts";

const SOURCE = "198.51.100.7" as Address;

/** A DNS where the owner of an address says what it is called, and the owner of a name where it lives. */
function zone(reverse: Record<string, string[]>, forward: Record<string, string[]>): Resolver {
  return {
    reverse: async (address) => reverse[address] ?? Promise.reject(new Error("ENOTFOUND")),
    lookup: async (name) => (forward[name] ?? []).map((address) => ({ address })),
    lookupService: async () => Promise.reject(new Error("ENOTFOUND")),
  };
}

test("a name is shown when it leads back to the address, the first such of several", async () => {
  const names = new HostNames(
    zone({ [SOURCE]: ["lies.example", "scanner.example"] }, { "scanner.example": ["2001:db8::1", SOURCE] }),
  );
  assert.equal(await names.of(SOURCE), "scanner.example");
});

test("a name from /etc/hosts is shown", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "tt-names-"));
  t.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, "hosts"), `${SOURCE} scanner.example\n`);
  const script = `import { HostNames } from ${JSON.stringify(join(import.meta.dirname, "names.ts"))};
    console.log(await new HostNames().of(${JSON.stringify(SOURCE)}));`;
  const inside = 'mount --bind "$1/hosts" /etc/hosts && shift && exec "$@"';
  const argv = ["-mn", "sh", "-c", inside, "sh", dir, process.execPath, "--input-type=module", "-e", script];
  const done = spawnSync("unshare", argv, { encoding: "utf8" });
  if (done.error !== undefined || /unshare failed|unshare:/.test(done.stderr))
    return t.skip("needs root, and unshare: apt install util-linux");
  assert.equal(done.stdout, "scanner.example\n", done.stderr);
});

test("a name that its address made up is not shown: somebody else's, one that looks like an address, one with bytes", async () => {
  for (const name of ["www.victim.example", "192.0.2.1.evil.example", "192.0.2.1", "a".repeat(300)]) {
    const names = new HostNames(zone({ [SOURCE]: [name] }, { [name]: ["192.0.2.1"] }));
    assert.equal(await names.of(SOURCE), SOURCE, name);
  }
  const hostile = "x\u001b[2Jhost\nattackalert: Host: 192.0.2.1";
  const names = new HostNames(zone({ [SOURCE]: [hostile] }, { [hostile]: [SOURCE] }));
  assert.doesNotMatch(await names.of(SOURCE), /[\u0000-\u001f]/, "whoever owns both zones owns no terminal");
});

test("no name, no server and a server that never answers leave the address", async () => {
  assert.equal(await new HostNames(zone({}, {})).of(SOURCE), SOURCE);
  const silent: Resolver = { ...zone({}, {}), reverse: () => new Promise(() => {}) };
  assert.equal(await new HostNames(silent, 20).of(SOURCE), SOURCE);
});
