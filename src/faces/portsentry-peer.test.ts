// Each mode of the real portsentry 1.2 and of our face, in two networks that are alike, with the same probes: every line
// and both files must be the same.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { type Lab, labObstacle, makeLab, TELLTALE } from "../../tests/system/lab.ts";
import { waitFor } from "../../tests/system/wait.ts";

// portsentry 1.2 reads a fixed path and speaks to /dev/log: in a mount namespace of its own it gets its own of both.
const PEER_SCRIPT = `set -e
mkdir -p "$1/dev"
mount -t tmpfs none "$1/dev"
for n in null zero random urandom; do touch "$1/dev/$n"; mount --bind "/dev/$n" "$1/dev/$n"; done
mount --bind "$1" /etc/portsentry
mount --bind "$1/hosts.deny" /etc/hosts.deny
mount --rbind "$1/dev" /dev
socat -u UNIX-RECV:/dev/log STDOUT > "$1/syslog" &
tries=0
while ! [ -S /dev/log ]; do tries=$((tries + 1)); [ $tries -le 200 ] || exit 9; sleep 0.05; done
exec portsentry "$2"
`;

const CONFIG = `SCAN_TRIGGER="0"
TCP_PORTS="11,15,22"
UDP_PORTS="69,123"
ADVANCED_PORTS_TCP="60"
ADVANCED_PORTS_UDP="60"
ADVANCED_EXCLUDE_TCP="25"
ADVANCED_EXCLUDE_UDP="53"
IGNORE_FILE="DIR/ignore"
HISTORY_FILE="DIR/history"
BLOCKED_FILE="DIR/blocked"
RESOLVE_HOST="0"
BLOCK_UDP="1"
BLOCK_TCP="1"
KILL_ROUTE="true $TARGET$ $PORT$"
`;

const KILLS = ['KILL_HOSTS_DENY="ALL: $TARGET$"', 'KILL_RUN_CMD="echo $TARGET$ $PORT$ $MODE$ >> DIR/ran"'];

type Mode = {
  readonly mode: string;
  readonly probes: readonly (readonly string[])[];
  /** The last line that the probes bring. */
  readonly last: RegExp;
  readonly count: number;
  /** In place of the lines of CONFIG with the same keys. */
  readonly config?: readonly string[];
  /** 1.2 writes down a block that it was told not to make, which 2.0 calls a mistake: our files say nothing. */
  readonly isUntrue?: boolean;
};

const once = ["--max-retries", "0"];
const connect = (port: number): readonly string[] => ["-sT", "-p", String(port)];
const datagram = (port: number): readonly string[] => ["-sU", "-p", String(port), ...once];
const MODES: readonly Mode[] = [
  {
    mode: "-stcp",
    probes: [
      ["-sS", "-p", "11"],
      ["-sF", "-p", "15", ...once],
      ["-sX", "-p", "22", ...once],
      ["-sN", "-p", "22", ...once],
      ["-sS", "--scanflags", "SYNFIN", "-p", "15", ...once],
      ["-sS", "-p", "12"],
      ["-sA", "-p", "11"],
    ],
    last: /already blocked/,
    count: 4,
  },
  { mode: "-tcp", probes: [connect(11), connect(12), connect(15)], last: /already blocked/, count: 1 },
  {
    mode: "-tcp",
    config: ['SCAN_TRIGGER="2"'],
    probes: [connect(11), connect(15), connect(22), connect(11)],
    last: /already blocked/,
    count: 2,
  },
  {
    mode: "-stcp",
    config: ['SCAN_TRIGGER="5"'],
    probes: [11, 15, 22, 11, 11, 15, 22].map(connect),
    last: /already blocked/,
    count: 1,
  },
  {
    mode: "-sudp",
    config: ['SCAN_TRIGGER="1"'],
    probes: [["-sU", "-p", "69", "--mtu", "8", "--data-length", "60", ...once], datagram(123)],
    last: /already blocked/,
    count: 1,
  },
  {
    mode: "-stcp",
    probes: [
      ["-sS", "-p", "11", "--ip-options", "R", ...once],
      ["-sS", "-p", "15", "--mtu", "16", ...once],
      ["-sS", "-p", "22", "--badsum", ...once],
      ["-sS", "-p", "22", "--mtu", "24", "--data-length", "60", ...once],
    ],
    last: /already blocked/,
    count: 2,
  },
  {
    mode: "-tcp",
    config: [...KILLS, 'KILL_RUN_CMD_FIRST="0"'],
    probes: [connect(11), connect(15)],
    last: /already blocked/,
    count: 1,
  },
  {
    mode: "-stcp",
    config: [...KILLS, 'KILL_RUN_CMD_FIRST="1"'],
    probes: [connect(11), connect(15)],
    last: /already blocked/,
    count: 1,
  },
  {
    mode: "-stcp",
    config: ['BLOCK_TCP="0"', ...KILLS],
    probes: [connect(11)],
    last: /Ignoring TCP response/,
    count: 1,
    isUntrue: true,
  },
  {
    mode: "-stcp",
    config: ['BLOCK_TCP="2"', ...KILLS],
    probes: [connect(11), connect(15)],
    last: /already blocked/,
    count: 1,
  },
  {
    mode: "-tcp",
    config: ['BLOCK_TCP="2"', ...KILLS],
    probes: [connect(11), connect(15)],
    last: /already blocked/,
    count: 1,
  },
  {
    mode: "-stcp",
    config: ['RESOLVE_HOST="1"'],
    probes: [connect(11), connect(15)],
    last: /already blocked/,
    count: 1,
  },
  {
    mode: "-stcp",
    config: ['KILL_ROUTE="true"', 'KILL_HOSTS_DENY="ALL: nobody"', 'IGNORE_FILE="/nonexistent/ignore"'],
    probes: [connect(11), connect(15)],
    last: /Could not block/,
    count: 2,
  },
  {
    mode: "-tcp",
    config: ['IGNORE_FILE="DIR/ignored"'],
    probes: [connect(11), connect(15)],
    last: /already blocked/,
    count: 1,
  },
  ...["-udp", "-sudp"].map((mode) => ({
    mode,
    probes: [datagram(69), datagram(70), datagram(123)],
    last: /already blocked/,
    count: 3,
  })),
  {
    mode: "-atcp",
    probes: [
      ["-sS", "-p", "25", ...once],
      ["-sS", "-p", "61", ...once],
      ["-sS", "-p", "11", ...once],
      ["-sN", "-p", "33", ...once],
    ],
    last: /already blocked/,
    count: 1,
  },
  {
    mode: "-audp",
    probes: [...[53, 61, 7, 9].map(datagram)],
    last: /already blocked/,
    count: 1,
  },
];

