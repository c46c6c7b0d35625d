// What happens all day and is no scan, played before a guard: who of those that took part is called a scanner.
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Lab } from "../tests/system/lab.ts";
import { waitFor } from "../tests/system/wait.ts";
import { OPEN_PORTS } from "./scene/ports.ts";
import { must, play, type Scene } from "./scene/stage.ts";
import type { Sample } from "./types.ts";

// psad looks every five seconds, and crowdsec's lines take a moment: whoever has not spoken by then is silent.
export const LAST_WORD_MS = 8_000;
const NODE = [process.execPath, "--disable-warning=ExperimentalWarning"];

export type Ordinary = {
  readonly id: string;
  readonly what: string;
  readonly sources: number;
  /** Played by hping3 instead of by visitors. */
  argv?(lab: Lab, source: string, host4: string): readonly string[];
  readonly host?: "ftp" | "dns" | "devices";
};

/** What happens all day and is no scan. */
export const ORDINARY: readonly Ordinary[] = [
  { id: "web", what: "20 visitors, ten pages each", sources: 20 },
  { id: "mistyped", what: "5 visitors try https:// ten times where nobody listens", sources: 5 },
  {
    id: "refused",
    what: "5 visitors try port 990, FTP over TLS, ten times where nobody listens",
    sources: 5,
  },
  { id: "ssh", what: "5 administrators, 20 sessions each", sources: 5 },
  { id: "dns", what: "30 questions of the host, half of the answers late", sources: 1, host: "dns" },
  { id: "ftp", what: "40 passive transfers, two of them too late", sources: 1, host: "ftp" },
  { id: "swarm", what: "200 BitTorrent peers at a port that has closed", sources: 200 },
  { id: "nat", what: "200 people behind one address, 600 visits, 5 mistyped", sources: 1 },
  { id: "traceroute", what: "3 traceroutes: 16 UDP ports from 33434 on", sources: 3 },
  {
    id: "retransmissions",
    what: "one SYN, sent a hundred times",
    sources: 1,
    argv: (_, source, host4) => [
      ...["timeout", "4", "hping3", "-q", "-n", "-S", "-a", source, "-k", "-s", "40000", "-p", "8444"],
      ...["-c", "100", "-i", "u10000", host4],
    ],
  },
  { id: "monitoring", what: "one host asks all 20 services, and SNMP that is off", sources: 1 },
  { id: "down", what: "20 visitors, five tries each, at a service that restarts", sources: 20 },
  {
    id: "reboot",
    what: "a database goes on with 60 connections that the host has forgotten",
    sources: 1,
    argv: (_, source, host4) => [
      ...[
        "timeout",
        "4",
        "hping3",
        "-q",
        "-n",
        "-A",
        "-P",
        "-a",
        source,
        "-k",
        "-s",
        "5432",
        "-p",
        "++40000",
      ],
      ...["-c", "60", "-i", "u10000", host4],
    ],
  },
  {
    id: "devices",
    what: "3 devices answer the host's search by SSDP when it no longer waits",
    sources: 3,
    host: "devices",
  },
];

/** Plays these kinds before the guard of a scene, and counts whom it has called scanners. */
export async function ordinary(
  { lab, alarms, stranger, renew }: Scene,
  wanted: readonly Ordinary[],
): Promise<Sample> {
  must(lab, "host", "ip", "route", "add", "198.18.0.0/16", "via", stranger.v4);
  for (const [where, link] of [
    ["host", "v0"],
    ["stranger", "eth0"],
  ] as const)
    must(lab, where, "ip", "route", "add", "239.0.0.0/8", "dev", link);
  const sample: Record<string, number> = {};
  for (const one of wanted) {
    const network = `198.18.${ORDINARY.indexOf(one) + 1}`;
    const own = Array.from({ length: one.sources }, (_, n) => `addr add ${network}.${n + 1}/32 dev eth0`);
    must(lab, "stranger", "sh", "-c", `printf '%s\\n' "$@" | ip -batch -`, "sh", ...own);
    await renew?.();
    const script = (name: string) => [...NODE, join(import.meta.dirname, "scene", name)];
    const visitors = [...script("ordinary.ts"), one.id, stranger.host4, network, ...OPEN_PORTS.map(String)];
    const peer = one.host === "devices" ? stranger.host4 : `${network}.1`;
    const help = one.host === undefined ? null : [...script("ordinary-host.ts"), one.host, peer];
    if (one.argv !== undefined)
      await play(lab, "stranger", one.argv(lab, `${network}.1`, stranger.host4), 40_000);
    else if (help === null) await play(lab, "stranger", visitors, 90_000);
    else
      await together(
        lab,
        one.host === "ftp"
          ? [
              ["host", help],
              ["stranger", visitors],
            ]
          : [
              ["stranger", visitors],
              ["host", help],
            ],
      );
  }
  await pause(LAST_WORD_MS);
  const accused = new Set(alarms().map(({ source }) => source));
  for (const { id, sources } of wanted) {
    const network = `198.18.${ORDINARY.findIndex((one) => one.id === id) + 1}.`;
    sample[`${id} sources`] = sources;
    sample[`${id} accused`] = [...accused].filter((source) => source.startsWith(network)).length;
  }
  return sample;
}

// The first says when it is ready for the second.
async function together(
  lab: Lab,
  [first, second]: readonly (readonly [string, readonly string[]])[],
): Promise<void> {
  const opener = lab.start(...first!);
  let said = "";
  opener.stdout!.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  opener.stderr!.resume();
  await waitFor("the first of two", () => said.includes("ready"));
  await play(lab, ...second!, 40_000);
}
