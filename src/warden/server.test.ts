// Both ends of the conversation, over a socket pair: answers find their questions, descriptors theirs, and what is not
// granted is refused without harm to the rest.
import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { closeDescriptor, descriptorChannel } from "../sys/descriptors.ts";
import { Client } from "./client.ts";
import { Conversation, type Handlers, Handover, Refused } from "./server.ts";
import type { News } from "./types.ts";

type Ends = {
  readonly client: Client;
  readonly conversation: Conversation;
  readonly raw: Socket;
  readonly news: News[];
  readonly refused: string[];
  readonly malformed: string[];
  readonly gone: Promise<void>;
};

async function converse(t: TestContext, some: Partial<Handlers>): Promise<Ends> {
  const dir = mkdtempSync(join(tmpdir(), "telltale-warden-"));
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(dir, "channel"), resolve));
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const raw = connect(join(dir, "channel"));
  const channel = await accepted;
  const [here, there] = descriptorChannel();
  const news: News[] = [];
  const refused: string[] = [];
  const malformed: string[] = [];
  const nothing = () => null;
  const handlers: Handlers = {
    hello: nothing,
    ready: nothing,
    capture: nothing,
    touches: nothing,
    log: nothing,
    "report-file": nothing,
    mail: nothing,
    facts: nothing,
    firewall: nothing,
    rotation: nothing,
    stored: nothing,
    reply: nothing,
    heard: nothing,
    pong: nothing,
    ...some,
  };
  const conversation = new Conversation({
    channel,
    descriptors: here,
    handlers,
    onRefused: (ask, why) => refused.push(`${ask}: ${why}`),
    onMalformed: (why) => malformed.push(why),
  });
  let onGone = () => {};
  const gone = new Promise<void>((resolve) => {
    onGone = resolve;
  });
  const client = new Client({ channel: raw, descriptors: there, onNews: (word) => news.push(word), onGone });
  t.after(() => {
    conversation.end();
    raw.destroy();
    server.close();
    closeDescriptor(here);
    closeDescriptor(there);
    rmSync(dir, { recursive: true });
  });
  return { client, conversation, raw, news, refused, malformed, gone };
}

test("descriptors arrive with their answers, however the answers overtake each other", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "telltale-logs-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const { client } = await converse(t, {
    // The first asked is answered last.
    log: async ({ path }) => {
      for (let turns = path.endsWith("0") ? 20 : 1; turns > 0; turns--) await new Promise(setImmediate);
      return new Handover(openSync(path, "r"));
    },
    facts: () => "facts",
  });
  await client.ask({ ask: "hello" });
  const names = Array.from({ length: 10 }, (_, i) => join(dir, `log.${i}`));
  for (const name of names) writeFileSync(name, name);
  const asked = names.map(async (path) => {
    const fd = await client.askDescriptor({ ask: "log", path });
    const text = readFileSync(fd, "utf8");
    closeSync(fd);
    return text;
  });
  assert.equal(await client.ask({ ask: "facts" }), "facts");
  assert.deepEqual(await Promise.all(asked), names);
});

test("what is refused is said to both sides, and the conversation goes on", async (t) => {
  const { client, refused, malformed } = await converse(t, {
    capture: () => {
      throw new Refused("sentry.enabled = false");
    },
    log: () => {
      throw Object.assign(new Error("ENOENT: no such file"), { code: "ENOENT" });
    },
  });
  await client.ask({ ask: "hello" });
  await assert.rejects(client.askDescriptor({ ask: "capture" }), /sentry\.enabled = false/);
  await assert.rejects(client.askDescriptor({ ask: "log", path: "/nothing" }), /ENOENT/);
  assert.deepEqual(refused, ["capture: sentry.enabled = false"], "a file that is gone is nobody's fault");
  assert.equal(await client.ask({ ask: "ready" }), null);
  assert.deepEqual(malformed, []);
});

test("a request out of turn ends it; at the end, one that came too late is only refused", async (t) => {
  const early = await converse(t, {});
  await assert.rejects(early.client.ask({ ask: "facts" }), /has gone/);
  assert.deepEqual(early.malformed, ["facts in stage init"]);
  const late = await converse(t, {});
  await late.client.ask({ ask: "hello" });
  late.conversation.quit("SIGTERM");
  await assert.rejects(late.client.ask({ ask: "facts" }), /is ending/);
  assert.equal(await late.client.ask({ ask: "stored", upTo: 3 }), null);
  assert.deepEqual(late.malformed, []);
  assert.deepEqual(late.news, [{ tell: "quit", because: "SIGTERM" }]);
});

test("whoever asks faster than it is answered is answered all the same, in bounded memory", async (t) => {
  let most = 0;
  let now = 0;
  const { client } = await converse(t, {
    facts: async () => {
      most = Math.max(most, ++now);
      await new Promise(setImmediate);
      now--;
    },
  });
  await client.ask({ ask: "hello" });
  await Promise.all(Array.from({ length: 20_000 }, () => client.ask({ ask: "facts" })));
  // Reading pauses at 64; what one read of 64 kB had brought by then is still taken: some 3,000 of 23 bytes.
  assert.ok(most < 4_000, `${most} at once`);
});

test("when the warden goes, everybody who waits is told", async (t) => {
  const { client, conversation, gone } = await converse(t, { facts: () => new Promise(() => {}) });
  await client.ask({ ask: "hello" });
  const waiting = client.ask({ ask: "facts" });
  conversation.end();
  await assert.rejects(waiting, /has gone/);
  await gone;
  await assert.rejects(client.ask({ ask: "facts" }), /has gone/);
});
