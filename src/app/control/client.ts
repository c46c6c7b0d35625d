// Asks the running guard. Every way in which it may not answer becomes an error with a mend.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { describeError, MissingPartError } from "../../core/errors.ts";
import type { Event } from "../../core/events.ts";
import type { ShownBlock } from "../shown-blocks.ts";
import type { Answer, GuardStatus, ReloadOutcome, Request } from "./types.ts";

// A guard under a flood still answers within a second; a reload restarts the parts.
const ANSWER_WITHIN_MS = 30_000;
// Of what can be had in another way.
const SOON_MS = 3_000;
// The parts get a second and a half to stop, a machine under load some more.
const END_WITHIN_MS = 30_000;
const POLL_MS = 20;
// A status is some 10 kB, and metrics less.
const MAX_ANSWER_BYTES = 16_000_000;

/** What the guard at `path` is doing. */
export async function askStatus(path: string): Promise<GuardStatus> {
  return (await ask(path, "status")) as GuardStatus;
}

/**
 * Who is locked out, as the guard at `path` knows it; null where whoever asks has to read the history: no guard answers soon, or it
 * does not say. One that is older than this program is among those.
 */
export async function askBlocks(path: string): Promise<readonly ShownBlock[] | null> {
  try {
    return (await ask(path, "blocks", SOON_MS)) as readonly ShownBlock[] | null;
  } catch (error) {
    if (error instanceof MissingPartError) return null;
    throw error;
  }
}

/** Its counters as Prometheus text. */
export async function askMetrics(path: string): Promise<string> {
  return (await ask(path, "metrics")) as string;
}

/** Makes it read its configuration again. */
export async function askReload(path: string): Promise<ReloadOutcome> {
  return (await ask(path, "reload")) as ReloadOutcome;
}

/** Stops it, and waits until its process has ended. Returns its process id. */
export async function askStop(path: string): Promise<number> {
  const socket = await reach(path);
  const closed = once(socket, "close");
  const { pid } = (await request(socket, path, "stop")) as { pid: number };
  socket.resume();
  const end = performance.now() + END_WITHIN_MS;
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, END_WITHIN_MS).unref())]);
  while (isAlive(pid)) {
    if (performance.now() > end) {
      socket.destroy();
      throw new MissingPartError(
        "control",
        `the guard (process ${pid}) has not ended within ${END_WITHIN_MS / 1_000} s`,
        `kill -9 ${pid}: blocks stay, and no line is lost`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return pid;
}

/** Calls `hear` with every event from now on; resolves when the guard ends. */
export async function followEvents(path: string, hear: (event: Event) => void): Promise<void> {
  const socket = await reach(path);
  // Only who follows needs it: it takes longer to load than a status to ask for.
  const { createInterface } = await import("node:readline");
  const lines = createInterface({ input: socket });
  socket.write('{"do":"events"}\n');
  let first = true;
  for await (const line of lines) {
    if (first) unwrap(JSON.parse(line) as Answer<unknown>);
    else hear(JSON.parse(line) as Event);
    first = false;
  }
}

async function ask(path: string, what: Request, withinMs = ANSWER_WITHIN_MS): Promise<unknown> {
  const socket = await reach(path);
  try {
    return await request(socket, path, what, withinMs);
  } finally {
    socket.destroy();
  }
}

function reach(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(socket));
    socket.once("error", (error: NodeJS.ErrnoException) => reject(unreachable(path, error)));
  });
}

function request(socket: Socket, path: string, what: Request, withinMs = ANSWER_WITHIN_MS): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let text = "";
    const give = (error: Error): void => {
      clearTimeout(patience);
      socket.destroy();
      reject(error);
    };
    const silent = (why: string) =>
      new MissingPartError("control", `the guard at ${path} ${why}`, "telltale doctor");
    const patience = setTimeout(
      () => give(silent(`has not answered within ${withinMs / 1_000} s`)),
      withinMs,
    );
    socket.setEncoding("utf8");
    socket.on("error", (error) => give(silent(`broke off: ${error.message}`)));
    socket.on("close", () => give(silent("closed the connection: too many ask at once, or it ended")));
    socket.on("data", function collect(chunk: string) {
      text += chunk;
      const end = text.indexOf("\n");
      if (end < 0) {
        if (text.length > MAX_ANSWER_BYTES) give(silent("says more than an answer"));
        return;
      }
      clearTimeout(patience);
      socket.off("data", collect);
      try {
        resolve(unwrap(JSON.parse(text.slice(0, end)) as Answer<unknown>));
      } catch (error) {
        give(
          error instanceof MissingPartError
            ? error
            : silent(`does not speak as one: ${describeError(error)}`),
        );
      }
    });
    socket.write(`${JSON.stringify({ do: what })}\n`);
  });
}

function unwrap(answer: Answer<unknown>): unknown {
  if (answer.ok) return answer.value;
  throw new MissingPartError("control", answer.why, answer.mend);
}

function unreachable(path: string, error: NodeJS.ErrnoException): MissingPartError {
  if (error.code === "EACCES" || error.code === "EPERM") {
    const mend = "sudo telltale ..., or join the group that guard.control_group names";
    return new MissingPartError("control", `${path} may not be used by you`, mend, error);
  }
  const known = error.code === "ENOENT" || error.code === "ECONNREFUSED";
  const why = known ? `no guard answers at ${path}` : `${path}: ${error.message}`;
  return new MissingPartError("control", why, "start it: systemctl start telltale, or telltale guard", error);
}

// A process that has ended and was not waited for yet (state Z) still has its number.
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false; // no such process
  }
}
