import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import { parse } from "smol-toml";
import { formatFault } from "../core/errors.ts";
import { KEYS } from "./keys.ts";
import { renderManual } from "./manual/render.ts";
import { defaultConfig, parseConfig } from "./parse.ts";
import { readConfig } from "./read.ts";
import { renderExample } from "./render.ts";

const read = (text: string) => parseConfig("t.toml", text, parse(text));

test("without a file the guard observes", () => {
  assert.equal(defaultConfig().respond.mode, "observe");
  assert.equal(defaultConfig().respond.block_for, 600_000);
});

test("reads every kind of value", () => {
  const { config, faults } = read(`
[respond]
mode = "block"
block_for = "1h30m"
allow = ["192.0.2.0/24", "2001:db8::1"]
max_blocks = 5
[sentry]
tripwire_ports = [23]
enabled = false
interfaces = ["eth0"]
`);
  assert.deepEqual(faults, []);
  assert.equal(config.respond.mode, "block");
  assert.equal(config.respond.block_for, 5_400_000);
  assert.deepEqual(config.respond.allow, ["192.0.2.0/24", "2001:db8::1"]);
  assert.equal(config.respond.max_blocks, 5);
  assert.deepEqual(config.sentry.tripwire_ports, [23]);
  assert.equal(config.sentry.enabled, false);
});

test("names file, line, key, what was found and the mend; the other keys hold", () => {
  const { config, faults } = read(`[respond]
mode = "blok"
allow = ["192.0.2.300"]
block_for = "10m"

[sentri]
loopback = true

[report]
ever = "1h"
smtp_port = "25"
`);
  assert.deepEqual(
    faults.map((fault) => `${fault.file}:${fault.line} ${fault.key}`),
    [
      "t.toml:2 respond.mode",
      "t.toml:3 respond.allow",
      "t.toml:6 sentri",
      "t.toml:10 report.ever",
      "t.toml:11 report.smtp_port",
    ],
  );
  assert.match(formatFault(faults[0]!), /wants one of observe, block; found "blok".*default "observe"/);
  assert.match(formatFault(faults[2]!), /did you mean \[sentry\]\?/);
  assert.match(formatFault(faults[3]!), /did you mean "every"\?/);
  assert.equal(config.respond.mode, "observe");
  assert.equal(config.respond.block_for, 600_000);
});

test("a group of files to be removed is read whole or not at all", () => {
  const { config, faults } = read(`[retention.app]
paths = ["/srv/app/logs/*.log*"]
max_bytes = "2G"
max_age = "90d"
[retention.bad]
paths = ["/srv/bad/*"]
max_bytes = "lots"
[retention.worse]
paths = ["relative/*"]
[retention.empty]
`);
  assert.deepEqual(config.retention, [
    {
      name: "app",
      paths: ["/srv/app/logs/*.log*"],
      maxBytes: 2 * 1024 ** 3,
      maxAgeMs: 90 * 86_400_000,
      maxFiles: 0,
      minKeep: 3,
      compressAfterMs: 0,
    },
  ]);
  assert.deepEqual(
    faults.map((fault) => [fault.line, fault.key]),
    [
      [7, "retention.bad.max_bytes"],
      [5, "retention.bad"],
      [8, "retention.worse"],
      [10, "retention.empty"],
    ],
  );
});

test("a webhook has a name of its own, and one with a fault gets nothing", () => {
  const { config, faults } = read(`[webhook.chat]
url = "https://hooks.example.org/x"
shape = "slack"
[webhook.phone]
url = "ntfy.example.org/secret"
[webhook.none]
shape = "ntfy"
`);
  assert.deepEqual(config.webhook, [
    { name: "chat", url: "https://hooks.example.org/x", shape: "slack", tokenFile: "" },
  ]);
  assert.deepEqual(
    faults.map((fault) => [fault.line, fault.key]),
    [
      [5, "webhook.phone.url"],
      [4, "webhook.phone"],
      [6, "webhook.none"],
    ],
  );
  assert.match(faults[0]!.message, /wants an address of http or https/);
  assert.doesNotMatch(faults.map(formatFault).join(), /secret/);
  assert.match(faults[2]!.mend, /url = /);
  assert.match(read("[webhok.x]\n").faults[0]!.mend, /\[webhook\.NAME\]/);
});

