import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import test from "node:test";
import fc from "fast-check";
import { elementsIn } from "./nftables-table.ts";

test("what the kernel holds is what nft was told, and every change to a chain shows", (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root for network namespaces");
  if (spawnSync("nft", ["--version"]).status !== 0) return t.skip("needs nft: apt install nftables");
  const name = `tt-nt-${process.pid}`;
  execFileSync("ip", ["netns", "add", name]);
  t.after(() => spawnSync("ip", ["netns", "del", name]));
  const nft = (script: string) =>
    execFileSync("ip", ["netns", "exec", name, "nft", "-f", "-"], { input: script });
  const code = `
    const { NftablesTable } = await import(${JSON.stringify(new URL("./nftables-table.ts", import.meta.url).href)});
    const table = new NftablesTable("t");
    const elements = (set) => [...table.elements(set)].flatMap(({ elements }) => elements.map((e) => ({ ...e, key: [...e.key] })));
    console.log(JSON.stringify({
      sets: table.sets(), four: elements("four"), six: elements("six"), many: elements("many").length, none: elements("none"),
      absent: new NftablesTable("absent").sets(), print: table.fingerprint(["c"]), other: table.fingerprint(["nobody"]),
      some: table.packets("many", [...Array(700).keys()].map((n) => Uint8Array.of(10, n % 7 === 3 || (n > 300 && n < 400) ? 9 : 0, n >> 8, n & 255))),
      nowhere: table.packets("nowhere", [[10, 0, 0, 1], [10, 0, 0, 2]].map((key) => Uint8Array.from(key))),
      packets: table.packets("four", [[192, 0, 2, 1], [192, 0, 2, 9], [192, 0, 2, 2]].map((key) => Uint8Array.from(key))),
    }));`;
  const ask = () =>
    JSON.parse(
      execFileSync("ip", ["netns", "exec", name, process.execPath, "--input-type=module", "-e", code], {
        encoding: "utf8",
      }),
    );
  const many = Array.from({ length: 5_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
  nft(`add table inet t
add set inet t four { type ipv4_addr; flags dynamic, timeout; limit rate over 10/minute; counter; }
add set inet t six { type ipv6_addr; flags dynamic, timeout; counter; }
add set inet t many { type ipv4_addr; }
add chain inet t c { type filter hook prerouting priority 0; }
add rule inet t c ip saddr @many drop
add element inet t four { 192.0.2.1 limit rate over 10/minute burst 5 packets counter packets 4294967299 bytes 1 timeout 1h, 192.0.2.2 }
add element inet t six { 2001:db8::7 counter packets 9 bytes 1 timeout 90s }
add element inet t many { ${many.join(", ")} }
`);
  const first = ask();
  assert.deepEqual(first.sets.sort(), ["four", "many", "six"]);
  assert.deepEqual([first.absent, first.none, first.other], [[], [], ""]);
  assert.equal(first.many, 5_000);
  assert.deepEqual(first.packets, [4_294_967_299, null, 0]);
  // More than one question, with gaps of one and of a hundred.
  const expected = Array.from({ length: 700 }, (_, n) => (n % 7 === 3 || (n > 300 && n < 400) ? null : 0));
  assert.deepEqual(first.some, expected);
  assert.deepEqual(first.nowhere, [null, null]);
  const [one] = first.four.filter(({ key }: { key: number[] }) => key.join(".") === "192.0.2.1");
  assert.equal(one.packets, 4_294_967_299);
  assert.ok(one.leftMs > 3_500_000 && one.leftMs <= 3_600_000, `${one.leftMs} ms`);
  assert.equal(first.four.find(({ key }: { key: number[] }) => key[3] === 2).leftMs, null);
  assert.deepEqual(first.six[0].key.slice(0, 4), [0x20, 0x01, 0x0d, 0xb8]);

  assert.equal(ask().print, first.print, "an element that runs down is no change");
  nft("add table inet other; add element inet t many { 172.16.0.1 }");
  assert.equal(ask().print, first.print, "nor is a new element, or somebody else's table");
  nft("flush chain inet t c; add rule inet t c ip saddr @many drop");
  assert.notEqual(ask().print, first.print, "a rule made anew is");
});

test("no message makes it fail, however cut or forged", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const { packets } of elementsIn(bytes)) assert.equal(typeof packets, "number");
    }),
    { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 500) },
  );
});
