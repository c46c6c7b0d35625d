// Threads that compress beside the rotation, at most as many as asked for, started when there is work for them. Small files go to
// a thread many at a time, since handing one over costs as much as compressing it. A thread that dies costs the file it was at.
import { Worker } from "node:worker_threads";
import { type Batch, type BatchEnd, HALTED, type Shared, STATE } from "./protocol.ts";
import { type SqueezeJob, squeezeFile } from "./squeeze.ts";

// So many small files are handed over at once, and no more than so many bytes of them.
const BATCH_JOBS = 64;
const BATCH_BYTES = 4 * 1024 * 1024;
// Less than this is done at once, in some milliseconds: starting a thread takes fifty.
const AT_ONCE_BYTES = 256 * 1024;
// A thread holds a piece and what becomes of it outside its heap; inside there is next to nothing.
const HEAP = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64 };

const THREAD = new URL(
  import.meta.url.endsWith(".ts") ? "./thread.ts" : "./squeeze-thread.js",
  import.meta.url,
);

type Pending = {
  readonly job: SqueezeJob;
  readonly sizeBytes: number;
  resolve(): void;
  reject(error: Error): void;
};

type Thread = { readonly worker: Worker; working: { batch: Batch; pending: readonly Pending[] } | null };

export class SqueezeThreads {
  readonly #limit: number;
  readonly #entry: URL;
  readonly #shared: Shared = {
    halt: new Int32Array(new SharedArrayBuffer(4)),
    bytes: new BigInt64Array(new SharedArrayBuffer(8)),
  };
  readonly #threads = new Set<Thread>();
  #queue: Pending[] = [];
  #queuedBytes = 0;
  #flushing: NodeJS.Immediate | null = null;

  /**
   * @param limit how many threads there may be
   * @param entry the program of a thread
   */
  constructor(limit: number, entry: URL = THREAD) {
    this.#limit = Math.max(1, limit);
    this.#entry = entry;
  }

  /** Bytes read from files so far. */
  get bytesDone(): number {
    return Number(Atomics.load(this.#shared.bytes, 0));
  }

  /**
   * Compresses one open file. Rejects with what went wrong; the descriptors stay open.
   * @param sizeBytes about how large it is
   */
  squeeze(job: SqueezeJob, sizeBytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ job, sizeBytes, resolve, reject });
      this.#queuedBytes += sizeBytes;
      if (this.#queue.length >= BATCH_JOBS || sizeBytes >= BATCH_BYTES) this.#handOver();
      else this.#flushing ??= setImmediate(() => this.#flush());
    });
  }

  /** Makes what is under way end soon, and fail. */
  halt(): void {
    Atomics.store(this.#shared.halt, 0, 1);
  }

  /** Ends the threads. What is still under way fails. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.halt();
    if (this.#flushing !== null) clearImmediate(this.#flushing);
    for (const pending of this.#taken(this.#queue.length)) pending.reject(new Error(HALTED));
    await Promise.all([...this.#threads].map(({ worker }) => worker.terminate()));
  }

  // No more came to go with what is queued.
  #flush(): void {
    this.#flushing = null;
    if (this.#threads.size > 0 || this.#queuedBytes > AT_ONCE_BYTES) this.#handOver();
    else for (const pending of this.#taken(this.#queue.length)) this.#doAtOnce(pending);
  }

  #taken(count: number): readonly Pending[] {
    const taken = this.#queue.splice(0, count);
    for (const { sizeBytes } of taken) this.#queuedBytes -= sizeBytes;
    return taken;
  }

  #doAtOnce({ job, resolve, reject }: Pending): void {
    try {
      squeezeFile(job, (count) => {
        Atomics.add(this.#shared.bytes, 0, BigInt(count));
        if (Atomics.load(this.#shared.halt, 0) !== 0) throw new Error(HALTED);
      });
      resolve();
    } catch (error) {
      reject(error as Error);
    }
  }

  #handOver(): void {
    while (this.#queue.length > 0) {
      const thread = this.#idle();
      if (thread === null) return;
      const pending = this.#nextBatch();
      const states = new Int32Array(new SharedArrayBuffer(4 * pending.length));
      const batch = { jobs: pending.map(({ job }) => job), states };
      thread.working = { batch, pending };
      thread.worker.postMessage(batch);
    }
  }

  #nextBatch(): readonly Pending[] {
    let count = 0;
    let bytes = 0;
    while (count < BATCH_JOBS && count < this.#queue.length) {
      bytes += this.#queue[count]!.sizeBytes;
      if (count > 0 && bytes > BATCH_BYTES) break;
      count++;
    }
    return this.#taken(count);
  }

  // Another thread costs fifteen megabytes, and is started for a batch that keeps it busy, not for a few small files.
  #idle(): Thread | null {
    for (const thread of this.#threads) if (thread.working === null) return thread;
    const isFull = this.#threads.size >= this.#limit;
    return isFull || (this.#threads.size > 0 && this.#queuedBytes < BATCH_BYTES) ? null : this.#start();
  }

  #start(): Thread {
    const worker = new Worker(this.#entry, { workerData: this.#shared, resourceLimits: HEAP });
    const thread: Thread = { worker, working: null };
    let why = "it ended by itself";
    worker.on("message", (end: BatchEnd) => this.#finish(thread, end));
    worker.on("error", (error) => {
      why = error instanceof Error ? error.message : String(error);
    });
    worker.on("exit", () => this.#lost(thread, why));
    this.#threads.add(thread);
    return thread;
  }

  #finish(thread: Thread, { failures }: BatchEnd): void {
    const { pending } = thread.working!;
    thread.working = null;
    const reasons = new Map(failures.map(({ index, why }) => [index, why]));
    for (const [index, { resolve, reject }] of pending.entries()) {
      const why = reasons.get(index);
      if (why === undefined) resolve();
      else reject(new Error(why));
    }
    this.#handOver();
  }

  // What it had done is done; the file it was at is lost to it, or the first one when it never began; the others wait again.
  #lost(thread: Thread, why: string): void {
    this.#threads.delete(thread);
    const { batch, pending } = thread.working ?? { batch: { states: new Int32Array(0) }, pending: [] };
    const states = pending.map((_, index) => Atomics.load(batch.states, index));
    const at = Math.max(0, states.indexOf(STATE.begun));
    const again: Pending[] = [];
    for (const [index, one] of pending.entries()) {
      if (states[index] === STATE.done) one.resolve();
      else if (states[index] === STATE.waiting && index !== at && Atomics.load(this.#shared.halt, 0) === 0)
        again.push(one);
      else one.reject(new Error(`the thread that compressed it died: ${why}`));
    }
    this.#queue.unshift(...again);
    for (const { sizeBytes } of again) this.#queuedBytes += sizeBytes;
    this.#handOver();
  }
}
