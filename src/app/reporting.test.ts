import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { routeName } from "../report/deliver.ts";
import { routesOf } from "./reporting.ts";
import { gatherSettings } from "./settings.ts";

test("a report leaves by every way that is configured", (t) => {
  const root = mkdtempSync(join(tmpdir(), "tt-routes-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const routes = (report: string) => {
    const file = join(root, "telltale.toml");
    writeFileSync(file, `[report]\n${report}\n[store]\ndirectory = "${root}"\n`);
    const settings = gatherSettings(file);
    assert.deepEqual(settings.faults, []);
    return routesOf(settings);
  };
  writeFileSync(join(root, "token"), "tk_secret\nmore\n");
  writeFileSync(join(root, "password"), "hunter2\n");
  const [mail, copy, hook, ...others] = routes(
    `via = "smtp"\nsmtp_host = "mx.example"\nsmtp_user = "me"\nsmtp_password_file = "${root}/password"\nfile = "${root}/copy"\n` +
      `webhook = "https://ntfy.example/t"\nwebhook_shape = "ntfy"\nwebhook_token_file = "${root}/token"`,
  );
  assert.equal(others.length, 0);
  assert.deepEqual(mail?.via === "smtp" && mail.auth, { user: "me", pass: "hunter2" });
  assert.deepEqual(copy, { via: "file", path: `${root}/copy` });
  assert.deepEqual(hook, {
    via: "webhook",
    url: "https://ntfy.example/t",
    shape: "ntfy",
    token: "tk_secret",
  });
  // Several webhooks are several routes, each with a name, a shape and a token of its own.
  const named = routes(
    `via = "none"\nwebhook = "https://one.example/x"\n[webhook.chat]\nurl = "https://hooks.example/secret"\nshape = "slack"\n` +
      `[webhook.phone]\nurl = "https://ntfy.example/t"\nshape = "ntfy"\ntoken_file = "${root}/token"`,
  );
  assert.deepEqual(named, [
    { via: "webhook", url: "https://one.example/x", shape: "generic" },
    { via: "webhook", name: "chat", url: "https://hooks.example/secret", shape: "slack" },
    { via: "webhook", name: "phone", url: "https://ntfy.example/t", shape: "ntfy", token: "tk_secret" },
  ]);
  assert.equal(new Set(named.map(routeName)).size, 3);
  assert.deepEqual(routes('via = "none"'), []);
  assert.deepEqual(routes(`via = "file"\nfile = "${root}/only"`), [{ via: "file", path: `${root}/only` }]);
});
