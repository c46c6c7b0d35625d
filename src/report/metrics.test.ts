import assert from "node:assert/strict";
import { request } from "node:http";
import test from "node:test";
import fc from "fast-check";
import { everyType, HOSTILE, line, stamped } from "./fixtures/events.ts";
import { renderMetrics } from "./metrics/render.ts";
import { serveMetrics } from "./metrics/serve.ts";
import { Metrics } from "./metrics.ts";

// The exposition format, line by line, as its description has it.
const SAMPLE =
  /^([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (NaN|[+-]Inf|-?[\d.]+(?:e[+-]?\d+)?)$/;

function read(text: string): Map<string, number> {
  const values = new Map<string, number>();
  assert.ok(text.endsWith("\n"));
  for (const each of text.trimEnd().split("\n")) {
    if (/^# (?:HELP [a-z_]+ .+|TYPE [a-z_]+ (?:counter|gauge))$/.test(each)) continue;
    const hit = SAMPLE.exec(each);
    assert.ok(hit, each);
    assert.ok(!values.has(`${hit[1]}{${hit[2] ?? ""}}`), `${each} stands there twice`);
    values.set(`${hit[1]}{${hit[2] ?? ""}}`, Number(hit[3]));
  }
  return values;
}

test("counts every type of event, and amounts where there are some", () => {
  const metrics = new Metrics();
  for (const event of [...everyType(), ...everyType()]) metrics.observe(event);
  const values = read(renderMetrics(metrics.read({ blocksInForce: 3, reportsWaiting: 0 })));
  for (const { type } of everyType())
    assert.equal(values.get(`telltale_events_total{type="${type}"}`), 2, type);
  assert.equal(values.get('telltale_packets_lost_total{where="ring"}'), 154);
  assert.equal(values.get("telltale_packets_stopped_total{}"), 10_240);
  assert.equal(values.get('telltale_scans_total{shape="vertical",grade="spoofable"}'), 2);
  assert.equal(values.get("telltale_blocks_in_force{}"), 3);
  assert.equal(values.get("telltale_reports_waiting{}"), 0);
});

test("shows which parts work", () => {
  const metrics = new Metrics();
  const failed = { type: "part.failed", part: "sentry", why: "x", mend: "", stillRuns: "" } as const;
  metrics.observe(stamped(failed));
  assert.equal(read(renderMetrics(metrics.read())).get('telltale_part_up{part="sentry"}'), 0);
  metrics.observe(stamped({ type: "part.recovered", part: "sentry", how: "x" }));
  assert.equal(read(renderMetrics(metrics.read())).get('telltale_part_up{part="sentry"}'), 1);
});

test("shows each disk, and how long it lasts", () => {
  const disk = {
    mount: '/srv/"odd"',
    sizeBytes: 1_000,
    freeBytes: 400,
    sizeFiles: 0,
    freeFiles: 0,
    bytesPerDay: 100,
    fullInMs: 345_600_000,
    fullEarliestMs: null,
    fullLatestMs: null,
    history: [],
    worry: null,
    pressing: false,
  } as const;
  const disks = [
    disk,
    { ...disk, mount: "/", sizeFiles: 10, freeFiles: 7, bytesPerDay: -5, fullInMs: null },
    { ...disk, mount: "/new", bytesPerDay: null, fullInMs: null },
  ];
  const text = renderMetrics(new Metrics().read({ disks }));
  const values = read(text);
  const odd = 'mount="/srv/\\"odd\\""';
  assert.equal(values.get(`telltale_disk_size_bytes{${odd}}`), 1_000);
  assert.equal(values.get(`telltale_disk_free_bytes{${odd}}`), 400);
  assert.equal(values.get(`telltale_disk_full_seconds{${odd}}`), 345_600);
  assert.equal(values.get(`telltale_disk_free_inodes{${odd}}`), undefined, "it has no limit of files");
  assert.equal(values.get('telltale_disk_free_inodes{mount="/"}'), 7);
  assert.match(text, /^telltale_disk_full_seconds\{mount="\/"\} \+Inf$/m);
  assert.equal(values.get('telltale_disk_full_seconds{mount="/new"}'), undefined, "too little is known");
});

test("grows by nothing that a stranger writes", () => {
  const metrics = new Metrics();
  metrics.observe(stamped(line("system", "x")));
  const size = renderMetrics(metrics.read()).split("\n").length;
  for (let i = 0; i < 1_000; i++)
    metrics.observe(stamped(line("system", `${i} ${HOSTILE[i % HOSTILE.length]}`)));
  assert.equal(renderMetrics(metrics.read()).split("\n").length, size);
});

test("keeps any label inside its quotes", () => {
  fc.assert(
    fc.property(fc.oneof(fc.constantFrom(...HOSTILE), fc.string()), (text) => {
      const metric = {
        name: "x",
        help: text,
        kind: "gauge",
        values: [{ labels: { a: text }, value: 1 }],
      } as const;
      assert.equal(renderMetrics([metric]).split("\n").length, 4);
    }),
  );
});

test("answers on loopback only, one path, and only by its own names", async () => {
  const server = await serveMetrics(0, async () => "x 1\n");
  try {
    const ask = (path: string, host = `127.0.0.1:${server.port}`, method = "GET") =>
      new Promise<[number, string]>((resolve, reject) => {
        const asked = request(
          { host: "127.0.0.1", port: server.port, path, method, headers: { Host: host } },
          (response) => {
            let body = "";
            response.on("data", (part) => (body += part));
            response.on("end", () => resolve([response.statusCode!, body]));
          },
        );
        asked.once("error", reject);
        asked.end();
      });
    assert.deepEqual(await ask("/metrics"), [200, "x 1\n"]);
    assert.equal((await ask("/metrics", "localhost:9"))[0], 200);
    assert.equal((await ask("/"))[0], 404);
    assert.equal((await ask("/metrics", "evil.example.org"))[0], 403);
    assert.equal((await ask("/metrics", undefined, "POST"))[0], 405);
    await assert.rejects(
      serveMetrics(server.port, async () => ""),
      { name: "MissingPartError", part: "report" },
    );
  } finally {
    await server.close();
  }
});
