import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";

const TELLTALE = join(import.meta.dirname, "../../../bin/telltale");

function run(args: readonly string[]): Promise<{ status: number | null; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(TELLTALE, args, { stdio: ["ignore", "ignore", "pipe"] });
    let stderr = "";
    child.stderr.on("data", (part) => (stderr += part));
    child.on("error", reject).on("close", (status) => resolve({ status, stderr }));
  });
}

test("a test goes out by every way, and says which of them does not work", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale-report-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const posts: string[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      posts.push(`${request.url} ${body}`);
      response.writeHead(request.url === "/gone" ? 410 : 200).end("so it is");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const config = join(dir, "telltale.toml");
  const base = `[report]\nvia = "file"\nfile = "${dir}/copy.txt"\n[store]\ndirectory = "${dir}/state"\n[webhook.chat]\nurl = "${at}/chat"\nshape = "slack"\n`;
  writeFileSync(config, base);
  const fine = await run(["report", "--test", "--config", config]);
  assert.equal(fine.status, 0, fine.stderr);
  assert.match(fine.stderr, /^sent by file .*copy\.txt: .* test of telltale's reports$/m);
  assert.match(fine.stderr, /^sent by webhook chat at http:\/\/127\.0\.0\.1:\d+ \(slack\): /m);
  assert.match(readFileSync(join(dir, "copy.txt"), "utf8"), /This is a test of the way that reports take/);
  assert.match(posts[0]!, /^\/chat .*This is a test/);

  writeFileSync(config, `${base}[webhook.gone]\nurl = "${at}/gone"\n`);
  const broken = await run(["report", "--test", "--config", config]);
  assert.equal(broken.status, 1);
  assert.match(broken.stderr, /webhook gone at \S+ \(generic\): .* answered 410: so it is\n {4}mend: check/);
  assert.equal(posts.length, 3, "the others got theirs");
  assert.ok(!existsSync(join(dir, "state/spool")), "nothing waits");
});
