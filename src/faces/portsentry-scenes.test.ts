// The scenes that PortSentry 2.x is tested with by its own authors, played to our face: what is configured, what is
// probed from outside, and what the lines, the history, the blocked file and the commands must say afterwards. The face
// runs under its launcher, as a script would start it, in a folder of its own, to which relative paths lead.
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { type Lab, labObstacle, makeLab, TELLTALE } from "../../tests/system/lab.ts";
import { waitFor } from "../../tests/system/wait.ts";

const BLOCK = ['BLOCK_TCP="1"', 'BLOCK_UDP="1"'];
const LOG_ONLY = ['BLOCK_TCP="0"', 'BLOCK_UDP="0"'];
const PORTS = ['TCP_PORTS="1,11"', 'UDP_PORTS="1,7,9,11"'];
const FILES = ['HISTORY_FILE="./portsentry.history"', 'BLOCKED_FILE="./portsentry.blocked"'];

class Scene implements Disposable {
  readonly dir: string;
  readonly v4: string;
  readonly v6: string;
  readonly host4: string;
  readonly host6: string;
  readonly #lab: Lab;
  #child: ReturnType<Lab["start"]> | null = null;

  constructor(made: Lab) {
    this.#lab = made;
    this.dir = made.dir;
    ({ v4: this.v4, v6: this.v6, host4: this.host4, host6: this.host6 } = made.clients[0]!);
    writeFileSync(join(this.dir, "hosts.deny"), "");
    this.script("route.sh", `echo "$1" > ${this.dir}/route.out`);
    this.script("command.sh", `echo "$1 $2" > ${this.dir}/command.out`);
  }

