// Whoever asks for the places alone gets those that the whole configuration names, whatever stands in its files.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import fc from "fast-check";
import { CONTROL_SOCKET, gatherPlaces, placesOf } from "./places.ts";
import { gatherSettings } from "./settings.ts";

const RUNS = Number(process.env["TELLTALE_RUNS"] ?? 60);

const value = fc.constantFrom('"/srv/a"', '"/srv/b"', '""', "7", "true", '["/srv/c"]', "{ x = 1 }", "/srv/d");
const line = fc
  .constantFrom("directory", "control_socket", "keep", '"direct\\u006fry"')
  .chain((key) => value.map((written) => `${key} = ${written}`));
const section = fc
  .tuple(fc.constantFrom("store", "guard", "guard.x", "respond", "[store]"), fc.array(line, { maxLength: 2 }))
  .map(([name, lines]) => [`[${name}]`, ...lines].join("\n"));
const text = fc.oneof(
  fc.array(section, { maxLength: 3 }).map((sections) => sections.join("\n")),
  fc.constantFrom("store = 1", 'guard.control_socket = "/srv/e"', "[store", ""),
);

test("the places are those of the whole configuration, whatever its files say", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale-places-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, "telltale.toml");
  const check = (main: string | null, dropIns: readonly string[]): void => {
    rmSync(file, { force: true });
    rmSync(join(dir, "telltale.d"), { recursive: true, force: true });
    mkdirSync(join(dir, "telltale.d"));
    if (main !== null) writeFileSync(file, main);
    for (const [n, written] of dropIns.entries())
      writeFileSync(join(dir, "telltale.d", `${n}.toml`), written);
    const { storeDirectory, controlSocket, isNamed } = gatherSettings(file);
    assert.deepEqual(gatherPlaces(file), { storeDirectory, controlSocket, isNamed });
  };
  fc.assert(fc.property(fc.option(text), fc.array(text, { maxLength: 3 }), check), { numRuns: RUNS });
});

test("the socket follows the directory unless it is named itself", () => {
  assert.equal(placesOf("/srv/x", "").controlSocket, "/srv/x/control.sock");
  assert.equal(placesOf("/srv/x", "/run/y.sock").controlSocket, "/run/y.sock");
  assert.equal(placesOf("/var/lib/telltale", "").controlSocket, CONTROL_SOCKET);
});
