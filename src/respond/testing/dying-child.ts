// A responder on nftables with a history on disk, inside the network namespace it was started in, that is killed at a chosen step:
// `dying-child.ts HISTORY STEP N COUNT FIRST`. It restores, then blocks COUNT scanners from number FIRST on. STEP is `apply`: the
// firewall has done the Nth batch and nobody knows yet; `put`: the Nth row is about to be written; or `never`.
import { PrefixSet } from "../../core/address.ts";
import { openStore } from "../../store/store.ts";
import { NftablesBackend } from "../backends/nftables.ts";
import { Responder } from "../responder.ts";
import type { BlockHistory, FirewallChange } from "../types.ts";
import { sampleScan, stamp } from "./samples.ts";

const [file, dieAt, nth, count, first] = process.argv.slice(2);
const steps = { apply: 0, put: 0 };

function step(name: keyof typeof steps): void {
  if (name === dieAt && ++steps[name] === Number(nth)) process.kill(process.pid, "SIGKILL");
}

class Dying extends NftablesBackend {
  override async apply(changes: readonly FirewallChange[]) {
    const results = await super.apply(changes);
    step("apply");
    return results;
  }
}

const store = openStore(file!);
const history: BlockHistory = {
  ...store.blocks,
  together: store.transaction,
  put: (row) => {
    step("put");
    store.blocks.put(row);
  },
};
const responder = new Responder({
  mode: "block",
  allow: new PrefixSet([]),
  backend: new Dying(),
  history,
  facts: () => ({ guards: [], unread: [] }),
  maxPerMinute: 1_000_000,
  emit: (body) => stamp(body, new Date()),
});
await responder.restore();
const scans = Array.from({ length: Number(count) }, (_, n) => {
  const number = Number(first) + n;
  return stamp(
    { type: "scan.detected", scan: sampleScan(`11.7.${number >> 8}.${number & 255}`) },
    new Date(),
  );
});
await Promise.all(scans.map((scan) => responder.onFinding(scan)));
await responder.close();
store.close();
process.stdout.write("done\n");
