// The nftables backend behind a wall that only JSON passes, as when it lives in another process: whatever the wall does
// not carry, the contract would miss.
import { BACKEND_CALLS, type Backend, type BackendEvent } from "../backend.ts";
import { NftablesBackend } from "../backends/nftables.ts";

/** What testing/backend-child.ts asks a module for. */
export function makeBackend(): Backend {
  const inner = new NftablesBackend({ via: "libnftables" });
  const calls = BACKEND_CALLS.map((call) => {
    const there = inner[call].bind(inner) as (...args: unknown[]) => Promise<unknown>;
    return [call, async (...args: unknown[]) => copy(await there(...(copy(args) as unknown[])))];
  });
  const outer: Pick<Backend, "name" | "subscribe"> = {
    name: inner.name,
    subscribe: (listener) => inner.subscribe((event) => listener(copy(event) as BackendEvent)),
  };
  return { ...outer, ...Object.fromEntries(calls) } as Backend;
}

function copy(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}
