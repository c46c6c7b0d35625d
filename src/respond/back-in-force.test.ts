// A history of blocks becomes the same firewall whichever way it comes there: page by page and batch by batch through the
// responder, or element by element in nft's own words. With the kernel, the real store and the real nft.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import fc from "fast-check";
import { formatPrefix, parsePrefix } from "../core/address.ts";
import { openStore } from "../store/store.ts";
import { cannotLab, type Lab, makeLab } from "./testing/netns.ts";
import { Remote } from "./testing/remote.ts";

const numRuns = Number(process.env["TELLTALE_RUNS"] ?? 4);
const MINUTE_MS = 60_000;

// Few networks, so that blocks meet and overlap; more rows than one page of the history holds.
const target = fc
  .tuple(
    fc.constantFrom("11.1.", "11.2."),
    fc.nat({ max: 255 }),
    fc.nat({ max: 255 }),
    fc.constantFrom(32, 32, 32, 24, 22),
  )
  .map(([net, c, d, bits]) => `${net}${c}.${d}/${bits}`);
const target6 = fc
  .tuple(fc.nat({ max: 0xffff }), fc.constantFrom(64, 64, 128, 48))
  .map(([n, bits]) => `2001:db9:${n.toString(16)}::/${bits}`);
const block = fc.record({
  target: fc.oneof(target, target6).map((text) => formatPrefix(parsePrefix(text)!)),
  minutes: fc.integer({ min: -5, max: 600 }),
  packetsStopped: fc.nat({ max: 1_000_000 }),
  grade: fc.constantFrom("proven" as const, "spoofable" as const),
});

test("a restored history is the firewall that nft makes of it", { timeout: 300_000 }, async (t) => {
  const why = cannotLab();
  if (why !== null) return t.skip(why);
  const lab = makeLab(t);
  const dir = mkdtempSync(join(tmpdir(), "telltale-restored-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  let round = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(block, { minLength: 0, maxLength: 3_000, size: "max" }), async (rows) => {
      const file = join(dir, `${++round}.db`);
      const now = Date.now();
      const store = openStore(file);
      store.transaction(() => {
        for (const { minutes, ...each } of rows)
          store.blocks.put({
            ...each,
            since: new Date(now - 10 * MINUTE_MS).toISOString(),
            until: new Date(now + minutes * MINUTE_MS).toISOString(),
            because: "a scan",
            findingId: "",
          });
      });
      const wanted = new Map(
        store.blocks
          .inForce(new Date())
          .map(({ target: text, until, packetsStopped }) => [
            text,
            { minutes: Math.round((Date.parse(until) - now) / MINUTE_MS), packetsStopped },
          ]),
      );
      store.close();
      lab.attempt(lab.host, "nft", "delete", "table", "inet", "telltale");
      await restore(t, lab, file);
      assert.deepEqual(listed(lab), wanted, "after a reboot");
      const some = [...wanted.keys()].filter((text) => /^[\d.]+$/.test(text)).filter((_, i) => i % 3 === 0);
      if (some.length > 0)
        lab.run(lab.host, "nft", `delete element inet telltale blocked4_32 { ${some.join(", ")} }`);
      await restore(t, lab, file);
      assert.deepEqual(listed(lab), wanted, "after a restart, with a third of the addresses gone");
    }),
    { numRuns },
  );
});

async function restore(t: TestContext, lab: Lab, file: string): Promise<void> {
  const guard = new Remote(t, lab.host, "./responder-child.ts", file);
  await guard.ask("restore");
  await guard.die();
}

/** What nft(8) lists, by target; time to the minute, without the seconds that the kernel waits longer. */
function listed(lab: Lab): Map<string, { minutes: number; packetsStopped: number }> {
  const out = new Map<string, { minutes: number; packetsStopped: number }>();
  const text = lab.run(lab.host, "nft", "-j", "list", "table", "inet", "telltale");
  for (const { set } of (JSON.parse(text) as { nftables: Listed[] }).nftables) {
    const bits = /^blocked[46]_(\d+)$/.exec(set?.name ?? "")?.[1];
    if (bits === undefined) continue;
    for (const { elem } of set?.elem ?? [])
      out.set(formatPrefix(parsePrefix(`${elem.val}/${bits}`)!), {
        minutes: Math.round((elem.timeout - GRACE_S) / 60),
        packetsStopped: elem.counter.packets,
      });
  }
  return out;
}

const GRACE_S = 5;
type Listed = {
  readonly set?: { readonly name: string; readonly elem?: readonly { readonly elem: Element }[] };
};
type Element = {
  readonly val: string;
  readonly timeout: number;
  readonly counter: { readonly packets: number };
};
