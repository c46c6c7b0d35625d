import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { gunzipSync } from "node:zlib";
import type { Event } from "../core/events.ts";
import { deliver } from "./deliver.ts";
import { busyHour, collector, line, scan, stamped } from "./fixtures/events.ts";
import { mailer, scratch } from "./fixtures/mail.ts";
import { composeReport } from "./message.ts";
import type { DigestInput } from "./types.ts";

process.env["TZ"] = "UTC";

function input(events: readonly Event[], more: Partial<DigestInput> = {}): DigestInput {
  return {
    host: "web1",
    from: new Date("2026-11-22T19:00:00Z"),
    to: new Date("2026-11-22T20:00:00Z"),
    mode: "block",
    events,
    blocksInForce: [],
    pid: 812,
    ...more,
  };
}

test("says nothing when there is nothing to say, unless a sign of life is wanted", () => {
  assert.equal(composeReport(input([])), null);
  assert.match(composeReport(input([]), { evenIfQuiet: true })!.subject, /all quiet$/);
});

test("attaches the chart that the HTML shows, and only when there is something to draw", () => {
  const busy = composeReport(input(busyHour()))!;
  const chart = busy.attachments!.find((each) => each.type === "image/png")!;
  assert.ok(busy.html!.includes(`src="cid:${chart.cid}"`));
  assert.ok(chart.content.length < 5_000);
  const calm = composeReport(input([stamped(line("system", "x"))]))!;
  assert.deepEqual(calm.attachments, []);
  assert.doesNotMatch(calm.html!, /<img/);
});

test("attaches every folded line in full, compressed", () => {
  const busy = composeReport(input(busyHour()))!;
  const full = busy.attachments!.find((each) => each.type === "application/gzip")!;
  assert.equal(full.name, "telltale-web1-2026-11-22-20-00.txt.gz");
  const text = gunzipSync(full.content).toString("utf8");
  assert.equal(text.match(/Failed password for root/g)?.length, 312);
});

test("attaches nothing that the mail already says", () => {
  const message = composeReport(input([stamped(line("system", "one")), stamped(line("system", "two"))]))!;
  assert.deepEqual(message.attachments, []);
});

test("bounds what it attaches, also when the text does not shrink", () => {
  const events = Array.from({ length: 4_000 }, () =>
    stamped(line("system", randomBytes(3_000).toString("base64"))),
  );
  const message = composeReport(input(events))!;
  const [full] = message.attachments!;
  assert.ok(full!.content.length <= 3_000_000);
  assert.match(gunzipSync(full!.content).toString("latin1"), /more events not attached/);
  assert.ok(message.text.length < 200_000);
});

test("writes out unsafe characters in the attached text too", () => {
  const events = [1, 2, 3, 4].map((i) => stamped(line("system", `x\x1b[2J\r\nroot: forged ${i}`)));
  const [full] = composeReport(
    input([...events, stamped(scan("192.0.2.7", [1], { reason: "\x1b]0;x\x07" }))]),
  )!.attachments!.filter((each) => each.type === "application/gzip");
  assert.doesNotMatch(gunzipSync(full!.content).toString("utf8"), /[\x00-\x09\x0b-\x1f]|^root: forged/m);
});

test("a host's strange name leaves no trace in the file name", () => {
  const events = [1, 2, 3, 4].map((i) => stamped(line("system", `x ${i}`)));
  const [full] = composeReport(input(events, { host: '../../etc/"x"\r\n' }))!.attachments!;
  assert.match(full!.name, /^telltale-[\w.-]+\.txt\.gz$/);
});

test("a real exim delivers the whole mail, and a real MIME reader finds its parts", async (t) => {
  if (!existsSync("/usr/sbin/exim4")) return t.skip("needs exim4: apt install exim4-daemon-light");
  if (process.getuid!() !== 0) return t.skip("needs root: exim reads a configuration of our own only then");
  using place = scratch();
  for (const name of ["spool", "mail"]) mkdirSync(join(place.dir, name));
  // Exim never delivers as root; `nobody` must reach the mailbox.
  chmodSync(place.dir, 0o711);
  chmodSync(join(place.dir, "mail"), 0o777);
  writeFileSync(join(place.dir, "exim.conf"), eximConfiguration(place.dir));
  const command = mailer(place.dir, `exec /usr/sbin/exim4 -C ${place.dir}/exim.conf -odf "$@"`);
  const { emit, said } = collector();
  const message = composeReport(
    input([...busyHour(), stamped(line("system", `${"é long ".repeat(400)}\n.\n~!id`))]),
  )!;
  await deliver(message, [{ via: "sendmail", to: "root", command }], emit);
  assert.deepEqual(
    said.map((each) => each.type),
    ["report.delivered"],
    JSON.stringify(said),
  );
  assert.deepEqual(readdirSync(join(place.dir, "mail")), ["root"]);
  const parts = readByPython(join(place.dir, "mail", "root"));
  if (parts === null) return t.skip("needs python3: apt install python3");
  assert.equal(parts.subject, message.subject);
  assert.equal(parts.defects, 0);
  assert.deepEqual(parts.types, ["text/plain", "text/html", "image/png", "application/gzip"]);
  assert.equal(parts.text.trimEnd(), message.text.trimEnd());
  for (const each of readFileSync(join(place.dir, "mail", "root"), "latin1").split("\n"))
    assert.ok(each.length <= 998);
  return undefined;
});

type Parts = { subject: string; types: string[]; text: string; defects: number };

// Python's own parser (RFC 5322, MIME) as an independent reader.
function readByPython(path: string): Parts | null {
  const script = `
import email, email.policy, json, sys
m = email.message_from_binary_file(open(sys.argv[1], "rb"), policy=email.policy.default)
leaves = [p for p in m.walk() if not p.is_multipart()]
print(json.dumps({"subject": m["Subject"], "types": [p.get_content_type() for p in leaves],
  "text": leaves[0].get_content(), "defects": sum(len(p.defects) for p in m.walk())}))`;
  try {
    return JSON.parse(execFileSync("python3", ["-c", script, path], { encoding: "utf8" })) as Parts;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

// An exim that knows one domain, itself, and delivers into files of the scratch directory.
function eximConfiguration(dir: string): string {
  return `primary_hostname = web1
spool_directory = ${dir}/spool
log_file_path = ${dir}/spool/log-%s
exim_user = root
exim_group = root
never_users =
keep_environment =
begin routers
here:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  file = ${dir}/mail/root
  user = nobody
  group = nogroup
  delivery_date_add
begin retry
* * F,1m,1m
`;
}
