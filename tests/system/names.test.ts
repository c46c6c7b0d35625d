// The allow list may hold names, and who answers for a name may be hostile, wrong or gone: check that an answer protects
// single addresses, few of them, and that the last good one outlives the server and the guard.
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { startGuard } from "./guard-process.ts";
import { labObstacle, makeLab, TELLTALE } from "./lab.ts";
import { waitFor } from "./wait.ts";

// A name server (RFC 1035) that says what it likes: three thousand addresses by TCP after a cut answer by UDP (RFC 7766),
// addresses that are nobody's, nothing at all, and of the office the truth for as long as a file is there.
const SERVER = `
const [file] = process.argv.slice(1);
const { existsSync } = require("node:fs");
const answer = (query, isTcp) => {
  let end = 12; const labels = [];
  while (query[end] !== 0) { labels.push(query.toString("latin1", end + 1, end + 1 + query[end])); end += query[end] + 1; }
  end += 5;
  const name = labels[0].toLowerCase(); const type = query.readUInt16BE(end - 4);
  const four = { office: existsSync(file) ? ["192.168.7.7"] : null, zero: ["0.0.0.0", "255.255.255.255", "127.0.0.1"],
    many: Array.from({ length: 3000 }, (_, n) => "203.0." + (n >> 8) + "." + (n & 255)) }[name];
  if (name === "silent") return null;
  const data = type === 1 ? (four ?? []).map((text) => Buffer.from(text.split(".").map(Number)))
    : type === 28 && name === "zero" ? [Buffer.alloc(16)] : [];
  const isCut = !isTcp && data.length > 20;
  const head = Buffer.from(query.subarray(0, end));
  head.writeUInt16BE((isCut ? 0x8780 : 0x8580) | (four == null ? 3 : 0), 2);
  head.writeUInt16BE(isCut ? 0 : data.length, 6); head.writeUInt32BE(0, 8);
  return Buffer.concat([head, ...(isCut ? [] : data).map((bytes) => {
    const record = Buffer.alloc(12); record.writeUInt16BE(0xc00c, 0); record.writeUInt16BE(type, 2); record.writeUInt16BE(1, 4);
    record.writeUInt32BE(60, 6); record.writeUInt16BE(bytes.length, 10); return Buffer.concat([record, bytes]); })]);
};
const udp = require("node:dgram").createSocket("udp4");
udp.on("message", (query, from) => { const said = answer(query, false); if (said) udp.send(said, from.port, from.address); });
require("node:net").createServer((socket) => socket.on("error", () => {}).on("data", (bytes) => {
  const said = answer(bytes.subarray(2), true); if (!said) return;
  const length = Buffer.alloc(2); length.writeUInt16BE(said.length); socket.end(Buffer.concat([length, said])); })).listen(53, () =>
  udp.bind(53, () => console.log("ready")));
`;

test("names whose server lies, says too much or has gone", {
  skip: labObstacle("nft") ?? false,
  timeout: 180_000,
}, async () => {
  using lab = makeLab(["dns"]);
  const file = join(lab.dir, "office");
  const resolvers = join(lab.dir, "resolv.conf");
  const config = join(lab.dir, "telltale.toml");
  writeFileSync(file, "");
  writeFileSync(resolvers, `nameserver ${lab.clients[0]!.v4}\n`);
  const allow = (...names: string[]) =>
    writeFileSync(
      config,
      `[store]\ndirectory = "${lab.dir}/state"\n[rotate]\nenabled = false\n[check]\nenabled = false\n[sentry]\nenabled = false\n[report]\nvia = "none"\n[respond]\nallow = ${JSON.stringify(names.map((name) => `${name}.example.org`))}\n`,
    );
  allow("office", "zero", "many", "silent");
  const server = lab.start("dns", [process.execPath, "-e", SERVER, file]);
  let said = "";
  for (const stream of [server.stdout!, server.stderr!])
    stream.on("data", (chunk: Buffer) => {
      said += chunk;
    });
  await waitFor("the name server", () => said.includes("ready"));
  const options = { binds: [[resolvers, "/etc/resolv.conf"]] } as const;
  const telltale = (...args: string[]) => lab.run("host", [TELLTALE, ...args, "--config", config], options);

  const shown = telltale("guardrails", "--json");
  const rows = shown.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { target: string; because: string });
  const of = (name: string) =>
    rows.filter(({ because }) => because === `allow list (${name}.example.org)`).map(({ target }) => target);
  assert.deepEqual(of("office"), ["192.168.7.7"]);
  assert.deepEqual(of("zero"), ["0.0.0.0", "255.255.255.255", "127.0.0.1", "::"]);
  assert.equal(of("many").length, 64);
  assert.ok(
    of("many").every((target) => /^203\.0\.\d+\.\d+$/.test(target)),
    said,
  );
  assert.match(shown.stderr, /many\.example\.org has 3000 addresses; the first 64 are allowed/);
  assert.match(shown.stderr, /silent\.example\.org does not resolve/);
  assert.equal(shown.status, 1, "somebody who should be protected is not");

  // Waiting for the silent one takes each command some seconds.
  allow("office", "zero", "many");
  const guard = await startGuard(lab, ["--block", "--config", config], options);
  await guard.until("config.faulty", ({ faults }) => faults.some(({ message }) => /many/.test(message)));
  const isRefused = (address: string) => /never blocked: allow list/.test(telltale("block", address).stderr);
  assert.ok(isRefused("192.168.7.7"));
  assert.ok(!isRefused("198.51.100.77"), "an answer of zeros allows nobody else");
  assert.equal((await guard.stop()).status, 0);

  // The office's zone is taken away, and the guard starts again.
  rmSync(file);
  const again = await startGuard(lab, ["--block", "--config", config], options);
  await again.until("config.faulty", ({ faults }) => faults.some(({ message }) => /office/.test(message)));
  assert.ok(isRefused("192.168.7.7"), "the last good answer counts");
  assert.match(
    lab.run("host", ["nft", "list", "set", "inet", "telltale", "allow4"]).stdout,
    /192\.168\.7\.7/,
  );
  assert.equal((await again.stop()).status, 0);
});
