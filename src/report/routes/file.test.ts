import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { MESSAGE, scratch } from "../fixtures/mail.ts";
import { appendToFile } from "./file.ts";
import type { DeliveryError } from "./refusal.ts";

test("appends one report behind the other, for the owner only", async () => {
  using place = scratch();
  const path = join(place.dir, "reports");
  await appendToFile(MESSAGE, { via: "file", path });
  await appendToFile({ ...MESSAGE, subject: "second" }, { via: "file", path });
  const text = readFileSync(path, "utf8");
  assert.ok(text.startsWith(`${MESSAGE.subject}\n\nfirst line\n`));
  assert.match(text, /\nlast line\n\nsecond\n\nfirst line\n/);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("follows no link that somebody put there", async () => {
  using place = scratch();
  const victim = join(place.dir, "victim");
  symlinkSync(victim, join(place.dir, "reports"));
  await assert.rejects(
    appendToFile(MESSAGE, { via: "file", path: join(place.dir, "reports") }),
    (error: DeliveryError) => {
      assert.match(error.mend, /symbolic link/);
      return true;
    },
  );
  assert.ok(!existsSync(victim));
});

test("waits for no pipe and writes to no device", async () => {
  using place = scratch();
  const pipe = join(place.dir, "pipe");
  execFileSync("mkfifo", [pipe]);
  await assert.rejects(appendToFile(MESSAGE, { via: "file", path: pipe }), /ENXIO/);
  await assert.rejects(appendToFile(MESSAGE, { via: "file", path: "/dev/null" }), /no plain file/);
});

test("names a missing directory and a full disk", async () => {
  using place = scratch();
  await assert.rejects(
    appendToFile(MESSAGE, { via: "file", path: join(place.dir, "no", "reports") }),
    (error: DeliveryError) => {
      assert.match(error.mend, /make the directory/);
      return error.worthRetrying;
    },
  );
});
