// Runs one backend inside the network namespace it was started in and does what the test says, line by line: a
// namespace belongs to a process, and the test's own process must stay in the host's.
import { createInterface } from "node:readline";
import { parsePrefix } from "../../core/address.ts";
import type { Backend } from "../backend.ts";
import { hostsDenyBackend } from "../backends/hosts-deny.ts";
import { IptablesBackend } from "../backends/iptables.ts";
import { NftablesBackend } from "../backends/nftables.ts";
import { RecordBackend } from "../backends/record.ts";
import { routeBackend } from "../backends/route.ts";
import type { FirewallChange } from "../types.ts";

// A test of another backend names a module instead, whose `makeBackend` is given the arguments that follow.
const MAKE: Record<string, () => Backend> = {
  nftables: () => new NftablesBackend({ via: "libnftables", ...JSON.parse(process.argv[3] ?? "{}") }),
  "nft-program": () => new NftablesBackend({ via: "nft" }),
  iptables: () => new IptablesBackend(),
  route: () => routeBackend(),
  "hosts.deny": () => hostsDenyBackend(process.argv[3]),
  record: () => new RecordBackend(),
};

const backend = await make(process.argv[2]!);
backend.subscribe((event) => process.stdout.write(`${JSON.stringify({ event })}\n`));

async function make(name: string): Promise<Backend> {
  const known = MAKE[name];
  if (known !== undefined) return known();
  const { makeBackend } = (await import(name)) as {
    makeBackend: (args: readonly string[]) => Backend | Promise<Backend>;
  };
  return await makeBackend(process.argv.slice(3));
}

type Request = { id: number; call: string; targets?: string[]; forMs?: number; throttled?: boolean };

async function answer({ call, targets = [], forMs = 0, throttled = false }: Request): Promise<unknown> {
  const prefixes = targets.map((target) => parsePrefix(target)!);
  const change = (kind: "block" | "lift") =>
    backend.apply(
      prefixes.map(
        (target): FirewallChange =>
          kind === "lift" ? { do: "lift", target } : { do: "block", target, forMs, throttled },
      ),
    );
  if (call === "open") return backend.open();
  if (call === "allow") return backend.setAllow(prefixes);
  if (call === "block" || call === "lift") return change(call);
  if (call === "held") return backend.held();
  if (call === "clear") return backend.clear();
  if (call === "close") return backend.close();
  throw new Error(`no call ${call}`);
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as Request;
  try {
    process.stdout.write(`${JSON.stringify({ id: request.id, value: (await answer(request)) ?? null })}\n`);
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ id: request.id, error: String(error) })}\n`);
  }
}
