// A host that serves for others: it publishes the ports of a guest that has no address of its own outside, routes to a guest
// that has one, and lets both call out through its own address. Whoever is served is no scanner, whoever scans the host
// is cut from the guests as well, and what passes through is nobody's business here.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { type GuardProcess, startGuard } from "./guard-process.ts";
import { type Client, type Lab, labObstacle, makeLab } from "./lab.ts";
import { synScan } from "./nmap.ts";
import { waitFor } from "./wait.ts";

const skip = labObstacle("nft", "nmap") ?? false;

// As a container engine writes them, without the small program that some of them start for each port.
const published = (guest: Client) => `
table ip nat {
	chain pre { type nat hook prerouting priority dstnat; fib daddr type local tcp dport 8001-8020 dnat to ${guest.v4}:80; }
	chain post { type nat hook postrouting priority srcnat; ip saddr ${guest.v4} oifname != "v0" masquerade; }
}
table ip6 nat {
	chain pre { type nat hook prerouting priority dstnat; fib daddr type local tcp dport 8001-8020 dnat to [${guest.v6}]:80; }
	chain post { type nat hook postrouting priority srcnat; ip6 saddr ${guest.v6} oifname != "v0" masquerade; }
}
`;

const GREET = `require("net").createServer((s) => s.on("error", () => {}).end("hello")).listen(80, "::", () => console.log("ready"))`;
const ECHO = `for (const type of ["udp4", "udp6"]) { const s = require("dgram").createSocket({ type, ipv6Only: type === "udp6" }); s.on("message", (m, from) => s.send(m, from.port, from.address)).bind(7000, () => console.log("ready")) }`;
// One visit to each port after the other: what was heard, by port. A first packet may be lost before neighbours know each other,
// and is sent again after a second.
const VISIT = `const [host, ...ports] = process.argv.slice(1); const next = () => { const port = ports.shift(); if (port === undefined) return; const s = require("net").connect(Number(port), host); let heard = ""; const end = (how) => { s.destroy(); console.log(port, how); next() }; s.setTimeout(4000, () => end("silent")).on("data", (d) => heard += d).on("error", () => end("refused")).on("end", () => end(heard)) }; next()`;
// Questions from as many ports, each answered: what the masquerade translates.
const ASK = `const [host] = process.argv.slice(1); const type = host.includes(":") ? "udp6" : "udp4"; let left = 40; for (let i = 0; i < 40; i++) { const s = require("dgram").createSocket(type); s.on("message", () => { s.close(); if (--left === 0) console.log("answered") }).send("x", 7000, host) } setTimeout(() => process.exit(), 5000).unref()`;

type Stage = { lab: Lab; guard: GuardProcess; client: (name: string) => Client };