  script(name: string, body: string): void {
    writeFileSync(join(this.dir, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(this.dir, name), 0o755);
  }

  async start(config: readonly string[], switches: string): Promise<void> {
    writeFileSync(
      join(this.dir, "portsentry.conf"),
      `${[...FILES, ...config].join("\n")}\n`.replaceAll("DIR", this.dir),
    );
    mkdirSync(join(this.dir, "bin"), { recursive: true });
    // The name it is called by makes telltale the face.
    const command = `cd "$1" && shift && exec "$@" > portsentry.stdout 2> portsentry.stderr`;
    this.#child = this.#lab.start(
      "host",
      [
        "sh",
        "-c",
        command,
        "sh",
        this.dir,
        TELLTALE,
        "portsentry",
        "-c",
        "portsentry.conf",
        ...switches.split(" "),
      ],
      { binds: [[join(this.dir, "hosts.deny"), "/etc/hosts.deny"]] },
    );
    await waitFor("the face to listen", () => {
      if (this.#child!.exitCode !== null) throw new Error(`it ended: ${this.read("portsentry.stderr")}`);
      return this.stdout.includes("Portsentry is now active and listening.\n");
    });
  }

  /** Which processes of the host are found by that name, as scripts look for it. */
  named(name: string): string[] {
    const inside = this.#lab.run("host", ["sh", "-c", `ip netns pids "$(ip netns identify $$)"`]).stdout;
    const mine = new Set(inside.split("\n"));
    return this.#lab
      .run("host", ["pgrep", "-x", name])
      .stdout.split("\n")
      .filter((pid) => pid !== "" && mine.has(pid));
  }

  async stop(): Promise<void> {
    const [pid] = this.named("portsentry");
    assert.ok(pid !== undefined, "no process of that name");
    process.kill(Number(pid), "SIGTERM");
    await waitFor("the end", () => this.#child!.exitCode !== null);
    assert.equal(this.#child!.exitCode, 0);
    assert.ok(this.stdout.endsWith("\nPortsentry is shutting down\n"), this.stdout.slice(-200));
  }

  nmap(...args: string[]): void {
    const target = args.includes("-6") ? this.host6 : this.host4;
    const done = this.#lab.run("stranger", ["nmap", "-Pn", "-n", "--max-retries", "0", ...args, target]);
    assert.equal(done.status, 0, done.stderr);
  }

  probe(script: string): string {
    return this.#lab.run("stranger", ["/usr/bin/python3", "-c", script, this.host4]).stdout;
  }

  local(...argv: string[]): void {
    assert.equal(this.#lab.run("host", argv).status, 0);
  }

  read(name: string): string {
    return existsSync(join(this.dir, name)) ? readFileSync(join(this.dir, name), "utf8") : "";
  }

  get stdout(): string {
    return this.read("portsentry.stdout");
  }

  /** Waits for so many lines that begin with the text. */
  async lines(count: number, begin: string): Promise<void> {
    const found = () => this.stdout.split("\n").filter((line) => line.startsWith(begin)).length;
    await waitFor(`${count} lines "${begin}", found ${found()}`, () => found() >= count);
    assert.equal(found(), count);
  }

  async blockTriggered(protocol: "TCP" | "UDP", source: string): Promise<void> {
    const line = `Scan from: [${source}] (${source}) protocol: [${protocol}] port: [11]`;
    await waitFor("the scan line", () => this.stdout.includes(`\n${line}`));
    await waitFor("the history", () => this.read("portsentry.history").includes(` ${line}`));
  }

  async alreadyBlocked(source: string): Promise<void> {
    const line = `attackalert: Host: ${source}/${source} is already blocked Ignoring\n`;
    await waitFor("already blocked", () => this.stdout.includes(line));
  }

  /** Records of 2 bytes for the family and 4 or 16 for the address. */
  async blocked(v4: number, v6: number): Promise<void> {
    const path = join(this.dir, "portsentry.blocked");
    const size = () => (existsSync(path) ? statSync(path).size : 0);
    await waitFor("the blocked file", () => size() === v4 * 6 + v6 * 18);
  }

  [Symbol.dispose](): void {
    this.#lab[Symbol.dispose]();
  }
}

function scene(name: string, play: (s: Scene) => Promise<void>, tools: readonly string[] = ["nmap"]): void {
  test(name, async (t: TestContext) => {
    const missing = labObstacle(...tools);
    if (missing !== null) return t.skip(missing);
    using s = new Scene(makeLab(["stranger"]));
    await play(s);
    await s.stop();
  });
}

scene("--connect over TCP and UDP: one block, then already blocked, and every connect told", async (s) => {
  await s.start([...PORTS, ...BLOCK, 'KILL_ROUTE="true $TARGET$"'], "--connect -d");
  for (const [protocol, option] of [
    ["TCP", "-sT"],
    ["UDP", "-sU"],
  ] as const) {
    s.nmap(option, "-p", "11");
    await s.blockTriggered(protocol, s.v4);
    await s.blocked(1, 0);
    s.nmap(option, "-p", "11");
    await s.alreadyBlocked(s.v4);
    await s.lines(2, `Scan from: [${s.v4}] (${s.v4}) protocol: [${protocol}] port: [11] type: [Connect]`);
  }
  await s.blocked(1, 0);
  s.nmap("-sT", "-p", "10");
  s.nmap("-6", "-sT", "-p", "11");
  await s.blockTriggered("TCP", s.v6);
  await s.blocked(1, 1);
  assert.doesNotMatch(s.stdout, /port: \[10\]/, "a port that is not listed is nobody's business");
});

scene("the banner comes on TCP without a word, and on UDP as the answer", async (s) => {
  const banner = "Some banner printed on port";
  await s.start(
    [...PORTS, ...BLOCK, `PORT_BANNER="${banner}"`, 'KILL_ROUTE="true $TARGET$"'],
    "--connect -d",
  );
  const tcp = `import socket,sys
c = socket.create_connection((sys.argv[1], 11), 10)
print(c.recv(1024).decode())`;
  const udp = `import socket,sys
c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
c.settimeout(10)
c.sendto(b"Hello", (sys.argv[1], 11))
print(c.recvfrom(1024)[0].decode())`;
  assert.match(s.probe(tcp), new RegExp(banner));
  await s.blockTriggered("TCP", s.v4);
  assert.match(s.probe(udp), new RegExp(banner));
  await s.blockTriggered("UDP", s.v4);
  await s.blocked(1, 0);
});

scene("BLOCK 0 only writes it down, each time", async (s) => {
  await s.start(['TCP_PORTS="1,5-11"', 'UDP_PORTS="1,7-11"', ...LOG_ONLY], "--connect -d -i ALL");
  for (const option of ["-sT", "-sT", "-sU", "-sU"]) s.nmap(option, "-p", "11");
  for (const protocol of ["TCP", "UDP"])
    await s.lines(2, `Scan from: [${s.v4}] (${s.v4}) protocol: [${protocol}] port: [11]`);
  await s.blocked(0, 0);
});

scene("BLOCK 2 runs the command and nothing else", async (s) => {
  const config = ['BLOCK_TCP="2"', 'BLOCK_UDP="2"', 'KILL_RUN_CMD="DIR/command.sh $TARGET$ $PORT$"'];
  await s.start([...PORTS, ...config, 'KILL_ROUTE="DIR/route.sh $TARGET$"'], "--connect -d");
  s.nmap("-sT", "-p", "11");
  await s.blockTriggered("TCP", s.v4);
  await s.lines(1, `attackalert: External command run for host: ${s.v4} using command: "`);
  assert.equal(s.read("command.out"), `${s.v4} 11\n`);
  assert.equal(s.read("route.out"), "");
});

scene("SCAN_TRIGGER lets the first ones pass", async (s) => {
  await s.start([...PORTS, ...BLOCK, 'SCAN_TRIGGER="2"', 'KILL_ROUTE="true $TARGET$"'], "--connect -d");
  s.nmap("-sT", "-p", "11");
  const begin = `Scan from: [${s.v4}] (${s.v4}) protocol: [TCP] port: [11] type: [Connect] IP opts: [unknown]`;
  await s.lines(1, `${begin} ignored: [false] triggered: [false] noblock: [unset]`);
  await s.blocked(0, 0);
  s.nmap("-sT", "-p", "11");
  await s.lines(1, `${begin} ignored: [false] triggered: [true] noblock: [false] blocked: [true]`);
  await s.blocked(1, 0);
  s.nmap("-sT", "-p", "11");
  await s.alreadyBlocked(s.v4);
  await s.blocked(1, 0);
});

for (const first of [false, true]) {
  scene(`route, hosts.deny and command ${first ? "after" : "before"} it, in their order`, async (s) => {
    const kills = [
      'KILL_ROUTE="DIR/route.sh $TARGET$"',
      'KILL_HOSTS_DENY="ALL: $TARGET$"',
      'KILL_RUN_CMD="DIR/command.sh $TARGET$ $PORT$"',
      ...(first ? ['KILL_RUN_CMD_FIRST="1"'] : []),
    ];
    await s.start([...PORTS, ...BLOCK, ...kills], "--connect -d");
    s.nmap("-sT", "-p", "11");
    await s.blockTriggered("TCP", s.v4);
    await s.blocked(1, 0);
    assert.equal(s.read("route.out"), `${s.v4}\n`);
    assert.equal(s.read("command.out"), `${s.v4} 11\n`);
    assert.equal(s.read("hosts.deny"), `ALL: ${s.v4}\n`);
    const route = s.stdout.indexOf(
      `attackalert: Host ${s.v4} has been blocked via dropped route using command: "`,
    );
    const wrappers = s.stdout.indexOf(
      `attackalert: Host ${s.v4} has been blocked via wrappers with string: "`,
    );
    const command = s.stdout.indexOf(`attackalert: External command run for host: ${s.v4} using command: "`);
    const scanned = s.stdout.indexOf("Scan from: [");
    assert.ok(Math.min(route, wrappers, command) > 0, s.stdout);
    assert.ok(first ? command < route : route < command);
    assert.ok(Math.max(route, wrappers, command) < scanned);
  });
}

for (const switches of ["--stealth -m pcap -d -i ALL -L", "--stealth -m raw -d -L"]) {
  scene(
    `${switches}: connects, SYN, NULL, XMAS, FIN and UDP, each by its name, in both families`,
    async (s) => {
      const config = [
        'TCP_PORTS="1,5-11,22"',
        'UDP_PORTS="1,7-11"',
        ...BLOCK,
        'KILL_HOSTS_DENY="ALL: $TARGET$"',
      ];
      await s.start(config, switches);
      s.nmap("-sT", "-p", "11");
      await s.blockTriggered("TCP", s.v4);
      await s.blocked(1, 0);
      s.nmap("-sT", "-p", "11");
      await s.alreadyBlocked(s.v4);
      for (const [option, type] of [
        ["-sS", "TCP SYN/Normal scan"],
        ["-sN", "TCP NULL scan"],
        ["-sX", "TCP XMAS scan"],
        ["-sF", "TCP FIN scan"],
      ] as const) {
        s.nmap(option, "-p", "7");
        await s.lines(1, `Scan from: [${s.v4}] (${s.v4}) protocol: [TCP] port: [7] type: [${type}]`);
      }
      s.nmap("-sU", "-p", "11");
      await s.blockTriggered("UDP", s.v4);
      s.nmap("-6", "-sT", "-p", "11");
      await s.blockTriggered("TCP", s.v6);
      await s.blocked(1, 1);
      s.nmap("-6", "-sT", "-p", "11");
      await s.alreadyBlocked(s.v6);
      s.nmap("-sT", "-p", "4");
      s.nmap("-sT", "-p", "9");
      await s.lines(1, `Scan from: [${s.v4}] (${s.v4}) protocol: [TCP] port: [9]`);
      assert.doesNotMatch(s.stdout, /port: \[4\]/);
      assert.equal(s.read("hosts.deny"), `ALL: ${s.v4}\nALL: ${s.v6}\n`);
    },
  );
}

const SELF = ["-Pn", "-n", "--max-retries", "0", "-p", "11"];

scene("a host that scans itself is skipped, and -d says so", async (s) => {
  await s.start(['TCP_PORTS="1,11,22"', ...LOG_ONLY], "--stealth -m pcap -d -i ALL");
  s.local("nmap", ...SELF, "-sT", "127.0.0.1");
  await waitFor("the word", () =>
    s.stdout.includes("\ndebug: Source address 127.0.0.1 same as destination address 127.0.0.1, skipping"),
  );
  assert.doesNotMatch(s.stdout, /Scan from/);
});

scene("-m raw hears a host that scans itself without being told to listen on loopback", async (s) => {
  await s.start([...PORTS, ...BLOCK, 'KILL_HOSTS_DENY="ALL: $TARGET$"'], "--stealth -m raw -d -L");
  s.local("nmap", ...SELF, "-sT", "127.0.0.1");
  await s.blockTriggered("TCP", "127.0.0.1");
  await s.blocked(1, 0);
  s.local("nmap", ...SELF, "-sU", "127.0.0.1");
  await s.alreadyBlocked("127.0.0.1");
  s.local("nmap", ...SELF, "-6", "-sT", "::1");
  await s.blockTriggered("TCP", "::1");
  await s.blocked(1, 1);
});

scene("who stands in the ignore file, with or without a mask, is left alone, and -v says so", async (s) => {
  writeFileSync(join(s.dir, "portsentry.ignore"), `${s.v4}\n0.0.0.0\n${s.v6}/128\n127.0.0.1\n`);
  await s.start(
    [...PORTS, ...LOG_ONLY, 'IGNORE_FILE="./portsentry.ignore"'],
    "--stealth -m pcap -d -i ALL -v",
  );
  const told = (source: string) =>
    waitFor("the word", () =>
      s.stdout.includes(`Host: ${source} found in ignore file ./portsentry.ignore, aborting actions\n`),
    );
  s.nmap("-sT", "-p", "11");
  s.nmap("-6", "-sT", "-p", "11");
  s.local("nmap", ...SELF, "-sT", "127.0.0.1");
  for (const source of [s.v4, s.v6, "127.0.0.1"]) await told(source);
  assert.doesNotMatch(s.stdout, /skipping/, "the file comes before the look at who sends to himself");
});

scene("who is written into the ignore file is left alone, and who is taken out is not", async (s) => {
  const path = join(s.dir, "portsentry.ignore");
  writeFileSync(path, "");
  await s.start([...PORTS, ...LOG_ONLY, 'IGNORE_FILE="./portsentry.ignore"'], "--stealth");
  const line = (ignored: boolean) => `IP opts: [not set] ignored: [${ignored}] `;
  const count = (ignored: boolean) => s.stdout.split(line(ignored)).length - 1;
  for (const [content, isIgnored, times] of [
    ["", false, 1],
    [`${s.v4}/31 # the office\n`, true, 1],
    ["192.0.2.1\n", false, 2],
  ] as const) {
    writeFileSync(path, content);
    s.nmap("-sS", "-p", "11");
    await waitFor(line(isIgnored), () => count(isIgnored) === times);
  }
});

scene("a host that is taken out of the blocked file is blocked again", async (s) => {
  await s.start([...PORTS, ...BLOCK, 'KILL_ROUTE="echo $TARGET$ >> DIR/routes"'], "--stealth");
  for (const times of [1, 2]) {
    s.nmap("-sS", "-p", "11");
    await waitFor("the route", () => s.read("routes") === `${s.v4}\n`.repeat(times));
    await s.blocked(1, 0);
    rmSync(join(s.dir, "portsentry.blocked"));
  }
});

scene("files in folders that are not there yet are made with them", async (s) => {
  const files = ['HISTORY_FILE="./var/log/history"', 'BLOCKED_FILE="./var/run/blocked"'];
  await s.start([...files, ...PORTS, ...BLOCK, 'KILL_ROUTE="true $TARGET$"'], "--connect");
  s.nmap("-sT", "-p", "11");
  await waitFor("the history", () => s.read("var/log/history").includes("Scan from: ["));
  await waitFor("the blocked file", () => s.read("var/run/blocked").length > 0);
});
