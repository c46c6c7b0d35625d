// A whole responder on nftables inside the network namespace it was started in, with a history in memory. Told what
// to do line by line; it answers, and prints every event as it happens.
import { createInterface } from "node:readline";
import { type Prefix, PrefixSet, parseAddress, parsePrefix } from "../../core/address.ts";
import { openStore } from "../../store/store.ts";
import { NftablesBackend } from "../backends/nftables.ts";
import { HostFactsReader } from "../facts.ts";
import { wholeAddress } from "../guardrails.ts";
import { Responder } from "../responder.ts";
import { MemoryHistory, sampleScan, stamp } from "./samples.ts";

const history = new MemoryHistory();
// A history on disk in place of the one in memory.
const file = process.argv[2]?.endsWith(".db") ? process.argv[2] : undefined;
const store = file === undefined ? null : openStore(file);
const facts = new HostFactsReader({ ignoreFiles: [] });
const say = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`);
const responder = new Responder({
  mode: "block",
  allow: new PrefixSet([]),
  backend: new NftablesBackend(),
  history: store === null ? history : { ...store.blocks, together: store.transaction },
  facts: () => facts.current(),
  maxPerMinute: 1_000_000,
  tripwire: process.argv[2] === "tripwire" ? { ports: [23], excludedPorts: [7000, 8000, 9000] } : false,
  emit: (body) => {
    const event = stamp(body, new Date());
    say({ event });
    return event;
  },
});

type Request = { id: number; call: string; targets?: string[]; count?: number };

async function answer({ call, targets = [], count = 0 }: Request): Promise<unknown> {
  if (call === "restore") return responder.restore();
  if (call === "liftAll") return responder.liftAll();
  if (call === "lift") return (await responder.lift(targets[0]!)).length > 0;
  if (call === "mode") {
    responder.setMode(targets[0] as "observe" | "block");
    return responder.tick();
  }
  if (call === "close") return responder.close();
  if (call === "tick") return responder.tick();
  if (call === "held") return (await responder.packetsStopped()).size;
  if (call === "inForce") return responder.inForce;
  if (call === "guarded") return facts.current().guards.map(({ prefix, because }) => [prefix.base, because]);
  if (call === "scan") {
    for (const source of targets) {
      await responder.onFinding(stamp({ type: "scan.detected", scan: sampleScan(source) }, new Date()));
    }
    return null;
  }
  // What another process has blocked by hand and written down a moment ago.
  if (call === "blockedElsewhere") {
    const now = Date.now();
    for (const target of targets)
      history.put({
        target,
        since: new Date(now).toISOString(),
        until: new Date(now + 2 * 3_600_000).toISOString(),
        because: "blocked by hand",
        grade: "proven",
        findingId: "",
        packetsStopped: 0,
      });
    return null;
  }
  // Rows as an earlier run would have written them.
  if (call === "remember") {
    const now = Date.now();
    for (let i = 0; i < count; i++) {
      const target: Prefix = wholeAddress(parseAddress(`11.${i >> 16}.${(i >> 8) & 255}.${i & 255}`)!);
      history.put({
        target: target.base,
        since: new Date(now).toISOString(),
        until: new Date(now + 3_600_000).toISOString(),
        because: "scan",
        grade: "spoofable",
        findingId: "",
        packetsStopped: 0,
      });
    }
    return null;
  }
  // How long the whole takes, and the longest time for which the event loop answered nobody.
  if (call === "timedRestore") {
    let longestMs = 0;
    let last = performance.now();
    const beat = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - last);
      last = performance.now();
    }, 1);
    const from = performance.now();
    await responder.restore();
    const tookMs = performance.now() - from;
    clearInterval(beat);
    return { tookMs, longestMs, inForce: responder.inForce };
  }
  if (call === "allow") {
    responder.setAllow(new PrefixSet(targets.map((target) => parsePrefix(target)!)));
    return responder.tick();
  }
  throw new Error(`no call ${call}`);
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as Request;
  try {
    say({ id: request.id, value: (await answer(request)) ?? null });
  } catch (error) {
    say({ id: request.id, error: String(error) });
  }
}