async function makeStage(): Promise<Stage> {
  const lab = makeLab(["guest", "visitor", "crowd", "scanner", "scanner6", "world"]);
  try {
    const client = (name: string) => lab.clients.find((each) => each.name === name)!;
    for (const { name, host6 } of lab.clients)
      lab.run(name, ["ip", "-6", "route", "add", "default", "via", host6]);
    for (const key of ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"])
      lab.run("host", ["sysctl", "-qw", `${key}=1`]);
    const rules = join(lab.dir, "published.nft");
    writeFileSync(rules, published(client("guest")));
    assert.equal(lab.run("host", ["nft", "-f", rules]).stderr, "");
    const play = async (where: string, script: string) => {
      let said = "";
      const child = lab.start(where, [process.execPath, "-e", script]);
      for (const stream of [child.stdout!, child.stderr!])
        stream.on("data", (chunk: Buffer) => {
          said += chunk;
        });
      await waitFor(`a service of the ${where}`, () => said.includes("ready")).catch((error: Error) => {
        throw new Error(`${error.message}: ${said}`);
      });
    };
    await play("guest", GREET);
    await play("world", ECHO);
    await play("world", GREET);
    const config = join(lab.dir, "telltale.toml");
    writeFileSync(
      config,
      `[store]\ndirectory = "${lab.dir}/state"\n[rotate]\nenabled = false\n[check]\nenabled = false\n[report]\nvia = "none"\n`,
    );
    return { lab, client, guard: await startGuard(lab, ["--block", "--config", config]) };
  } catch (error) {
    lab[Symbol.dispose]();
    throw error;
  }
}

test("a host that serves for guests", { skip, timeout: 180_000 }, async (t) => {
  const { lab, guard, client } = await makeStage();
  using _ = lab;
  const visit = (from: string, host: string, ports: readonly number[]) =>
    lab
      .run(from, [process.execPath, "-e", VISIT, host, ...ports.map(String)])
      .stdout.trim()
      .split("\n")
      .map((line) => line.split(" ")[1]);
  const upFrom = (first: number, count: number) => Array.from({ length: count }, (_, n) => first + n);
  const firewall = () => lab.run("host", ["nft", "list", "table", "inet", "telltale"]).stdout;
  const isBlocked = (address: string) =>
    new RegExp(`set blocked[^}]*\\b${address.replaceAll(".", "\\.")}[^}]*\\}`).test(firewall());

  await t.test("whoever uses the published ports touches nothing unused", () => {
    const { host4, host6 } = client("visitor");
    for (const host of [host4, host6])
      assert.deepEqual(visit("visitor", host, upFrom(8001, 20)), Array(20).fill("hello"));
    assert.doesNotMatch(firewall(), /set touched[46] \{[^}]*expires/);
  });

  await t.test("a crowd behind one address, served by a guest, may mistype like any visitor", () => {
    const { host4, host6 } = client("crowd");
    for (const host of [host4, host6]) {
      for (let person = 0; person < 5; person++) {
        assert.deepEqual(visit("crowd", host, upFrom(8001, 8)), Array(8).fill("hello"));
        assert.deepEqual(visit("crowd", host, [9000 + person]), ["refused"], `person ${person} of ${host}`);
      }
    }
    for (const [family, network] of [
      [4, client("crowd").v4],
      [6, client("crowd").v6.replace(/2$/, "")],
    ])
      assert.match(firewall(), new RegExp(`set visitors${family} \\{[^}]*${network} expires`));
  });

  await t.test(
    "what a guest asks for through the host's address comes back as evidence against nobody",
    () => {
      const { v4, v6 } = client("world");
      for (const host of [v4, v6]) {
        assert.deepEqual(visit("guest", host, Array(40).fill(80)), Array(40).fill("hello"));
        assert.match(lab.run("guest", [process.execPath, "-e", ASK, host]).stdout, /answered/);
      }
      assert.doesNotMatch(firewall(), new RegExp(`set visitors4 \\{[^}]*${client("world").v4} expires`));
    },
  );

  await t.test("while the guests are started anew their ports are closed, and no trap", () => {
    for (const family of ["ip", "ip6"]) lab.run("host", ["nft", "flush", "chain", family, "nat", "pre"]);
    const { host4, host6 } = client("visitor");
    for (const host of [host4, host6])
      assert.deepEqual(visit("visitor", host, upFrom(8001, 20)), Array(20).fill("refused"));
    lab.run("host", ["nft", "-f", join(lab.dir, "published.nft")]);
    assert.deepEqual(visit("visitor", host4, [8001]), ["hello"]);
  });

  await t.test("a scan of a guest with an address of its own passes through and is not counted", () => {
    for (const host of [client("guest").v4, client("guest").v6])
      assert.match(lab.run("scanner", synScan(host, "1-300")).stdout, /80\/tcp +open/);
    assert.doesNotMatch(firewall(), /set blocked[^}]*expires/);
  });

  for (const [name, family] of [
    ["scanner", 4],
    ["scanner6", 6],
  ] as const) {
    await t.test(`a scan of the host over IPv${family} cuts its source from the guests as well`, async () => {
      const { host4, host6, v4, v6 } = client(name);
      const [host, own, guest] =
        family === 4 ? [host4, v4, client("guest").v4] : [host6, v6, client("guest").v6];
      assert.deepEqual(visit(name, host, [8001]), ["hello"]);
      assert.deepEqual(visit(name, guest, [80]), ["hello"]);
      lab.run(name, synScan(host, "1-300,8001-8020"));
      await guard.until("block.applied", ({ target }) => target.startsWith(own.replace(/::2$/, "::")));
      assert.ok(isBlocked(own.replace(/::2$/, "::")));
      assert.deepEqual(visit(name, host, [8001]), ["silent"]);
      assert.deepEqual(visit(name, guest, [80]), ["silent"]);
      const neighbour = client("visitor")[family === 4 ? "host4" : "host6"];
      assert.deepEqual(visit("visitor", neighbour, [8001]), ["hello"]);
    });
  }
  const accused = guard.events.flatMap((event) =>
    event.type === "scan.detected" ? [`${event.scan.source} ${event.scan.reason}`] : [],
  );
  const scanners = [client("scanner").v4, client("scanner6").v6].map((address) => `${address} `);
  assert.deepEqual(
    accused.filter((each) => !scanners.some((scanner) => each.startsWith(scanner))),
    [],
  );
  assert.equal((await guard.stop()).status, 0);
});
