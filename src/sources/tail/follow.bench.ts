// How fast a plain log is read: node src/sources/tail/follow.bench.ts [MEGABYTES]. Writes a file of sshd lines in a
// folder of its own, reads it three times with a fresh follower, removes it.
import { mkdtempSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Event } from "../../core/events.ts";
import { followFiles } from "./follow.ts";

const LINE =
  "Nov 22 19:51:02 host sshd[12345]: Failed password for invalid user admin from 192.0.2.77 port 54321 ssh2\n";
const megabytes = Number(process.argv[2] ?? 300);
const dir = mkdtempSync(join(tmpdir(), "telltale-bench-"));
try {
  const log = join(dir, "auth.log");
  const block = Buffer.from(LINE.repeat(10_000));
  const file = openSync(log, "w");
  while (statSync(log).size < megabytes * 1e6) writeSync(file, block);
  for (let round = 1; round <= 3; round++) {
    let lines = 0;
    const follower = followFiles({
      paths: [log],
      cursors: { get: () => null },
      commit: (batch) => {
        lines += batch.lines.length;
      },
      emit: (body) => ({ ...body, v: 1, id: "", host: "", at: "" }) as Event,
    });
    const startMs = performance.now();
    await follower.poll();
    await follower.stop();
    const seconds = (performance.now() - startMs) / 1_000;
    const rate = Math.round(statSync(log).size / 1e6 / seconds);
    const peak = Math.round(process.resourceUsage().maxRSS / 1_024);
    console.log(`round ${round}: ${rate} MB/s, ${lines} lines in ${seconds.toFixed(2)} s, peak ${peak} MB`);
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
