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
mount --rbind "$1/dev" /dev
socat -u UNIX-RECV:/dev/log STDOUT > "$1/syslog" &
tries=0
while ! [ -S /dev/log ]; do tries=$((tries + 1)); [ $tries -le 200 ] || exit 9; sleep 0.05; done
exec portsentry "$2"
`;

const CONFIG = `SCAN_TRIGGER="TOLERATED"
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

type Mode = {
  readonly mode: string;
  readonly probes: readonly (readonly string[])[];
  /** The last line that the probes bring. */
  readonly last: RegExp;
  readonly count: number;
  readonly trigger?: string;
};

const once = ["--max-retries", "0"];
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
  {
    mode: "-tcp",
    probes: [
      ["-sT", "-p", "11"],
      ["-sT", "-p", "12"],
      ["-sT", "-p", "15"],
    ],
    last: /already blocked/,
    count: 1,
  },
  {
    mode: "-tcp",
    trigger: "2",
    probes: [
      ["-sT", "-p", "11"],
      ["-sT", "-p", "15"],
      ["-sT", "-p", "22"],
      ["-sT", "-p", "11"],
    ],
    last: /already blocked/,
    count: 2,
  },
  {
    mode: "-udp",
    probes: [
      ["-sU", "-p", "69", ...once],
      ["-sU", "-p", "70", ...once],
      ["-sU", "-p", "123", ...once],
    ],
    last: /already blocked/,
    count: 3,
  },
  {
    mode: "-sudp",
    probes: [
      ["-sU", "-p", "69", ...once],
      ["-sU", "-p", "70", ...once],
      ["-sU", "-p", "123", ...once],
    ],
    last: /already blocked/,
    count: 3,
  },
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
    probes: [
      ["-sU", "-p", "53", ...once],
      ["-sU", "-p", "61", ...once],
      ["-sU", "-p", "7", ...once],
      ["-sU", "-p", "9", ...once],
    ],
    last: /already blocked/,
    count: 1,
  },
];

type Said = { readonly lines: string[]; readonly history: string; readonly blocked: string };

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
  const config = CONFIG.replaceAll("DIR", dir).replace("TOLERATED", wanted.trigger ?? "0");
  writeFileSync(join(dir, "portsentry.conf"), config);
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
    return existsSync(path) ? readFileSync(path, "utf8").replace(/^\d+ - \S+ \S+/gm, "TIME") : "";
  };
  const lines = linesOf(dir).map((line) => line.replaceAll(dir, "DIR"));
  return { lines, history: written("history"), blocked: written(`blocked.${wanted.mode.slice(1)}`) };
}

for (const wanted of MODES) {
  const trigger = wanted.trigger === undefined ? "" : ` with SCAN_TRIGGER ${wanted.trigger}`;
  test(`${wanted.mode}${trigger} says and writes what Debian's portsentry 1.2 does`, async (t) => {
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
        made.start("host", ["sh", "-c", run, "sh", ...face], { env: { TELLTALE_PORTSENTRY_DAEMON: "1" } });
      },
      (dir) =>
        existsSync(join(dir, "out")) ? readFileSync(join(dir, "out"), "utf8").split("\n").slice(0, -1) : [],
    );
    assert.deepEqual(ours.lines, theirs.lines);
    assert.equal(ours.history, theirs.history);
    assert.equal(ours.blocked, theirs.blocked);
  });
}
