// An open file goes from hand to hand.
import assert from "node:assert/strict";
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { SystemCallError } from "../core/errors.ts";
import { closeDescriptor, descriptorChannel, receiveDescriptor, sendDescriptor } from "./descriptors.ts";

test("a descriptor that was handed over reads the same file, in the order of sending", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale-fd-"));
  const [here, there] = descriptorChannel();
  t.after(() => {
    closeDescriptor(here);
    closeDescriptor(there);
    rmSync(dir, { recursive: true });
  });
  assert.equal(receiveDescriptor(there), null, "nothing was sent yet");
  for (const name of ["one", "two"]) {
    writeFileSync(join(dir, name), name);
    const fd = openSync(join(dir, name), "r");
    sendDescriptor(here, fd);
    closeSync(fd);
  }
  for (const name of ["one", "two"]) {
    const fd = receiveDescriptor(there)!;
    assert.equal(readFileSync(fd, "utf8"), name);
    // FD_CLOEXEC, octal 02000000 in fdinfo
    assert.match(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"), /^flags:\t02[0-7]{6}$/m);
    closeSync(fd);
  }
  assert.equal(receiveDescriptor(there), null);
});

test("a side that has gone and one that reads nothing are errors by name, and nothing waits", () => {
  const [here, there] = descriptorChannel();
  const file = openSync("/dev/null", "r");
  assert.throws(
    () => {
      for (;;) sendDescriptor(here, file);
    },
    (error) => error instanceof SystemCallError && error.code === "EAGAIN",
  );
  closeDescriptor(there);
  assert.throws(
    () => sendDescriptor(here, file),
    (error) => error instanceof SystemCallError && /^(EPIPE|ECONNRESET)$/.test(error.code),
  );
  closeDescriptor(here);
  assert.ok(fstatSync(file).isCharacterDevice(), "the sender's own copy stays");
  closeSync(file);
});
