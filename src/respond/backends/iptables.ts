// Blocks with iptables and ipset: for hosts whose firewall is iptables and whose administrator wants to see one tool only.
// Sets and a chain of telltale's own; no other rule is read or changed but the one jump that leads there.
import { familyOf, formatPrefix, type Prefix, parsePrefix } from "../../core/address.ts";
import { describeError, MissingPartError } from "../../core/errors.ts";
import { type Backend, type BackendTraits, type ChangeResult, QUIET } from "../backend.ts";
import type { HeldBlock } from "../plan.ts";
import type { FirewallChange } from "../types.ts";
import { runTool, ToolError } from "./tool.ts";

const CHAIN = "TELLTALE";
// Before connection tracking and address translation, for the same reasons as in ruleset.ts.
const TABLE = "raw";
const HOOK = "PREROUTING";
const MAX_ELEMENTS = 262_144;
// What ipset can count in seconds (ipset(8), timeout).
const MAX_TIMEOUT_S = 2_147_483;
const FAMILIES = [
  { family: 4, tool: "iptables", inet: "inet", width: 32 },
  { family: 6, tool: "ip6tables", inet: "inet6", width: 128 },
] as const;
const MEND = "see `ipset list` and `iptables -t raw -S`; the guard needs root or CAP_NET_ADMIN";

export class IptablesBackend implements Backend {
  readonly name = "iptables";

  readonly subscribe = QUIET.subscribe;
  readonly watch = QUIET.watch;
  readonly arm = QUIET.arm;
  readonly disarm = QUIET.disarm;
  readonly pardon = QUIET.pardon;

  async open(): Promise<BackendTraits> {
    await this.#make();
    return { what: `chain ${CHAIN} of table ${TABLE}, with ipset`, throttles: false, tripwire: false };
  }

  async #make(): Promise<void> {
    try {
      await restore(FAMILIES.flatMap(({ family, inet }) => createLines(family, inet)));
      for (const { family, tool } of FAMILIES) await buildChain(family, tool);
    } catch (error) {
      if (!(error instanceof ToolError) || !error.missing) throw error;
      throw new MissingPartError(
        "respond",
        "iptables and ipset are not both here",
        "apt install iptables ipset",
        error,
      );
    }
  }

  async setAllow(prefixes: readonly Prefix[]): Promise<void> {
    const lines = FAMILIES.flatMap(({ family, inet }) => {
      const spare = `${allowSet(family)}-next`;
      return [
        `create ${spare} hash:net family ${inet} maxelem ${MAX_ELEMENTS}`,
        `flush ${spare}`,
        ...prefixes
          .filter(({ base, bits }) => familyOf(base) === family && bits > 0)
          .map((prefix) => `add ${spare} ${formatPrefix(prefix)}`),
        // The kernel exchanges the two at once: nobody is unprotected for a moment.
        `swap ${spare} ${allowSet(family)}`,
        `destroy ${spare}`,
      ];
    });
    await restore(lines);
  }

  async apply(changes: readonly FirewallChange[]): Promise<ChangeResult[]> {
    try {
      const lifted = changes.filter((change) => change.do === "lift").map((change) => change.target);
      const counts = lifted.length > 0 ? await this.#packetsStopped(lifted) : new Map<string, number>();
      await restore(changes.map(changeLine));
      return changes.map((change) => done(change, null, counts.get(formatPrefix(change.target)) ?? 0));
    } catch (error) {
      if (changes.length > 1) {
        // One refused line ends ipset; by halves the others still get their block.
        const half = changes.length >> 1;
        return [...(await this.apply(changes.slice(0, half))), ...(await this.apply(changes.slice(half)))];
      }
      return [await this.#again(changes[0]!, error)];
    }
  }

  async held(): Promise<HeldBlock[]> {
    const out: HeldBlock[] = [];
    for (const { family } of FAMILIES) {
      for (const set of [addressSet(family), networkSet(family)]) {
        for (const line of (await save(set)).split("\n")) {
          const block = heldBlock(line);
          if (block !== null) out.push(block);
        }
      }
    }
    return out;
  }

  async #packetsStopped(targets: readonly Prefix[]): Promise<ReadonlyMap<string, number>> {
    const wanted = new Set(targets.map(formatPrefix));
    const found = (await this.held()).map(
      (block) => [formatPrefix(block.target), block.packetsStopped] as const,
    );
    return new Map(found.filter(([target]) => wanted.has(target)));
  }

  async intact(): Promise<boolean> {
    try {
      for (const { tool } of FAMILIES) {
        await runTool(tool, ["-w", "-t", TABLE, "-C", HOOK, "-j", CHAIN]);
        const rules = await runTool(tool, ["-w", "-t", TABLE, "-S", CHAIN]);
        if (rules.split("-j DROP").length !== 3) return false;
      }
      return true;
    } catch {
      return false; // Either the jump or the chain is gone, or the tools are: `open` tells which.
    }
  }

  async clear(): Promise<void> {
    for (const { family, tool } of FAMILIES) {
      for (const args of [
        ["-D", HOOK, "-j", CHAIN],
        ["-F", CHAIN],
        ["-X", CHAIN],
      ]) {
        await runTool(tool, ["-w", "-t", TABLE, ...args]).catch(unlessMissing);
      }
      for (const set of [addressSet(family), networkSet(family), allowSet(family)]) {
        await runTool("ipset", ["destroy", set]).catch(unlessMissing);
      }
    }
    if ((await this.held()).length > 0) throw new Error("ipset still lists blocks");
  }

  async close(): Promise<void> {}

  // The sets may be gone: make them again, once.
  async #again(change: FirewallChange, error: unknown): Promise<ChangeResult> {
    if (error instanceof ToolError && error.missing) return done(change, error.message, 0);
    try {
      await this.#make();
      await restore([changeLine(change)]);
      return done(change, null, 0);
    } catch (again) {
      return done(change, describeError(again), 0);
    }
  }
}

