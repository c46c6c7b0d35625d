import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { parsePrefix } from "../../core/address.ts";
import { commandBackend } from "./command.ts";

const block = (target: string) => ({ do: "block" as const, target: parsePrefix(target)!, forMs: 60_000 });
const lift = (target: string) => ({ do: "lift" as const, target: parsePrefix(target)! });

function notebook(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "tt-command-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "notes");
}

const SCRIPT =
  'printf "%s %s %s %s %s\\n" "$TELLTALE_ACTION" "$TELLTALE_TARGET" "$TELLTALE_FAMILY" "$TELLTALE_BITS" "$2" >> "$1"';

test("the command is told by arguments and environment, once for each block and lift", async (t) => {
  const notes = notebook(t);
  const argv = ["/bin/sh", "-c", SCRIPT, "sh", notes, "to {target} of {address}"];
  const backend = commandBackend({ block: { argv }, lift: { argv } });
  assert.deepEqual(
    (await backend.apply([block("192.0.2.1")])).map(({ why }) => why),
    [null],
  );
  await backend.apply([block("192.0.2.1"), block("2001:db8::/64")]);
  await backend.apply([lift("192.0.2.1")]);
  assert.deepEqual(readFileSync(notes, "utf8").trim().split("\n"), [
    "block 192.0.2.1 4 32 to 192.0.2.1 of 192.0.2.1",
    "block 2001:db8::/64 6 64 to 2001:db8::/64 of 2001:db8::",
    "lift 192.0.2.1 4 32 to 192.0.2.1 of 192.0.2.1",
  ]);
  assert.deepEqual(
    (await backend.held()).map(({ target }) => target.base),
    ["2001:db8::"],
  );
});

test("what another process blocked or lifted is lifted and blocked like one's own", async (t) => {
  const notes = notebook(t);
  const argv = ["/bin/sh", "-c", SCRIPT, "sh", notes, "-"];
  const backend = commandBackend({ block: { argv }, lift: { argv } });
  assert.equal((await backend.apply([lift("192.0.2.9")]))[0]!.why, null);
  await backend.apply([block("192.0.2.1")]);
  await backend.pardon([parsePrefix("192.0.2.1")!]);
  await backend.apply([block("192.0.2.1")]);
  assert.deepEqual(readFileSync(notes, "utf8").match(/^\w+ [0-9.]+/gm), [
    "lift 192.0.2.9",
    "block 192.0.2.1",
    "block 192.0.2.1",
  ]);
});

test("metacharacters in an argument list stay what they are", async (t) => {
  const notes = notebook(t);
  const nasty = "$(touch /tmp/tt-owned); `id` | \"'\\ {target}";
  await commandBackend({ block: { argv: ["/bin/sh", "-c", SCRIPT, "sh", notes, nasty] } }).apply([
    block("192.0.2.1"),
  ]);
  assert.equal(
    readFileSync(notes, "utf8"),
    `block 192.0.2.1 4 32 ${nasty.replace("{target}", "192.0.2.1")}\n`,
  );
});

test("a shell string runs in a shell because the administrator wrote one, with the target put in", async (t) => {
  const notes = notebook(t);
  const backend = commandBackend({ block: { shell: `echo add -host $TARGET$ reject >> '${notes}'` } });
  assert.equal((await backend.apply([block("192.0.2.1")]))[0]!.why, null);
  assert.equal(readFileSync(notes, "utf8"), "add -host 192.0.2.1 reject\n");
});

test("a command that fails, is missing or hangs has not blocked, and the next is tried all the same", async () => {
  const results = async (argv: string[]) =>
    (await commandBackend({ block: { argv }, timeoutMs: 200 }).apply([block("192.0.2.1")]))[0]!;
  assert.match(
    (await results(["/bin/sh", "-c", "echo no such chain >&2; exit 3"])).why!,
    /ended with 3: no such chain/,
  );
  assert.match((await results(["/nonexistent/ban"])).why!, /ENOENT/);
  assert.match((await results(["/bin/sleep", "60"])).why!, /was ended after 200 ms/);
  assert.match((await results([])).why!, /empty/);
  const some = commandBackend({ block: { argv: ["/bin/sh", "-c", '[ "$TELLTALE_ADDRESS" != 192.0.2.1 ]'] } });
  const both = await some.apply([block("192.0.2.1"), block("192.0.2.2")]);
  assert.deepEqual(
    both.map(({ why }) => why === null),
    [false, true],
  );
  assert.match((await some.apply([lift("192.0.2.2")]))[0]!.why!, /no command is configured that lifts/);
});
