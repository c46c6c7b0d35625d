// An engine without packets or sockets around it, for the tests of what it makes of them.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type Address, parseAddress } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";
import type { Scan } from "../../core/events.ts";
import { type Craft, craft } from "../craft.ts";
import { Engine, type EngineOptions } from "../engine.ts";
import { Listeners } from "../listeners.ts";
import { LocalAddresses } from "../local.ts";
import { TextTables } from "../tables.ts";

export const at = (text: string): Address => parseAddress(text)!;
export const HOST4 = at("192.0.2.1");
export const HOST6 = at("2001:db8::1");
export const STRANGER4 = at("198.51.100.7");
export const STRANGER6 = at("2001:db8:77::5");
export const SYN = 2;
export const STATE_BYTES = 1 << 20;
export const ACK = 16;

export type Bench = {
  engine: Engine;
  scans: Scan[];
  /** Replaces the socket tables: lines of local address, port, state and remote, for tcp and udp. */
  sockets(tcp: readonly Socket[], udp?: readonly Socket[]): void;
  send(wanted: Partial<Craft>): void;
  /** Seconds since the start, for both clocks. */
  nowS: number;
  accept: boolean;
};
type Socket = { local: string; port: number; remote?: string; state?: "listen" | "established" };

/** An engine that guards HOST4 and HOST6, of which port 80 is served, with a clock and socket tables that the test sets. */
export function bench(t: TestContext, options: Partial<EngineOptions> = {}): Bench {
  const root = mkdtempSync(join(tmpdir(), "tt-engine-"));
  t.after(() => rmSync(root, { recursive: true }));
  mkdirSync(root, { recursive: true });
  const clock: Clock = { now: () => new Date(made.nowS * 1_000), monotonicMs: () => made.nowS * 1_000 };
  const listeners = new Listeners(new TextTables(root), clock);
  const locals = new LocalAddresses();
  locals.add(HOST4);
  locals.add(HOST6);
  const scans: Scan[] = [];
  const made: Bench = {
    scans,
    nowS: 1_000_000,
    accept: true,
    sockets: (tcp, udp = []) => {
      writeFileSync(join(root, "tcp"), table(tcp));
      writeFileSync(join(root, "udp"), table(udp));
      made.nowS += 6;
    },
    send: (wanted) => {
      const source = wanted.source ?? STRANGER4;
      const target = wanted.target ?? (source.includes(":") ? HOST6 : HOST4);
      made.engine.observe(craft({ atMs: made.nowS * 1_000, ...wanted, source, target }));
    },
    engine: undefined as unknown as Engine,
  };
  made.sockets([{ local: "0.0.0.0", port: 80 }]);
  listeners.refresh();
  made.engine = new Engine({
    listeners,
    locals,
    clock,
    maxStateBytes: STATE_BYTES,
    seed: 7,
    nameOf: (index) => `eth${index}`,
    onScan: (scan) => {
      if (made.accept) scans.push(scan);
      return made.accept;
    },
    ...options,
  });
  return made;
}

function table(sockets: readonly Socket[]): string {
  const hex = (text: string): string =>
    text
      .split(".")
      .map((n) => Number(n).toString(16).padStart(2, "0"))
      .reverse()
      .join("")
      .toUpperCase();
  const port = (n: number): string => n.toString(16).padStart(4, "0").toUpperCase();
  const lines = [...sockets]
    .sort((a, b) => (a.state ?? "listen").localeCompare(b.state ?? "listen") * -1)
    .map(({ local, port: p, remote, state }, i) => {
      const code = state === "established" ? "01" : "0A";
      return `${String(i).padStart(4)}: ${hex(local)}:${port(p)} ${hex(remote ?? "0.0.0.0")}:${port(remote ? 5555 : 0)} ${code} 0`;
    });
  return `${["  sl  local_address rem_address   st", ...lines].join("\n")}\n`;
}