function done(change: FirewallChange, why: string | null, packetsStopped: number): ChangeResult {
  return { change, why, mend: why === null ? "" : MEND, packetsStopped };
}

const addressSet = (family: number) => `telltale${family}`;
const networkSet = (family: number) => `telltale${family}-net`;
const allowSet = (family: number) => `telltale${family}-allow`;

function createLines(family: number, inet: string): string[] {
  const manners = `family ${inet} timeout 0 counters maxelem ${MAX_ELEMENTS}`;
  return [
    `create ${addressSet(family)} hash:ip ${manners}`,
    `create ${networkSet(family)} hash:net ${manners}`,
    `create ${allowSet(family)} hash:net family ${inet} maxelem ${MAX_ELEMENTS}`,
  ];
}

async function buildChain(family: number, tool: string): Promise<void> {
  const set = (name: string) => ["-m", "set", "--match-set", name, "src"].join(" ");
  // -n: this chain is made anew in one go, the rest of the table stays.
  await runTool(
    `${tool}-restore`,
    ["-w", "-n"],
    [
      `*${TABLE}`,
      `:${CHAIN} - [0:0]`,
      `-A ${CHAIN} -i lo -j RETURN`,
      `-A ${CHAIN} ${set(allowSet(family))} -j RETURN`,
      `-A ${CHAIN} ${set(addressSet(family))} -j DROP`,
      `-A ${CHAIN} ${set(networkSet(family))} -j DROP`,
      "COMMIT",
      "",
    ].join("\n"),
  );
  const jump = [HOOK, "-j", CHAIN];
  await runTool(tool, ["-w", "-t", TABLE, "-C", ...jump]).catch(() =>
    runTool(tool, ["-w", "-t", TABLE, "-I", ...jump]),
  );
}

function changeLine(change: FirewallChange): string {
  const { target } = change;
  const family = familyOf(target.base);
  const set = target.bits === (family === 4 ? 32 : 128) ? addressSet(family) : networkSet(family);
  if (change.do === "lift") return `del ${set} ${formatPrefix(target)}`;
  const seconds = Math.min(MAX_TIMEOUT_S, Math.max(1, Math.ceil(change.forMs / 1_000)));
  return `add ${set} ${formatPrefix(target)} timeout ${seconds} packets ${change.packetsStopped ?? 0} bytes 0`;
}

function heldBlock(line: string): HeldBlock | null {
  const [, target, seconds, packets] = /^add \S+ (\S+) timeout (\d+)(?: packets (\d+))?/.exec(line) ?? [];
  const prefix = target === undefined ? null : parsePrefix(target);
  return prefix === null
    ? null
    : { target: prefix, leftMs: Number(seconds) * 1_000, packetsStopped: Number(packets ?? 0) };
}

// -exist: adding what is there renews its time, deleting what is not is no failure.
function restore(lines: readonly string[]): Promise<string> {
  return runTool("ipset", ["restore", "-exist"], `${lines.join("\n")}\n`);
}

async function save(set: string): Promise<string> {
  try {
    return await runTool("ipset", ["save", set]);
  } catch (error) {
    unlessMissing(error);
    return "";
  }
}

// What is to be removed may be gone already; only a tool that is not here is worth a word.
function unlessMissing(error: unknown): void {
  if (error instanceof ToolError && error.missing) throw error;
}
