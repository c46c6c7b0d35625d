import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import test from "node:test";
import fc from "fast-check";
import { type ElementStep, TransactionText } from "./nftables-transaction.ts";

type Told = { elem: { val: string; timeout?: number; counter?: { packets: number } } };

test("nft lists what a transaction has written, and a refused one has done nothing", (t) => {
  if (process.getuid?.() !== 0) return t.skip("needs root for network namespaces");
  if (spawnSync("nft", ["--version"]).status !== 0) return t.skip("needs nft: apt install nftables");
  const name = `tt-ne-${process.pid}`;
  execFileSync("ip", ["netns", "add", name]);
  t.after(() => spawnSync("ip", ["netns", "del", name]));
  const inside = (argv: readonly string[], input = "") =>
    execFileSync("ip", ["netns", "exec", name, ...argv], { encoding: "utf8", input, maxBuffer: 1 << 26 });
  inside(
    ["nft", "-f", "-"],
    `add table inet t
add set inet t four { type ipv4_addr; flags dynamic, timeout; size 20000; counter; }
add set inet t six { type ipv6_addr; flags dynamic, timeout; counter; }
add set inet t slow { type ipv4_addr; flags dynamic, timeout; limit rate over 10/minute burst 5 packets; counter; }
`,
  );
  const change = (...steps: ElementStep[]): string => {
    const plain = steps.map((step) => ({
      ...step,
      elements: step.elements.map((element) => ({ ...element, key: [...element.key] })),
    }));
    const code = `
      const { NftablesElements } = await import(${JSON.stringify(new URL("./nftables-elements.ts", import.meta.url).href)});
      let text = ""; for await (const chunk of process.stdin) text += chunk;
      const elements = new NftablesElements("t");
      const steps = JSON.parse(text).map((step) => ({ ...step, elements: step.elements.map((e) => ({ ...e, key: Uint8Array.from(e.key) })) }));
      try { elements.change(steps); elements.change([]); console.log("done"); } catch (error) { console.log(error.code); elements.change([]); }`;
    return inside([process.execPath, "--input-type=module", "-e", code], JSON.stringify(plain)).trim();
  };
  const listed = (set: string): Map<string, Told["elem"]> => {
    const { nftables } = JSON.parse(inside(["nft", "-j", "list", "set", "inet", "t", set]));
    const elements = nftables.find((each: { set?: unknown }) => each.set).set.elem ?? [];
    return new Map(elements.map(({ elem }: Told) => [elem.val, elem]));
  };
  const v4 = (n: number) => Uint8Array.of(10, n >> 16, (n >> 8) & 255, n & 255);
  const many = Array.from({ length: 9_000 }, (_, n) => ({ key: v4(n), forMs: 90_000 + n * 1_000 }));
  const six = Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7);

  assert.equal(
    change(
      { do: "add", set: "four", elements: many },
      { do: "add", set: "six", elements: [{ key: six, forMs: 61_000, packets: 2 ** 32 + 3 }] },
      {
        do: "add",
        set: "slow",
        elements: [{ key: v4(1), packets: 7, over: { perMinute: 10, burst: 5 } }, { key: v4(2) }],
      },
    ),
    "done",
  );
  const four = listed("four");
  assert.equal(four.size, 9_000);
  for (const n of [0, 1, 8_999]) assert.equal(four.get([...v4(n)].join("."))?.timeout, 90 + n);
  assert.equal(four.get("10.0.0.0")?.counter?.packets, 0);
  assert.equal(listed("six").get("2001:db8::7")?.counter?.packets, 2 ** 32 + 3);
  assert.equal(listed("six").get("2001:db8::7")?.timeout, 61);
  const slow = inside(["nft", "list", "set", "inet", "t", "slow"]);
  assert.match(slow, /10\.0\.0\.1 limit rate over 10\/minute (burst 5 packets )?counter packets 7/);
  assert.match(slow, /10\.0\.0\.2 limit rate over 10\/minute (burst 5 packets )?counter packets 0/);

  const again = { set: "four", elements: [{ key: v4(5), forMs: 3_600_000 }] };
  assert.equal(
    change({ do: "add", ...again }, { do: "delete", ...again }, { do: "add", ...again }),
    "done",
    "an element is made anew within one transaction",
  );
  assert.equal(listed("four").get("10.0.0.5")?.timeout, 3_600);

  const absent = { do: "delete", set: "four", elements: [{ key: v4(70_000) }] } as const;
  assert.equal(change({ do: "delete", set: "four", elements: [{ key: v4(6) }] }, absent), "ENOENT");
  assert.equal(listed("four").size, 9_000, "the first step was done although the second was refused");
  assert.equal(change({ do: "add", set: "nowhere", elements: [{ key: v4(1) }] }), "ENOENT");
  const tooMany = Array.from({ length: 12_000 }, (_, n) => ({ key: v4(100_000 + n) }));
  assert.equal(change({ do: "add", set: "four", elements: tooMany }), "ENFILE");
  assert.equal(listed("four").size, 9_000);
});

test("messages are whole, numbered one by one, and none is too long for what the kernel can count", () => {
  const element = fc.record(
    {
      key: fc.uint8Array({ minLength: 4, maxLength: 16 }),
      forMs: fc.double({ min: 0, max: 2 ** 48, noNaN: true }),
      packets: fc.maxSafeNat(),
      over: fc.record({ perMinute: fc.nat(), burst: fc.nat() }),
    },
    { requiredKeys: ["key"] },
  );
  const step = fc.record({
    do: fc.constantFrom("add" as const, "delete" as const),
    set: fc.string({ minLength: 1, maxLength: 31 }),
    elements: fc.array(element, { maxLength: 5 }).map((some) => [...Array(900).keys()].flatMap(() => some)),
  });
  const text = new TransactionText("t");
  fc.assert(
    fc.property(fc.array(step, { maxLength: 4 }), fc.nat(2 ** 31), (steps, sequence) => {
      const count = text.write(steps, sequence);
      const view = new DataView(text.bytes.buffer, text.bytes.byteOffset, text.bytes.length);
      if (count === 0) return assert.ok(steps.every(({ elements }) => elements.length === 0));
      const flags: number[] = [];
      let at = 0;
      for (; at < text.bytes.length; at += view.getUint32(at, true)) {
        assert.equal(view.getUint32(at + 8, true), sequence + flags.length);
        assert.ok(view.getUint32(at, true) < 65_536 && view.getUint32(at, true) % 4 === 0);
        flags.push(view.getUint16(at + 6, true) & 4);
      }
      assert.equal(at, text.bytes.length);
      assert.equal(flags.length, count);
      assert.deepEqual(
        flags.flatMap((flag, index) => (flag === 0 ? [] : [index])),
        [count - 2],
      );
    }),
    { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 60) },
  );
});
