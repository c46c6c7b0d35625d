// The scans of the detection table: each from an address of its own, so that one guard can stand through all of them.
import type { Client } from "../../tests/system/lab.ts";

/** Where a scan comes from and goes to. */
export type Ground = {
  readonly stranger: Client;
  readonly zombie: Client;
  readonly hostMac: string;
  /** Addresses of the scan's own. */
  readonly v4: string;
  readonly v6: string;
};

export type ScanKind = {
  /** Short, as it is spoken of: `-sS`. */
  readonly id: string;
  readonly what: string;
  /** Goes on while the others come and go: seconds it may take. */
  readonly slowSeconds?: number;
  /** Its packets are such as no honest stack sends, to open ports or closed ones: one says all. */
  readonly isImpossible?: true;
  /** Whose name is on the packets; the default is the scan's own IPv4 address. */
  source?(ground: Ground): string;
  argv(ground: Ground): readonly string[];
};

const SECONDS = 6;
// Slow enough that a count tells how a guard decides, and not how quickly the machine woke it.
const PACE = ["--min-rate", "150", "--max-rate", "200"];
const ONCE = ["-Pn", "-n", "--max-retries", "0"];
const PORTS = ["--top-ports", "60"];

const bounded = (seconds: number, argv: readonly string[]): string[] => ["timeout", String(seconds), ...argv];

const nmap = (ground: Ground, ...args: readonly string[]): string[] =>
  bounded(SECONDS, ["nmap", ...ONCE, "-S", ground.v4, "-e", "eth0", ...args, ground.stranger.host4]);

const paced = (
  id: string,
  what: string,
  flags: readonly string[],
  ports: readonly string[] = PORTS,
): ScanKind => ({
  id,
  what,
  argv: (ground) => nmap(ground, ...PACE, ...flags, ...ports),
});

const impossible = (scan: ScanKind): ScanKind => ({ ...scan, isImpossible: true });

const six = (id: string, what: string, flags: readonly string[]): ScanKind => ({
  id,
  what,
  source: ({ v6 }) => v6,
  argv: ({ stranger, v6 }) =>
    bounded(SECONDS, [
      "nmap",
      "-6",
      ...ONCE,
      "-S",
      v6,
      "-e",
      "eth0",
      ...PACE,
      ...flags,
      ...PORTS,
      stranger.host6,
    ]),
});

/** Decoys of `-D`, whose names are misused: nobody can tell them from the scanner. */
const DECOYS = ["203.0.113.201", "203.0.113.202"] as const;

const ALL_SCANS: readonly ScanKind[] = [
  paced("-sS", "nmap, SYN", ["-sS"]),
  {
    id: "-sT",
    what: "nmap, full connections",
    // connect() takes the address that the route prefers.
    argv: ({ stranger, v4 }) =>
      bounded(SECONDS, [
        ...["sh", "-c", 'ip route replace "$1" dev eth0 src "$2" && shift 2 && "$@"; ip route del "$0/32"'],
        ...[stranger.host4, `${stranger.host4}/32`, v4],
        ...["nmap", ...ONCE, "-sT", ...PACE, ...PORTS, stranger.host4],
      ]),
  },
  impossible(paced("-sF", "nmap, FIN", ["-sF"])),
  impossible(paced("-sN", "nmap, no flags", ["-sN"])),
  impossible(paced("-sX", "nmap, FIN, PSH and URG", ["-sX"])),
  paced("-sM", "nmap, Maimon: FIN and ACK", ["-sM"]),
  paced("-sA", "nmap, ACK", ["-sA"]),
  paced("-sW", "nmap, ACK, reading windows", ["-sW"]),
  paced("-sU", "nmap, UDP", ["-sU"]),
  paced("-sO", "nmap, IP protocols", ["-sO"], ["-p", "1-60"]),
  paced("-sY", "nmap, SCTP INIT", ["-sY"], ["-p", "1-60"]),
  impossible(paced("-f", "nmap, SYN in fragments of eight bytes", ["-sS", "-f"])),
  paced("-g 53", "nmap, SYN from port 53", ["-sS", "-g", "53"]),
  paced("-D", "nmap, SYN among two decoys", ["-sS", "-D", DECOYS.join(",")]),
  impossible(paced("--scanflags SYNFIN", "nmap, SYN and FIN", ["-sS", "--scanflags", "SYNFIN"])),
  impossible(paced("--scanflags all", "nmap, every flag", ["-sS", "--scanflags", "URGACKPSHRSTSYNFIN"])),
  {
    id: "-sI",
    what: "nmap, idle scan in the name of a third",
    source: ({ zombie }) => zombie.v4,
    argv: ({ stranger, zombie }) =>
      bounded(3 * SECONDS, [
        ...["nmap", ...ONCE, "-sI", `${zombie.v4}:81`, "-p", "5001-5020,80", stranger.host4],
      ]),
  },
  {
    id: "-T5",
    what: "nmap, SYN, a thousand ports as fast as it can",
    argv: (ground) => nmap(ground, "-sS", "-T5"),
  },
  {
    id: "-T0",
    what: "nmap, SYN, a port every 3 s (instead of every 5 min)",
    slowSeconds: 45,
    argv: ({ stranger, v4 }) =>
      bounded(45, [
        ...[
          "nmap",
          ...ONCE,
          "-S",
          v4,
          "-e",
          "eth0",
          "-sS",
          "-T0",
          "--scan-delay",
          "3s",
          "--max-scan-delay",
          "3s",
        ],
        ...["-p", "5001-5012", stranger.host4],
      ]),
  },
  {
    id: "slow",
    what: "hping3, SYN, a port every 8 s",
    slowSeconds: 62,
    argv: ({ stranger, v4 }) =>
      bounded(62, [
        "hping3",
        "-q",
        "-n",
        "-S",
        "-a",
        v4,
        "-c",
        "8",
        "-i",
        "8",
        "-p",
        "++6001",
        stranger.host4,
      ]),
  },
  six("-6 -sS", "nmap, SYN over IPv6", ["-sS"]),
  six("-6 -sU", "nmap, UDP over IPv6", ["-sU"]),
  {
    id: "masscan",
    what: "masscan, a thousand ports at 10,000 a second",
    argv: ({ stranger, v4, hostMac }) =>
      bounded(SECONDS, [
        ...["masscan", stranger.host4, "-p1-1000", "--rate=10000", "--wait=1", "--interface=eth0"],
        ...[`--source-ip=${v4}`, `--router-mac=${hostMac}`],
      ]),
  },
  {
    id: "hping3",
    what: "hping3, SYN over rising ports",
    argv: ({ stranger, v4 }) =>
      bounded(3, [
        "hping3",
        "-q",
        "-n",
        "-S",
        "-a",
        v4,
        "-c",
        "60",
        "-i",
        "u6000",
        "-p",
        "++1",
        stranger.host4,
      ]),
  },
];

/** The scans, slow ones first: they go on in the background. */
export const SCANS: readonly ScanKind[] = [...ALL_SCANS].sort(
  (a, b) => (b.slowSeconds ?? 0) - (a.slowSeconds ?? 0),
);
export const SCANS_IN_ORDER = ALL_SCANS;
