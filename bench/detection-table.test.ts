import assert from "node:assert/strict";
import test from "node:test";
import { detectionRows } from "./detection-table.ts";
import { renderDetection } from "./document.ts";
import type { Bench, CaseResult, ContenderResult, Metric, Sample } from "./types.ts";

const contender = (
  name: string,
  role: ContenderResult["role"],
  samples: readonly Sample[],
  obstacle: string | null = null,
): ContenderResult => ({ name, role, command: name, obstacle, samples });

const metric = (key: string, title = key): Metric => ({ key, title, unit: "count", better: "less" });

const result = (metrics: readonly Metric[], contenders: readonly ContenderResult[]): CaseResult => ({
  name: "scans",
  what: "Every scan.",
  metrics,
  goals: [],
  contenders,
  agreement: null,
  at: "2026-01-01T00:00:00Z",
  commit: "0123456789ab",
  load: 0.1,
  command: "npm run bench -- detection",
});

const SCANS = result(
  [
    metric("-sS until", "-sS: nmap, SYN"),
    metric("-sS through"),
    metric("-sA until", "-sA: nmap, ACK"),
    metric("-sX until", "-sX: nmap, xmas"),
  ],
  [
    contender("telltale", "telltale", [
      {
        "-sS sent": 60,
        "-sS noticed": 1,
        "-sS until": 3,
        "-sS lateMs": 0,
        "-sS through": 2,
        "-sA sent": 60,
        "-sA noticed": 0,
      },
    ]),
    contender("psad", "peer", [
      {
        "-sS sent": 60,
        "-sS noticed": 1,
        "-sS until": 60,
        "-sS lateMs": 4_653,
        "-sS through": 60,
        "-sA sent": 60,
        "-sA noticed": 1,
        "-sA until": 9,
      },
      { "-sS sent": 60, "-sS noticed": 0, "-sA sent": 60, "-sA noticed": 1, "-sA until": 9 },
    ]),
    contender("absent", "peer", [], "needs absent: apt install absent"),
  ],
);

test("a guard's cell says after how many ports it spoke, how much came through, and in how many rounds", () => {
  const [heading, syn] = detectionRows(SCANS);
  assert.deepEqual(heading, ["median of 2 rounds", "telltale", "psad", "telltale is"]);
  assert.deepEqual(syn, [
    "-sS: nmap, SYN",
    "3; 2 came through",
    "in 1 of 2 rounds: all 60, 4.65 s later",
    "ahead",
  ]);
});

test("a scan that only a peer notices is said to be one where telltale is behind", () => {
  assert.deepEqual(detectionRows(SCANS)[2], ["-sA: nmap, ACK", "not noticed", "9", "BEHIND psad"]);
});

test("where unused ports are counted they are what compares, and whoever needs no more than the limit is at it", () => {
  const sample = (until: number, unused: number): Sample => ({
    "-sS sent": 60,
    "-sS noticed": 1,
    "-sS until": until,
    "-sS unused": unused,
  });
  const [heading, syn] = detectionRows(
    result(
      [metric("-sS until", "-sS: nmap, SYN")],
      [
        contender("telltale", "telltale", [sample(6, 3)]),
        contender("portsentry", "peer", [sample(5, 4)]),
        contender("the limit", "limit", [sample(6, 3)]),
      ],
    ),
  );
  assert.equal(heading![0], "one round");
  assert.deepEqual(syn, ["-sS: nmap, SYN", "6 (3)", "5 (4)", "6 (3)", "ahead, at the limit"]);
});

test("a scan that was not run has no row", () => {
  assert.equal(detectionRows(SCANS).length, 3);
});

test("wrong accusations are counted against those who took part", () => {
  const ordinary = result(
    [metric("nat accused", "nat: two hundred people"), metric("web accused", "web: visitors")],
    [
      contender("telltale", "telltale", [
        { "nat accused": 1, "nat sources": 1, "web accused": 0, "web sources": 20 },
      ]),
      contender("scanlogd", "peer", [
        { "nat accused": 0, "nat sources": 1, "web accused": 0, "web sources": 20 },
      ]),
    ],
  );
  assert.deepEqual(detectionRows(ordinary).slice(1), [
    ["nat: two hundred people", "1 of 1", "none", "BEHIND scanlogd"],
    ["web: visitors", "none", "none", "level"],
  ]);
});

test("the document holds both the table and who could not run", () => {
  const bench: Bench = {
    name: "detection",
    title: "Scans",
    about: "How.",
    packages: [],
    rows: detectionRows,
    cases: () => [],
  };
  const text = renderDetection(bench, {
    bench: "detection",
    date: "2026-01-01",
    machine: { cpu: "A", cores: 2, memoryMb: 24_000, kernel: "6.1" },
    node: "26.0.0",
    versions: {},
    cases: [SCANS],
  });
  assert.match(text, /\| -sA: nmap, ACK \| not noticed \| 9 \| BEHIND psad \|/);
  assert.match(text, /- absent: not run: needs absent/);
});
