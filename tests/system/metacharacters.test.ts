// Words that a shell would obey, wherever a stranger or a mistake could put them: in the name of an address, in the arguments of
// a command, in PortSentry's KILL strings. Check that the administrator's own command is run as it was written, and nothing else.
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { startGuard } from "./guard-process.ts";
import { type Lab, labObstacle, makeLab, TELLTALE } from "./lab.ts";
import { synScan } from "./nmap.ts";
import { withListener } from "./split.ts";
import { waitFor } from "./wait.ts";

const skip = labObstacle("nmap") ?? false;

type Scene = {
  readonly lab: Lab;
  /** Exists once somebody has obeyed. */
  readonly bait: string;
  readonly binds: readonly (readonly [string, string])[];
  [Symbol.dispose](): void;
};

/** A lab with a stranger, and a name server that is in league with it. */
async function makeScene(): Promise<Scene> {
  const lab = makeLab(["stranger", "names"]);
  const [{ v4 }, names] = [lab.clients[0]!, lab.clients[1]!];
  const bait = join(lab.dir, "bait");
  const resolvers = join(lab.dir, "resolv.conf");
  writeFileSync(resolvers, `nameserver ${names.v4}\n`);
  const words = [`$(touch ${bait})`, `;touch ${bait};`, `\`touch ${bait}\``, "example"];
  const script = join(import.meta.dirname, "hostile-names.ts");
  const server = lab.start("names", [process.execPath, script, v4, ...words]);
  let said = "";
  for (const stream of [server.stdout!, server.stderr!])
    stream.on("data", (chunk: Buffer) => void (said += chunk.toString()));
  await waitFor("the name server", () => said.includes("ready")).catch((error: Error) => {
    lab[Symbol.dispose]();
    throw new Error(`${error.message}: ${said}`);
  });
  const binds = [[resolvers, "/etc/resolv.conf"] as const, ...withListener(lab).binds];
  return { lab, bait, binds, [Symbol.dispose]: () => lab[Symbol.dispose]() };
}

test("the guard's own command gets its arguments as they were written, and names are no commands", {
  skip,
}, async () => {
  using it = await makeScene();
  const { lab, bait, binds } = it;
  const { host4, v4 } = lab.clients[0]!;
  const notes = join(lab.dir, "notes");
  const firewall = join(lab.dir, "firewall");
  writeFileSync(
    firewall,
    `#!/bin/sh\n{ printf '%s\\n' "$@"; env | grep ^TELLTALE_ | sort; } >>${notes}.new\nmv ${notes}.new ${notes}.$1\n`,
    { mode: 0o755 },
  );
  const nasty = [
    `$(touch ${bait})`,
    `\`touch ${bait}\``,
    `; touch ${bait} #`,
    `{target}; touch ${bait}`,
    `| touch ${bait}`,
    `> ${bait}`,
    "'\"\\ *",
  ];
  const config = join(lab.dir, "telltale.toml");
  const write = (allow: readonly string[]) =>
    writeFileSync(
      config,
      `[store]\ndirectory = "${lab.dir}/state"\n[rotate]\nenabled = false\n[check]\nenabled = false\n[report]\nvia = "none"
[respond]\nallow = ${JSON.stringify(allow)}\nbackend = "command"
block_command = ${JSON.stringify([firewall, "block", "{target}", ...nasty])}
lift_command = ${JSON.stringify([firewall, "lift", "{target}", ...nasty])}\n`,
    );
  const telltale = (...args: string[]) => lab.run("host", [TELLTALE, ...args, "--config", config], { binds });

  // A name that is none is refused before anybody asks for it.
  for (const name of [`$(touch ${bait}).example.org`, `office.example.org; touch ${bait}`]) {
    write([name]);
    const { status, stdout, stderr } = telltale("config", "check");
    assert.equal(status, 1);
    assert.ok(
      (stdout + stderr).includes(`respond.allow: wants addresses, networks or host names, found "${name}"`),
    );
  }

  // The office is called by the words, and leads to the stranger; its address counts, and the words do nothing.
  write(["office.example.org"]);
  const guarded = telltale("guardrails");
  assert.match(guarded.stdout, new RegExp(`^${v4.replaceAll(".", "\\.")}\\b.*office\\.example\\.org`, "m"));
  assert.ok(!existsSync(bait));

  write([]);
  const guard = await startGuard(lab, ["--block", "--config", config], { binds });
  lab.run("stranger", synScan(host4, "1-100", "3s"));
  await guard.until("block.applied", ({ target }) => target === v4);
  const expected = (action: string) =>
    `${[action, v4, ...nasty.map((word) => word.replace("{target}", v4))].join("\n")}
TELLTALE_ACTION=${action}\nTELLTALE_ADDRESS=${v4}\nTELLTALE_BITS=32\nTELLTALE_FAMILY=4\nTELLTALE_TARGET=${v4}\n`;
  assert.equal(readFileSync(`${notes}.block`, "utf8"), expected("block"));
  assert.equal(telltale("unblock", v4).status, 0);
  assert.equal(readFileSync(`${notes}.lift`, "utf8"), expected("lift"));
  assert.equal((await guard.stop()).status, 0);
  assert.ok(!existsSync(bait));
});

