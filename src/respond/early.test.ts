import assert from "node:assert/strict";
import test from "node:test";
import type { ChangeResult } from "./backend.ts";
import { RecordBackend } from "./backends/record.ts";
import { scene } from "./testing/responder-scene.ts";
import { scanEvent } from "./testing/samples.ts";
import type { FirewallChange } from "./types.ts";

// A firewall with a short way and a long one, on which orders are refused while `why` is set.
class TwoWays extends RecordBackend {
  readonly calls: string[] = [];
  why: string | null = null;

  early(change: FirewallChange): void {
    this.calls.push(`early ${change.target.base}`);
  }

  override async apply(changes: readonly FirewallChange[]): Promise<ChangeResult[]> {
    for (const { do: what, target } of changes) this.calls.push(`${what} ${target.base}`);
    const { why } = this;
    if (why === null) return super.apply(changes);
    return changes.map((change) => ({ change, why, mend: "look", packetsStopped: 0 }));
  }
}

test("a source is named on the short way before its order goes the long one", async () => {
  const backend = new TwoWays();
  await using it = scene({ backend });
  await it.responder.onFinding(scanEvent("198.51.100.7"));
  assert.deepEqual(backend.calls, ["early 198.51.100.7", "block 198.51.100.7"]);
  assert.deepEqual(
    it.events.map(({ type }) => type),
    ["verdict.reached", "block.applied"],
  );
});

test("observing, and for whoever is protected, the short way is not taken", async () => {
  const backend = new TwoWays();
  await using observing = scene({ mode: "observe", backend });
  await observing.responder.onFinding(scanEvent("198.51.100.7"));
  const guards = [
    { prefix: { base: "198.51.100.8" as never, bits: 32 }, because: "default gateway of eth0" },
  ];
  await using guarded = scene({ backend, facts: () => ({ guards, unread: [] }) });
  await guarded.responder.onFinding(scanEvent("198.51.100.8"));
  assert.deepEqual(backend.calls, []);
});

test("what the order is refused for is undone on the short way too; a block that stood before stays", async () => {
  const backend = new TwoWays();
  await using it = scene({ backend });
  backend.why = "refused by the warden";
  await it.responder.onFinding(scanEvent("198.51.100.7"));
  assert.deepEqual(backend.calls, ["early 198.51.100.7", "block 198.51.100.7", "lift 198.51.100.7"]);
  assert.equal(it.of("block.failed")[0]!.why, "refused by the warden");
  backend.why = null;
  assert.equal(
    await it.responder.block({ base: "198.51.100.9" as never, bits: 32 }, 60_000, "by hand"),
    null,
  );
  backend.why = "refused by the warden";
  backend.calls.length = 0;
  await it.responder.block({ base: "198.51.100.9" as never, bits: 32 }, 600_000, "longer");
  assert.deepEqual(backend.calls, ["early 198.51.100.9", "block 198.51.100.9"]);
  assert.deepEqual(await it.held(), ["198.51.100.9/32"]);
});
