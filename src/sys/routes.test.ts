import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import test from "node:test";
import fc from "fast-check";
import { hopsOf } from "./routes.ts";

test("every uplink of every table is seen, over IPv4, IPv6 and IPv4 by way of IPv6", (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root for network namespaces");
  const name = `tt-rt-${process.pid}`;
  try {
    execFileSync("ip", ["netns", "add", name]);
  } catch {
    return t.skip("needs ip: apt install iproute2");
  }
  t.after(() => spawnSync("ip", ["netns", "del", name]));
  execFileSync("ip", ["-n", name, "-batch", "-"], {
    input: `link add d0 type veth peer name d1
addr add 10.1.0.2/24 dev d0
addr add 10.2.0.2/24 dev d1
addr add fd01::2/64 dev d0 nodad
link set d0 up
link set d1 up
route add default nexthop via 10.1.0.1 dev d0 nexthop via 10.2.0.1 dev d1
route add 10.9.0.0/16 via 10.1.0.9 table 100
route add 10.77.0.0/16 via inet6 fd01::5 dev d0
route add blackhole 10.66.0.0/16
route add default via fd01::1 dev d0
route add 2001:db8::/32 via fd01::9 dev d0 table 101
`,
  });
  const module = new URL("./routes.ts", import.meta.url).href;
  const code = `const { readNextHops } = await import(${JSON.stringify(module)}); console.log(JSON.stringify([4, 6].map(readNextHops)))`;
  const said = execFileSync(
    "ip",
    ["netns", "exec", name, process.execPath, "--input-type=module", "-e", code],
    { encoding: "utf8" },
  );
  const found = JSON.parse(said) as ReturnType<typeof import("./routes.ts").readNextHops>[];
  const brief = found.flatMap(({ hops }) =>
    hops.map(({ address, isDefault, table }) => `${address} ${isDefault} ${table}`),
  );
  assert.deepEqual(brief.sort(), [
    "10.1.0.1 true 254",
    "10.1.0.9 false 100",
    "10.2.0.1 true 254",
    "fd01::1 true 254",
    "fd01::5 false 254",
    "fd01::9 false 101",
  ]);
  assert.ok(found.every(({ whole }) => whole));
});

test("no message makes it fail, however cut or forged", () => {
  fc.assert(
    fc.property(fc.constantFrom(2, 10, 0), fc.uint8Array({ maxLength: 120 }), (family, bytes) => {
      const message = Uint8Array.from([family, ...bytes]);
      for (const hop of hopsOf(message)) assert.equal(typeof hop.address, "string");
    }),
    { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 500) },
  );
});