test("no value of any type breaks the reader, and a refused one leaves the default, or the good items of its list", () => {
  const value = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.array(fc.string()),
    fc.object(),
  );
  fc.assert(
    fc.property(fc.constantFrom(...KEYS), value, (key, found) => {
      const [section, name] = key.name.split(".") as [string, string];
      const { config, faults } = parseConfig("t.toml", "", { [section]: { [name]: found } });
      if (faults.length === 0) return;
      if (faults[0]!.consequence !== "the rest of the list holds") {
        assert.deepEqual(config, defaultConfig());
        return;
      }
      const held = (config as unknown as Record<string, Record<string, unknown[]>>)[section]![name]!;
      const isGood = (item: unknown) =>
        parseConfig("t.toml", "", { [section]: { [name]: [item] } }).faults.length === 0;
      assert.deepEqual(held, (found as unknown[]).filter(isGood));
      assert.ok(held.length > 0 && held.length < (found as unknown[]).length);
    }),
  );
});

test("the allow list takes addresses, networks and names, and says what it cannot take", () => {
  const allow = ["192.0.2.7", "2001:db8::/32", "gw.example.org"];
  const good = read(`[respond]\nallow = ${JSON.stringify(allow)}\n`);
  assert.deepEqual([good.faults, good.config.respond.allow], [[], allow]);
  for (const bad of ["192.0.2.256", "10.0.0.0/33", "a b", "$(id)", ""]) {
    const { faults, config } = read(`[respond]\nallow = ["192.0.2.7", ${JSON.stringify(bad)}]\n`);
    assert.match(formatFault(faults[0]!), /wants addresses, networks or host names, found /);
    assert.deepEqual(config.respond.allow, ["192.0.2.7"]);
  }
});

test("one bad item of a list costs itself; a list of nothing else costs the key", () => {
  const { faults, config, places } = read(
    '[sentry]\ntripwire_ports = [23, 99999, "telnet", 3389]\nignore = ["192.0.2.1", "192.0.2.300"]\nexclude_ports = ["x"]\n',
  );
  assert.deepEqual(config.sentry.tripwire_ports, [23, 3389]);
  assert.deepEqual(config.sentry.ignore, ["192.0.2.1"]);
  assert.deepEqual(config.sentry.exclude_ports, defaultConfig().sentry.exclude_ports);
  assert.deepEqual(
    faults.map(({ line, message, consequence }) => `${line}: ${message}; ${consequence}`),
    [
      '2: wants ports from 1 to 65535, found 99999, "telnet"; the rest of the list holds',
      '3: wants addresses or networks, found "192.0.2.300"; the rest of the list holds',
      '4: wants ports from 1 to 65535, found "x"; the default [] is used',
    ],
  );
  // What `telltale config` says to hold.
  assert.deepEqual(places.get("sentry.tripwire_ports")!.at(-1)!.written, [23, 3389]);
  const bare = read('[respond]\nallow = "192.0.2.7"\n[sentry]\ntripwire_ports = 23\nignore = "gw"\n');
  assert.deepEqual(
    bare.faults.map(({ mend }) => mend),
    [
      'write ["192.0.2.7"]',
      "write [23]",
      'write addresses and networks: ["192.0.2.7", "2001:db8::/32"]; names are not looked up',
    ],
  );
});

test("the example file is the table of keys, and gives the defaults when every line of it is used", () => {
  const example = readFileSync("docs/telltale.toml.example", "utf8");
  assert.equal(example, renderExample(), "run: node scripts/generate-docs.ts");
  const [keys, groups] = [example.split("# [webhook.NAME]")[0], example] as [string, string];
  for (const key of ["# max_bytes = ", "# token_file = "]) assert.ok(groups.includes(key));
  const { config, faults } = read(keys.replace(/^# ([a-z_]+ = )/gm, "$1"));
  assert.deepEqual(faults, []);
  assert.deepEqual(config, defaultConfig());
});

test("a missing file is no fault unless it was asked for; broken syntax names its line", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale-config-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const file = join(dir, "telltale.toml");
  assert.deepEqual(readConfig(file, false).faults, []);
  assert.match(formatFault(readConfig(file, true).faults[0]!), /does not exist/);
  writeFileSync(file, '[respond]\nmode = "block\n');
  const { faults, broken } = readConfig(file, false);
  assert.equal(broken, true);
  assert.equal(faults[0]!.line, 2);
  assert.match(formatFault(faults[0]!), /telltale\.toml:2: .*nothing is blocked/);
});

test("the manual's page on configuration is the table of keys", () => {
  const page = readFileSync("docs/manual/configuration.md", "utf8");
  assert.equal(page, renderManual(), "run: node scripts/generate-docs.ts");
});
