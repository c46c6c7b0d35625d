// What the tests of the follower share: a folder with one log, lines with numbers, and an account of what arrived.
import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Event, EventBody } from "../../core/events.ts";
import { type Follower, type FollowFilesOptions, followFiles } from "./follow.ts";

export type Rig = {
  readonly dir: string;
  readonly log: string;
  readonly got: string[];
  readonly notices: EventBody[];
  readonly events: EventBody[];
  /** What the store holds; a test may break it. */
  cursor: unknown;
  /** Called before a batch is taken; throws to refuse it. */
  refuse: () => void;
  written: number;
  /** Appends so many numbered lines. */
  write(count: number, path?: string): void;
  /** A new follower with the cursor as it is now: what a restart is. */
  follower(options?: Partial<FollowFilesOptions>): Follower;
  /** One look by a fresh process. */
  poll(options?: Partial<FollowFilesOptions>): Promise<void>;
  /** Fails unless every line written so far arrived once, in order. */
  complete(what: string): void;
};

export function rig(t: TestContext): Rig {
  const dir = mkdtempSync(join(tmpdir(), "telltale-tail-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return rigIn(dir);
}

export function rigIn(dir: string): Rig {
  const log = join(dir, "app.log");
  const made: Rig = {
    dir,
    log,
    got: [],
    notices: [],
    events: [],
    cursor: null,
    refuse: () => {},
    written: 0,
    write(count, path = log) {
      let text = "";
      for (let i = 0; i < count; i++) text += `${numbered(made.written++)}\n`;
      appendFileSync(path, text);
    },
    follower(options = {}) {
      return followFiles({
        paths: [log],
        cursors: { get: () => made.cursor },
        commit: (batch) => {
          made.refuse();
          // As a store does: JSON, and copies of the lines.
          made.cursor = JSON.parse(JSON.stringify(batch.cursor));
          for (const line of batch.lines) made.got.push(Buffer.from(line).toString("latin1"));
          made.notices.push(...batch.notices);
        },
        emit: (body) => {
          made.events.push(body);
          return { ...body, v: 1, id: "", host: "", at: "" } as Event;
        },
        ...options,
      });
    },
    async poll(options) {
      const follower = made.follower(options);
      await follower.poll();
      await follower.stop();
    },
    complete(what) {
      const want = Array.from({ length: made.written }, (_, number) => numbered(number));
      assert.deepEqual(made.got, want, what);
    },
  };
  return made;
}

/** `Nov 22 19:51:02 host app[7]: line 41`: the lines differ only in their numbers, as real ones may. */
function numbered(number: number): string {
  return `Nov 22 19:51:02 host app[7]: line ${number}`;
}

/** Gives the log and its `from` newest generations their next names, as rotation does. */
export function shift(log: string, from: number): void {
  for (let n = from; n >= 1; n--) renameSync(`${log}.${n}`, `${log}.${n + 1}`);
  renameSync(log, `${log}.1`);
}

/** Resolves once `done` holds; fails with `what` after `timeoutMs`. */
export async function until(done: () => boolean, what: string, timeoutMs = 10_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!done()) {
    if (performance.now() > end) assert.fail(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
