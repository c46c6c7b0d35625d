// Random texts of portsentry.conf, read by Debian's portsentry 1.2 and by us: both start or neither does, on the same
// ports. What differs on purpose is listed in docs/portsentry-differences.md and left out here by name.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import { labObstacle, makeLab } from "../../tests/system/lab.ts";
import { parsePortsentryConfig } from "../sentry/portsentry/parse.ts";
import { readPortsentryOptions } from "./portsentry-options.ts";
import { readPortsentrySettings } from "./portsentry-settings.ts";

const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 40);
const MODES = ["tcp", "udp", "stcp", "sudp", "atcp", "audp"] as const;

// 1.2 reads a fixed path and speaks to /dev/log. For each case it tells "N status lines…" on one line; in a process
// namespace of its own, so that no other portsentry is ended.
const PEER_SCRIPT = `set -e
cd "$1"
mkdir -p dev etc
mount -t tmpfs none dev
for n in null zero random urandom; do touch "dev/$n"; mount --bind "/dev/$n" "dev/$n"; done
mount --bind etc /etc/portsentry
mount --rbind dev /dev
for file in case-*; do
  number=\${file#case-}
  cp "$file" /etc/portsentry/portsentry.conf
  socat -u UNIX-RECV:/dev/log,unlink-early CREATE:syslog & logger=$!
  until [ -S /dev/log ]; do sleep 0.01; done
  status=0
  portsentry "-$(cat "mode-$number")" > /dev/null 2>&1 < /dev/null || status=$?
  tries=0
  until grep -qa 'active and listening\\|shutting down' syslog || [ $tries -gt 500 ]; do
    tries=$((tries + 1)); sleep 0.01
  done
  # Asked politely, it may wait for ever for the lock of the line that it was writing.
  while pkill -KILL -x portsentry; do sleep 0.01; done
  kill $logger; wait $logger || true
  rm -f /dev/log
  echo "$number $status $(tr '\\n\\0' '  ' < syslog)"
done
`;

const oneOf = (...texts: string[]): fc.Arbitrary<string> => fc.constantFrom(...texts);
const port = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 60 }).map(String) },
  { weight: 1, arbitrary: oneOf("0", "65535", "65536", "70000", "ssh", "", " 7", "7 ", "x1") },
);
const ports = fc.array(port, { minLength: 0, maxLength: 6 }).map((list) => list.join(","));
const VALUES: Readonly<Record<string, fc.Arbitrary<string>>> = {
  TCP_PORTS: ports,
  UDP_PORTS: ports,
  ADVANCED_PORTS_TCP: oneOf("30", "1", "0", "x", "40"),
  ADVANCED_PORTS_UDP: oneOf("30", "1", "0", "x", "40"),
  ADVANCED_EXCLUDE_TCP: ports,
  ADVANCED_EXCLUDE_UDP: ports,
  IGNORE_FILE: oneOf("DIR/ignore", "/nonexistent/ignore", ""),
  HISTORY_FILE: oneOf("DIR/history", ""),
  BLOCKED_FILE: oneOf("DIR/blocked"),
  RESOLVE_HOST: oneOf("0", "1", "x"),
  BLOCK_TCP: oneOf("0", "1", "2", "3", "x", ""),
  BLOCK_UDP: oneOf("0", "1", "2", "3", "x", ""),
  KILL_ROUTE: oneOf("true $TARGET$", "true", ""),
  KILL_RUN_CMD_FIRST: oneOf("0", "1", "x"),
  SCAN_TRIGGER: oneOf("0", "2", "x", "-1"),
  PORT_BANNER: oneOf("", "go away"),
};

/** How a key is written; mostly well. */
const writing = fc.oneof(
  { weight: 12, arbitrary: fc.constant((key: string, value: string) => `${key}="${value}"`) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      (key: string, value: string) => `${key} = "${value}"`,
      (key: string, value: string) => `${key}="${value}" # why not`,
      (key: string, value: string) => `${key}="${value}"\r`,
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      (key: string, value: string) => `${key}=${value}`,
      (key: string, value: string) => `${key}="${value}`,
      (key: string, value: string) => `${key} "${value}"`,
      (key: string, value: string) => ` ${key}="${value}"`,
      (key: string, value: string) => `${key.toLowerCase()}="${value}"`,
      (key: string, value: string) => `#${key}="${value}"`,
      (key: string, value: string) => `${key}X="${value}"`,
      (key: string, value: string) => `${key}\t="${value}"`,
      (key: string, value: string) => `${key}='${value}'`,
    ),
  },
);
const lineOf = (key: string): fc.Arbitrary<string> =>
  fc.tuple(writing, VALUES[key]!).map(([write, value]) => write(key, value));
