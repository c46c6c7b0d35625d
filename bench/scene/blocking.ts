// telltale's responder at work, in the network it was started in: COUNT findings spread over a second, each of another
// source, with a history in DIR. Prints how fast they were blocked, and for how long the event loop was held up.
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { Bus } from "../../src/app/bus.ts";
import { PrefixSet } from "../../src/core/address.ts";
import { systemClock } from "../../src/core/clock.ts";
import { NftablesBackend } from "../../src/respond/backends/nftables.ts";
import { HostFactsReader } from "../../src/respond/facts.ts";
import { Responder } from "../../src/respond/responder.ts";
import { sampleScan } from "../../src/respond/testing/samples.ts";
import { openStore } from "../../src/store/store.ts";
import { sourceNumber } from "./many-sources.ts";

const count = Number(process.argv[2]);
const store = openStore(join(process.argv[3]!, "telltale.db"));
const bus = new Bus("bench", systemClock);
bus.attach(store);
const facts = new HostFactsReader({ ignoreFiles: [] });
let applied = 0;
let failed = 0;
const responder = new Responder({
  mode: "block",
  allow: new PrefixSet([]),
  backend: new NftablesBackend(),
  history: { ...store.blocks, together: store.transaction },
  facts: () => facts.current(),
  maxPerMinute: count + 1,
  emit: bus.emit,
});
bus.subscribe(({ type }) => {
  if (type === "block.applied") applied++;
  if (type === "block.failed") failed++;
});
await responder.restore();

const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const began = performance.now();
const work: Promise<unknown>[] = [];
for (let sent = 0; sent < count; await pause(5)) {
  const due = Math.min(count, Math.ceil(((performance.now() - began) / 1_000) * count));
  for (; sent < due; sent++) {
    const finding = bus.emit({ type: "scan.detected", scan: sampleScan(sourceNumber(sent)) });
    work.push(Promise.resolve(responder.onFinding(finding)));
  }
}
await Promise.all(work);
while (applied + failed < count && performance.now() - began < 60_000) await pause(5);
const tookMs = performance.now() - began;
delay.disable();
process.stdout.write(
  `${JSON.stringify({ perSecond: (applied / tookMs) * 1_000, stallMs: delay.max / 1e6, failed: count - applied })}\n`,
);
await responder.close();
store.close();
