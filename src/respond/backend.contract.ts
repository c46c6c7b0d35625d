// What every backend must do, shown with real packets: a host and a stranger in network namespaces of their own.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import test, { type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { ChangeResult } from "./backend.ts";
import type { HeldBlock } from "./plan.ts";
import { cannotLab, type Lab, makeLab } from "./testing/netns.ts";

export type Contract = {
  /** A name that testing/backend-child.ts knows. */
  readonly backend: string;
  /** False for a backend that only writes down. */
  readonly stopsPackets: boolean;
  readonly countsPackets: boolean;
  /** Blocks end by themselves when nobody lifts them. */
  readonly expires: boolean;
  /** A second process finds the blocks of the first. */
  readonly outlivesProcess: boolean;
  /** Takes whole networks too. */
  readonly networks: boolean;
  readonly skip?: () => string | null;
};

const HERE = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** A backend at work in the host's namespace. */
export class RemoteBackend {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void }
  >();
  #next = 1;

  constructor(t: TestContext, lab: Lab, backend: string) {
    this.#child = spawn(
      "ip",
      ["netns", "exec", lab.host, process.execPath, HERE("./testing/backend-child.ts"), backend],
      { stdio: ["pipe", "pipe", "inherit"] },
    );
    t.after(() => this.#child.kill("SIGKILL"));
    createInterface({ input: this.#child.stdout! }).on("line", (line) => {
      const { id, value, error } = JSON.parse(line) as { id: number; value: unknown; error?: string };
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(value);
      else waiting?.reject(new Error(error));
    });
    this.#child.on("exit", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("the backend's process ended"));
    });
  }

  async #ask(call: string, more: object = {}): Promise<unknown> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.stdin!.write(`${JSON.stringify({ id, call, ...more })}\n`);
    });
  }

  open = () => this.#ask("open");
  allow = (...targets: string[]) => this.#ask("allow", { targets });
  block = (forMs: number, ...targets: string[]) =>
    this.#ask("block", { targets, forMs }) as Promise<ChangeResult[]>;
  lift = (...targets: string[]) => this.#ask("lift", { targets }) as Promise<ChangeResult[]>;
  held = () => this.#ask("held") as Promise<HeldBlock[]>;
  packets = async (...targets: string[]) =>
    new Map((await this.#ask("packets", { targets })) as [string, number][]);
  clear = () => this.#ask("clear");

  /** Dies as the guard would under `kill -9`. */
  async die(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await gone;
  }
}

/** One knock from this address of the stranger: `answered` or `silent`. */
export async function knock(lab: Lab, from: string): Promise<string> {
  const to = from.includes(":") ? "fd77::1" : "10.77.0.1";
  return lab.start(lab.stranger, process.execPath, HERE("./testing/probe.ts"), from, to, "400");
}

/** Check that the host stays silent to this address. */
export async function isShut(lab: Lab, ...from: string[]): Promise<void> {
  const heard = await Promise.all(from.map((address) => knock(lab, address)));
  assert.deepEqual(
    heard,
    from.map(() => "silent"),
    `knocks from ${from.join(", ")}`,
  );
}

/** Check that the host answers this address; a knock lost on a busy machine is tried again. */
export async function isOpen(lab: Lab, ...from: string[]): Promise<void> {
  await Promise.all(
    from.map((address) =>
      eventually(
        `an answer to ${address}`,
        5_000,
        () => knock(lab, address),
        (heard) => heard === "answered",
      ),
    ),
  );
}

/** Asks again until the answer is right or the time is over. */
export async function eventually<T>(
  what: string,
  withinMs: number,
  ask: () => Promise<T>,
  right: (value: T) => boolean,
): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    const value = await ask();
    if (right(value)) return value;
    if (performance.now() > end)
      assert.fail(`${what}: not within ${withinMs} ms; last seen ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const names = (held: readonly HeldBlock[]) =>
  held.map(({ target }) => `${target.base}/${target.bits}`).sort();

export function backendContract(contract: Contract): void {
  const title = (text: string) => `${contract.backend}: ${text}`;
  const scene = (text: string, body: (t: TestContext, lab: Lab, backend: RemoteBackend) => Promise<void>) =>
    test(title(text), { timeout: 30_000 }, async (t) => {
      const why = cannotLab() ?? contract.skip?.() ?? null;
      if (why !== null) return t.skip(why);
      const lab = makeLab(t);
      const backend = new RemoteBackend(t, lab, contract.backend);
      await backend.open();
      await body(t, lab, backend);
    });
  const isBlocked = contract.stopsPackets ? isShut : isOpen;

  scene(
    "a blocked address gets no answer, its neighbour does, and a lift undoes it",
    async (_t, lab, backend) => {
      await isOpen(lab, "10.77.0.2");
      for (const { why } of await backend.block(600_000, "10.77.0.2", "2001:db8:77::2"))
        assert.equal(why, null);
      await isBlocked(lab, "10.77.0.2", "2001:db8:77::2");
      await isOpen(lab, "10.77.0.3", "2001:db8:77::3");
      assert.deepEqual(names(await backend.held()), ["10.77.0.2/32", "2001:db8:77::2/128"]);
      const counts = await backend.packets("10.77.0.2", "2001:db8:77::2");
      if (contract.countsPackets) assert.ok(counts.get("10.77.0.2")! > 0, "no packet was counted");
      const [lifted] = await backend.lift("10.77.0.2");
      assert.equal(lifted!.why, null);
      if (contract.countsPackets) assert.ok(lifted!.packetsStopped > 0);
      await isOpen(lab, "10.77.0.2");
      assert.deepEqual(names(await backend.held()), ["2001:db8:77::2/128"]);
    },
  );

  scene("doing a thing twice is no failure, and the second time counts", async (_t, lab, backend) => {
    await backend.block(5_000, "10.77.0.4");
    const [again] = await backend.block(600_000, "10.77.0.4");
    assert.equal(again!.why, null);
    const [block] = await backend.held();
    if (contract.expires) assert.ok(block!.leftMs! > 500_000, `${block!.leftMs} ms left`);
    assert.equal((await backend.lift("10.77.0.4"))[0]!.why, null);
    assert.equal((await backend.lift("10.77.0.4"))[0]!.why, null);
    assert.equal((await backend.lift("192.0.2.200"))[0]!.why, null);
    await isOpen(lab, "10.77.0.4");
  });

  scene("whoever is allowed gets through although blocked", async (_t, lab, backend) => {
    await backend.allow("10.77.0.4/30", "10.77.0.5", "fe80::/10");
    await backend.block(600_000, "10.77.0.5", "10.77.0.3");
    await isOpen(lab, "10.77.0.5");
    await isBlocked(lab, "10.77.0.3");
    await backend.allow();
    await isBlocked(lab, "10.77.0.5");
  });

  if (contract.networks) {
    scene("networks are blocked whole, also when they overlap", async (_t, lab, backend) => {
      for (const { why } of await backend.block(
        600_000,
        "10.77.0.8/29",
        "10.77.0.9",
        "10.77.0.8/30",
        "2001:db8:77::/64",
      )) {
        assert.equal(why, null);
      }
      await isBlocked(lab, "10.77.0.8", "2001:db8:77::3");
      await isOpen(lab, "10.77.0.7");
      await backend.lift("10.77.0.8/29");
      assert.deepEqual(names(await backend.held()), ["10.77.0.8/30", "10.77.0.9/32", "2001:db8:77::/64"]);
      await isBlocked(lab, "10.77.0.8");
    });
  }

  if (contract.expires) {
    scene("a block ends by itself", async (_t, lab, backend) => {
      await backend.block(300, "10.77.0.6");
      await eventually("the block to end", 5_000, backend.held, (held) => held.length === 0);
      await isOpen(lab, "10.77.0.6");
    });
  }

  if (contract.outlivesProcess) {
    scene("blocks outlive the process, and the next one finds them", async (t, lab, backend) => {
      await backend.block(600_000, "10.77.0.7", "10.77.0.8/29", "2001:db8:77::/64");
      const before = names(await backend.held());
      await backend.die();
      await isBlocked(lab, "10.77.0.7");
      const next = new RemoteBackend(t, lab, contract.backend);
      await next.open();
      assert.deepEqual(names(await next.held()), before);
      await isBlocked(lab, "10.77.0.9");
      await next.clear();
      assert.deepEqual(await next.held(), []);
      await isOpen(lab, "10.77.0.7");
    });
  }

  scene("clearing leaves the host's firewall as it was before", async (_t, lab, backend) => {
    await backend.clear();
    const before = lab.run(lab.host, "nft", "list", "ruleset");
    await backend.open();
    await backend.block(600_000, "10.77.0.2", "2001:db8::/64");
    await backend.clear();
    assert.equal(lab.run(lab.host, "nft", "list", "ruleset"), before);
    await backend.clear();
    assert.equal((await backend.block(600_000, "10.77.0.2"))[0]!.why, null, "usable again after clearing");
  });
}