const junk = oneOf("", "#", "nonsense", 'COLOUR="red"', "=", '"', "TCP_PORTS", 'TCP_PORTS"11"', "\t");
/** Each key mostly once, now and then twice or never, and something else in between. */
const text = fc
  .tuple(
    fc.tuple(
      ...Object.keys(VALUES).map((key) =>
        fc.oneof(
          { weight: 15, arbitrary: lineOf(key).map((line) => [line]) },
          { weight: 1, arbitrary: fc.constant([]) },
          { weight: 1, arbitrary: fc.tuple(lineOf(key), lineOf(key)) },
        ),
      ),
    ),
    fc.array(junk, { maxLength: 2 }),
  )
  .chain(([lines, more]) => fc.shuffledSubarray([...lines.flat(), ...more], { minLength: 12 }))
  .map((lines) => `${lines.join("\n")}\n`);

/** 1.2 stops looking for a key at a line of it without quotes; we take the next that has them. */
function hasQuotelessTwin(written: string): boolean {
  const lines = written.split("\n");
  return Object.keys(VALUES).some((key) => {
    const mine = lines.filter((line) => line.startsWith(`${key}=`) || line.startsWith(`${key} `));
    return mine.length > 1 && !mine[0]!.includes('"');
  });
}

/** The ports that it went to listen on, as far as they are any: 1.2 takes 0, and what is beyond 65535, for ports. */
function portsTold(syslog: string): number[] {
  const told = [...syslog.matchAll(/isten mode on (?:TCP|UDP) port: (-?\d+)/g)].map((hit) => Number(hit[1]));
  return [...new Set(told.filter((one) => one >= 1 && one <= 65_535))].sort((a, b) => a - b);
}

test("what portsentry 1.2 accepts we accept, on the same ports, and nothing else", {
  timeout: 90_000 + RUNS * 400,
}, (t) => {
  const missing = labObstacle("portsentry", "socat", "pkill");
  if (missing !== null) return t.skip(missing);
  using made = makeLab([]);
  const dir = join(made.dir, "configs");
  mkdirSync(dir);
  const cases = fc.sample(fc.tuple(fc.constantFrom(...MODES), text), RUNS).map(([mode, drawn], index) => {
    const number = String(index).padStart(4, "0");
    const written = drawn.replaceAll("DIR", dir);
    writeFileSync(join(dir, `case-${number}`), written);
    writeFileSync(join(dir, `mode-${number}`), mode);
    return { number, mode, written };
  });
  const peer = made.run(
    "host",
    ["unshare", "-m", "-p", "-f", "--mount-proc", "sh", "-c", PEER_SCRIPT, "sh", dir],
    {
      timeoutMs: 60_000 + RUNS * 200,
    },
  );
  const answers = new Map(peer.stdout.split("\n").map((line) => [line.slice(0, 4), line.slice(5)]));
  let accepted = 0;
  for (const { number, mode, written } of cases) {
    if (hasQuotelessTwin(written)) continue;
    const theirs = answers.get(number);
    assert.ok(theirs !== undefined, peer.stderr);
    const told = portsTold(theirs);
    const isAdvanced = mode.startsWith("a");
    const theyStart = theirs.includes("active and listening") && (isAdvanced || told.length > 0);
    const request = readPortsentryOptions([`-${mode}`, "-c", join(dir, `case-${number}`)]);
    assert.ok(typeof request === "object");
    let complaints = "";
    const settings = readPortsentrySettings(request, {
      out: () => {},
      err: (line) => {
        complaints += line;
      },
    });
    const what = `-${mode} ${JSON.stringify(written)}\ntheirs: ${theirs}\nours: ${complaints}`;
    assert.equal(settings !== null, theyStart, what);
    if (settings !== null) accepted++;
    if (settings === null || isAdvanced) continue;
    const { config } = parsePortsentryConfig("", written, 1);
    const ours = (mode.endsWith("tcp") ? config.tcpPorts : config.udpPorts).map(({ low }) => low);
    assert.deepEqual(
      [...new Set(ours)].sort((a, b) => a - b),
      told,
      what,
    );
  }
  assert.ok(accepted > RUNS / 10, `of ${RUNS} configurations ${accepted} were accepted: too few to say much`);
});
