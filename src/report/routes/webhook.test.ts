import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import test from "node:test";
import fc from "fast-check";
import { HOSTILE } from "../fixtures/events.ts";
import { MESSAGE } from "../fixtures/mail.ts";
import type { WebhookShape } from "../types.ts";
import type { DeliveryError } from "./refusal.ts";
import { webhookCall } from "./webhook/render.ts";
import { sendByWebhook, webhookPlace } from "./webhook.ts";

type Post = { path: string; headers: IncomingHttpHeaders; body: Record<string, unknown> };

async function endpoint(answer: (response: ServerResponse) => void) {
  const posts: Post[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const body = JSON.parse(Buffer.concat(parts).toString("utf8"));
      posts.push({ path: request.url!, headers: request.headers, body });
      answer(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    posts,
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const ok = (response: ServerResponse) => response.writeHead(200).end("ok");
const parsed = (text: string, shape: WebhookShape, url = "https://ntfy.example/topic") =>
  JSON.parse(webhookCall({ ...MESSAGE, text, subject: text }, shape, url).body) as Record<string, unknown>;

test("posts JSON in the generic shape", async () => {
  await using there = await endpoint(ok);
  await sendByWebhook(MESSAGE, {
    via: "webhook",
    url: `${there.url}/hook?x=1`,
    shape: "generic",
    token: "t0ken",
  });
  const [post] = there.posts;
  assert.equal(post!.path, "/hook?x=1");
  assert.equal(post!.headers.authorization, "Bearer t0ken");
  assert.deepEqual(post!.body, { v: 1, ...MESSAGE, urgent: false });
});

test("posts to ntfy's root with the topic of the address", async () => {
  await using there = await endpoint(ok);
  await sendByWebhook(
    { ...MESSAGE, urgent: true },
    { via: "webhook", url: `${there.url}/sub/alerts`, shape: "ntfy" },
  );
  const [post] = there.posts;
  assert.equal(post!.path, "/sub/");
  assert.equal(post!.body["topic"], "alerts");
  assert.equal(post!.body["priority"], 4);
});

test("keeps ntfy's message within what is not turned into a file", () => {
  const { message } = parsed("é€😀".repeat(3_000), "ntfy");
  assert.ok(Buffer.byteLength(message as string) <= 4_096);
  assert.doesNotMatch(message as string, /\ufffd/);
});

test("lets log text ping nobody and end no code block", () => {
  fc.assert(
    fc.property(fc.oneof(fc.constantFrom(...HOSTILE), fc.string()), (text) => {
      const slack = parsed(text, "slack")["text"] as string;
      assert.doesNotMatch(slack, /[<>]/);
      for (const shape of ["slack", "mattermost"] as const) {
        const body = parsed(text, shape)["text"] as string;
        const inside = body.slice(body.indexOf("```\n") + 4, body.lastIndexOf("\n```"));
        assert.doesNotMatch(inside, /```/);
      }
      const [heading] = (parsed(text, "mattermost")["text"] as string).split("\n```\n");
      assert.match(heading!, /^`[^`\n]*`$/);
    }),
  );
});

test("tells refused for good from refused for now, and quotes the answer", async () => {
  for (const [status, worthRetrying] of [
    [404, false],
    [429, true],
    [503, true],
  ] as const) {
    await using there = await endpoint((response) => response.writeHead(status).end("no\nsuch hook"));
    await assert.rejects(
      sendByWebhook(MESSAGE, { via: "webhook", url: there.url, shape: "slack" }),
      (error: DeliveryError) => {
        assert.match(error.message, new RegExp(`answered ${status}: no such hook$`));
        assert.equal(error.worthRetrying, worthRetrying);
        return true;
      },
    );
  }
});

test("follows no redirect and shows no secret of the address", async () => {
  await using elsewhere = await endpoint(ok);
  await using there = await endpoint((response) =>
    response.writeHead(307, { Location: elsewhere.url }).end(),
  );
  const url = `${there.url}/services/T000/B000/s3cret`;
  await assert.rejects(
    sendByWebhook(MESSAGE, { via: "webhook", url, shape: "slack" }),
    (error: DeliveryError) => {
      assert.match(error.message, /answered 307/);
      assert.doesNotMatch(error.message + error.mend, /s3cret/);
      return true;
    },
  );
  assert.equal(elsewhere.posts.length, 0);
  assert.equal(webhookPlace("https://user:pw@hooks.example.org/x/y"), "https://hooks.example.org");
});

test("gives up on an endpoint that hangs, sends without end, or is not there", async () => {
  await using mute = await endpoint(() => {});
  const late = { via: "webhook", url: mute.url, shape: "generic", timeoutMs: 200 } as const;
  await assert.rejects(sendByWebhook(MESSAGE, late), /did not answer in time/);

  await using endless = await endpoint((response) => {
    response.writeHead(500);
    response.write("x".repeat(100_000));
  });
  await assert.rejects(
    sendByWebhook(MESSAGE, { ...late, url: endless.url, timeoutMs: 10_000 }),
    /answered 500: x{300}$/,
  );

  const gone = await endpoint(ok);
  await gone[Symbol.asyncDispose]();
  await assert.rejects(
    sendByWebhook(MESSAGE, { ...late, url: gone.url, timeoutMs: 10_000 }),
    /cannot be reached: ECONNREFUSED/,
  );
});

test("wants an http or https address", async () => {
  for (const url of ["", "file:///etc/passwd", "hooks.example.org", "javascript:alert(1)"]) {
    await assert.rejects(sendByWebhook(MESSAGE, { via: "webhook", url, shape: "generic" }), {
      worthRetrying: false,
    });
  }
});

test("a token never crosses a network in the clear", async () => {
  const route = { via: "webhook", shape: "ntfy", token: "tk_secret" } as const;
  await assert.rejects(
    sendByWebhook(MESSAGE, { ...route, url: "http://192.0.2.1/topic" }),
    (error: DeliveryError) => {
      assert.match(error.message, /^http:\/\/192\.0\.2\.1 would get its token in the clear$/);
      assert.match(error.mend, /https/);
      assert.doesNotMatch(`${error.message}${error.mend}`, /tk_secret/);
      return !error.worthRetrying;
    },
  );
  await using there = await endpoint(ok);
  await sendByWebhook(MESSAGE, { ...route, url: `${there.url}/topic` });
  assert.equal(there.posts.length, 1);
});
