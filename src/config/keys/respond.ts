// Keys of [respond]: who is locked out, for how long and by what, and who never is.
import type { KeyDefinition } from "./kind.ts";

const WEEK_MS = 604_800_000;

export const RESPOND_KEYS = [
  {
    name: "respond.mode",
    kind: { is: "choice", of: ["observe", "block"] },
    fallback: "observe",
    summary: "observe: report what would have been blocked; block: do it",
    reason: "an administrator sees a week of verdicts before anything is cut off",
  },
  {
    name: "respond.block_for",
    kind: { is: "duration", minMs: 1_000, maxMs: 4 * WEEK_MS },
    fallback: "10m",
    summary: "how long a first block lasts; repeaters get longer ones",
    reason: "a scan is over in minutes, and an address may belong to somebody else tomorrow",
  },
  {
    name: "respond.first_offence",
    kind: { is: "choice", of: ["block", "throttle"] },
    fallback: "block",
    summary:
      "a first scan whose sender could be forged: block it, or throttle it, so that it may still open 10 TCP connections a minute",
    reason: "a scan learns a host within seconds, and a short block by mistake heals by itself",
  },
  {
    name: "respond.backend",
    kind: { is: "choice", of: ["nftables", "iptables", "route", "hosts-deny", "command"] },
    fallback: "nftables",
    summary:
      "what blocks: nftables; iptables with ipset; a blackhole route; /etc/hosts.deny; a command of your own",
    reason: "the only one that expires blocks by itself, counts packets, and is there before any service",
  },
  {
    name: "respond.block_command",
    kind: { is: "texts" },
    fallback: [],
    summary:
      'for backend = "command": program and arguments, run without a shell; {target} stands for the address. After a restart of the guard it runs again for each block that still counts',
    reason: "there is no command that fits every firewall",
  },
  {
    name: "respond.lift_command",
    kind: { is: "texts" },
    fallback: [],
    summary: "the command that undoes it; empty: blocks last until you lift them yourself",
    reason: "as above",
  },
  {
    name: "respond.kernel",
    kind: { is: "switch" },
    fallback: true,
    summary:
      "let the kernel make the first decision, at the third unused port, for a minute; the guard takes it over",
    reason: "a scanner asks hundreds of ports in the time a program needs to wake up",
  },
  {
    name: "respond.allow",
    kind: { is: "hosts" },
    fallback: [],
    summary:
      "addresses, networks (CIDR) and host names that are never blocked; names are looked up every 5 minutes",
    reason: "monitoring hosts and your own office belong here",
  },
  {
    name: "respond.max_blocks_per_minute",
    kind: { is: "count", min: 1, max: 100_000 },
    fallback: 60,
    summary: "new blocks a minute before the guard alarms instead of blocking",
    reason: "a flood from forged addresses must not make the guard block the world",
  },
  {
    name: "respond.max_blocks",
    kind: { is: "count", min: 1, max: 1_000_000 },
    fallback: 100_000,
    summary: "blocks in force at one time",
    reason: "kernel memory: an element of an nftables set takes a few hundred bytes",
  },
  {
    name: "respond.aggregate_from",
    kind: { is: "count", min: 0, max: 256 },
    fallback: 8,
    summary:
      "past these caps, a network (IPv4 /24, IPv6 /48) with this many scanners whose evidence cannot be forged is blocked whole; 0: never",
    reason: "one attacker with many addresses; networks that hold a protected address are left alone",
  },
] as const satisfies readonly KeyDefinition[];