test("PortSentry's KILL strings are run as they were written, with an address and a port put in, whatever a scanner is called", {
  skip,
}, async () => {
  using it = await makeScene();
  const { lab, bait, binds } = it;
  const { host4, v4 } = lab.clients[0]!;
  const notes = join(lab.dir, "notes");
  const deny = join(lab.dir, "hosts.deny");
  writeFileSync(deny, "");
  // What the administrator quoted stays quoted, and what was meant for the shell is the shell's.
  const own = `{ printf '%s\\n' '$(no) ; \`no\` | \\no'; for word in '$TARGET$' '$PORT$' '$MODE$'; do echo $word; done; } >> ${notes}`;
  const config = join(lab.dir, "portsentry.conf");
  writeFileSync(
    config,
    `TCP_PORTS="1,11"\nUDP_PORTS="1"\nRESOLVE_HOST="1"\nBLOCK_TCP="1"\nBLOCK_UDP="1"
HISTORY_FILE="${lab.dir}/history"\nBLOCKED_FILE="${lab.dir}/blocked"
KILL_ROUTE="${own}"\nKILL_HOSTS_DENY="ALL: $TARGET$"\nKILL_RUN_CMD="${own}"\n`,
  );
  const face = lab.start("host", [TELLTALE, "portsentry", "-c", config, "--stealth"], {
    binds: [[deny, "/etc/hosts.deny"], ...binds],
  });
  let said = "";
  for (const stream of [face.stdout!, face.stderr!])
    stream.on("data", (chunk: Buffer) => void (said += chunk.toString()));
  await waitFor("the face to listen", () => said.includes("is now active and listening"));
  lab.run("stranger", synScan(host4, "11"));
  const line = await waitFor("the line about the scan", () => /^Scan from: .*$/m.exec(said)?.[0]);
  const once = `$(no) ; \`no\` | \\no\n${v4}\n11\nstealth\n`;
  await waitFor("the history", () => existsSync(join(lab.dir, "history")));
  face.kill("SIGTERM");
  await waitFor("its end", () => face.exitCode !== null || face.signalCode !== null);
  assert.ok(existsSync(notes), said);
  assert.equal(readFileSync(notes, "utf8"), once + once, said);
  assert.equal(readFileSync(deny, "utf8"), `ALL: ${v4}\n`);
  assert.match(line, new RegExp(`^Scan from: \\[${v4.replaceAll(".", "\\.")}\\] \\(.*\\) protocol: `));
  assert.match(readFileSync(join(lab.dir, "history"), "utf8"), /^[^\n]*Scan from: [^\n]*\n$/);
  assert.ok(!existsSync(bait), said);
});
