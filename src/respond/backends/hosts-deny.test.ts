import assert from "node:assert/strict";
import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import fc from "fast-check";
import { formatPrefix, parsePrefix } from "../../core/address.ts";
import { backendContract } from "../backend.contract.ts";
import { hostsDenyBackend, readDenied, writeDenied } from "./hosts-deny.ts";

const folder = (t: TestContext) => {
  const path = mkdtempSync(join(tmpdir(), "tt-deny-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
};

backendContract({
  backend: "hosts.deny",
  stopsPackets: false,
  countsPackets: false,
  expires: false,
  outlivesProcess: true,
  networks: true,
  args: (t) => [join(folder(t), "hosts.deny")],
});

const block = (target: string) => ({ do: "block" as const, target: parsePrefix(target)!, forMs: 60_000 });
const lift = (target: string) => ({ do: "lift" as const, target: parsePrefix(target)! });

test("only what stands between the marks changes, and with the last block the marks go", async (t) => {
  const path = join(folder(t), "hosts.deny");
  const own = "# /etc/hosts.deny\nsshd: 203.0.113.\nALL: 198.51.100.9";
  writeFileSync(path, own);
  chmodSync(path, 0o640);
  const backend = hostsDenyBackend(path);
  await backend.apply([
    block("192.0.2.1"),
    block("2001:db8::/64"),
    block("192.0.2.64/26"),
    block("192.0.2.1"),
  ]);
  const text = readFileSync(path, "utf8");
  assert.ok(text.startsWith(`${own}\n# telltale begin`));
  assert.match(
    text,
    /\nALL: 192\.0\.2\.1\nALL: \[2001:db8::\]\/64\nALL: 192\.0\.2\.64\/255\.255\.255\.192\n# telltale end\n$/,
  );
  assert.equal(statSync(path).mode & 0o777, 0o640);
  await backend.apply([
    lift("192.0.2.1"),
    lift("2001:db8::/64"),
    lift("192.0.2.64/26"),
    lift("198.51.100.9"),
  ]);
  assert.equal(readFileSync(path, "utf8"), `${own}\n`);
  assert.deepEqual(readdirSync(join(path, "..")), ["hosts.deny"]);
});

test("a link is not followed: what it points to stays as it is, and the block has failed", async (t) => {
  const here = folder(t);
  writeFileSync(join(here, "shadow"), "root:x\n");
  symlinkSync("shadow", join(here, "hosts.deny"));
  const [result] = await hostsDenyBackend(join(here, "hosts.deny")).apply([block("192.0.2.1")]);
  assert.match(result!.why!, /is a link/);
  assert.match(result!.mend, /plain file/);
  assert.equal(readFileSync(join(here, "shadow"), "utf8"), "root:x\n");
  assert.ok(lstatSync(join(here, "hosts.deny")).isSymbolicLink());
});

test("a prepared file under the temporary name is neither followed nor kept", async (t) => {
  const here = folder(t);
  writeFileSync(join(here, "victim"), "precious\n");
  symlinkSync("victim", join(here, `.hosts.deny.telltale-${process.pid}`));
  const [result] = await hostsDenyBackend(join(here, "hosts.deny")).apply([block("192.0.2.1")]);
  assert.equal(result!.why, null);
  assert.equal(readFileSync(join(here, "victim"), "utf8"), "precious\n");
  assert.deepEqual(readdirSync(here).sort(), ["hosts.deny", "victim"]);
});

test("a file that cannot be written is a failure with a mend, not an exception", async () => {
  const [result] = await hostsDenyBackend("/proc/sys/hosts.deny").apply([block("192.0.2.1")]);
  assert.ok(result!.why !== null && result!.mend !== "");
});

test("whatever else the file holds, it comes back byte for byte", () => {
  const prefix = fc
    .tuple(fc.ipV4(), fc.integer({ min: 1, max: 32 }))
    .map(([base, bits]) => parsePrefix(`${base}/${bits}`)!);
  fc.assert(
    fc.property(
      fc.string({ unit: "binary-ascii" }),
      fc.uniqueArray(prefix, { selector: formatPrefix }),
      (text, targets) => {
        fc.pre(!text.includes("telltale"));
        const written = writeDenied(text, targets);
        assert.deepEqual(readDenied(written).map(formatPrefix), targets.map(formatPrefix));
        const back = writeDenied(written, []);
        assert.ok(back === text || back === `${text}\n`);
        assert.equal(writeDenied(written, targets), written);
      },
    ),
    { numRuns: Number(process.env["TELLTALE_RUNS"] ?? 200) },
  );
});