type Said = {
  readonly lines: string[];
  readonly history: string;
  readonly blocked: string;
  /** What KILL_RUN_CMD wrote. */
  readonly ran: string;
  readonly hostsDeny: string;
};

/** CONFIG with some of its lines replaced. */
function configOf(wanted: Mode, dir: string): string {
  const own = wanted.config ?? [];
  const keyOf = (line: string): string => line.split("=")[0]!;
  const keys = new Set(own.map(keyOf));
  const lines = CONFIG.split("\n").filter((line) => !keys.has(keyOf(line)));
  return `${[...lines, ...own].join("\n")}\n`.replaceAll("DIR", dir);
}

/** Starts one of the two, plays the probes, and gives all that it said and wrote. */
async function play(
  wanted: Mode,
  begin: (made: Lab, dir: string) => void,
  linesOf: (dir: string) => string[],
): Promise<Said> {
  using made = makeLab(["stranger"]);
  const dir = join(made.dir, "etc");
  mkdirSync(dir);
  writeFileSync(join(dir, "ignore"), "127.0.0.1\n");
  writeFileSync(join(dir, "hosts.deny"), "");
  writeFileSync(join(dir, "portsentry.conf"), configOf(wanted, dir));
  begin(made, dir);
  await waitFor("it to listen", () => linesOf(dir).some((line) => line.endsWith("active and listening.")));
  for (const probe of wanted.probes) {
    const done = made.run("stranger", ["nmap", "-n", "-Pn", ...probe, made.clients[0]!.host4]);
    assert.equal(done.status, 0, done.stderr);
  }
  const last = () => linesOf(dir).filter((line) => wanted.last.test(line)).length >= wanted.count;
  await waitFor(`the last line of ${wanted.mode}`, last);
  const written = (name: string): string => {
    const path = join(dir, name);
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    return text.replace(/^\d+ - \S+ \S+/gm, "TIME").replaceAll(dir, "DIR");
  };
  const lines = linesOf(dir).map((line) => line.replaceAll(dir, "DIR"));
  return {
    lines,
    history: written("history"),
    blocked: written(`blocked.${wanted.mode.slice(1)}`),
    ran: written("ran"),
    hostsDeny: written("hosts.deny"),
  };
}

for (const wanted of MODES) {
  const settings = wanted.config === undefined ? "" : ` with ${wanted.config.join(", ")}`;
  test(`${wanted.mode}${settings} says and writes what Debian's portsentry 1.2 does`, async (t) => {
    const missing = labObstacle("nmap", "portsentry", "socat");
    if (missing !== null) return t.skip(missing);
    const theirs = await play(
      wanted,
      (made, dir) => {
        writeFileSync(join(dir, "run"), PEER_SCRIPT);
        made.start("host", ["unshare", "-m", "sh", join(dir, "run"), dir, wanted.mode]);
      },
      (dir) =>
        existsSync(join(dir, "syslog"))
          ? [
              ...readFileSync(join(dir, "syslog"), "latin1").matchAll(
                /portsentry\[\d+\]: (.*?)(?=<\d+>|\n|$)/g,
              ),
            ].map((hit) => hit[1]!)
          : [],
    );
    const ours = await play(
      wanted,
      (made, dir) => {
        const run = `exec "$@" > "${dir}/out"`;
        const face = [
          TELLTALE,
          "portsentry",
          "-c",
          join(dir, "portsentry.conf"),
          wanted.mode,
          "-l",
          "stdout",
        ];
        made.start("host", ["sh", "-c", run, "sh", ...face], {
          env: { TELLTALE_PORTSENTRY_DAEMON: "1" },
          binds: [[join(dir, "hosts.deny"), "/etc/hosts.deny"]],
        });
      },
      (dir) =>
        existsSync(join(dir, "out")) ? readFileSync(join(dir, "out"), "utf8").split("\n").slice(0, -1) : [],
    );
    const silent = wanted.isUntrue === true ? { history: "", blocked: "" } : {};
    assert.deepEqual(ours, { ...theirs, ...silent });
  });
}
