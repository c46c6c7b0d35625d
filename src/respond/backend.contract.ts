// What every backend must do, shown with real packets: a host and a stranger in network namespaces of their own.
import assert from "node:assert/strict";
import { basename } from "node:path";
import test, { describe, type TestContext } from "node:test";
import type { ChangeResult } from "./backend.ts";
import type { HeldBlock } from "./plan.ts";
import { cannotLab, type Lab, makeLab } from "./testing/netns.ts";
import { Remote } from "./testing/remote.ts";

export type Contract = {
  /**
   * A name that testing/backend-child.ts knows; or the URL of a module that exports
   * `makeBackend(args: readonly string[]): Backend | Promise<Backend>`, which it loads inside the namespace.
   */
  readonly backend: string;
  /** False for a backend that only writes down. */
  readonly stopsPackets: boolean;
  readonly countsPackets: boolean;
  /** Blocks end by themselves when nobody lifts them. */
  readonly expires: boolean;
  /** A second process finds the blocks of the first. */
  readonly outlivesProcess: boolean;
  /** Can slow a source down. */
  readonly throttles?: boolean;
  /** Takes whole networks too. */
  readonly networks: boolean;
  /** Why this machine cannot do it, or null. */
  readonly skip?: () => string | null;
  /** Arguments for testing/backend-child.ts, made for each scene. */
  readonly args?: (t: TestContext) => readonly string[];
};

/** A backend at work in the host's namespace. */
export class RemoteBackend {
  readonly #remote: Remote;

  constructor(t: TestContext, lab: Lab, backend: string, ...args: readonly string[]) {
    this.#remote = new Remote(t, lab.host, "./backend-child.ts", backend, ...args);
  }

  open = () => this.#remote.ask("open");
  allow = (...targets: string[]) => this.#remote.ask("allow", { targets });
  block = (forMs: number, ...targets: string[]) =>
    this.#remote.ask("block", { targets, forMs }) as Promise<ChangeResult[]>;
  throttle = (forMs: number, ...targets: string[]) =>
    this.#remote.ask("block", { targets, forMs, throttled: true }) as Promise<ChangeResult[]>;
  lift = (...targets: string[]) => this.#remote.ask("lift", { targets }) as Promise<ChangeResult[]>;
  held = () => this.#remote.ask("held") as Promise<HeldBlock[]>;
  clear = () => this.#remote.ask("clear");
  close = () => this.#remote.ask("close");
  die = () => this.#remote.die();
}

/** Waits until a server of the host listens at this port. */
export async function listening(lab: Lab, port: number): Promise<void> {
  const line = new RegExp(`:${port.toString(16).toUpperCase().padStart(4, "0")} 0+:0000 0A`);
  const tables = async () => lab.run(lab.host, "cat", "/proc/net/tcp", "/proc/net/tcp6");
  await eventually(`port ${port} to listen`, 10_000, tables, (text) => line.test(text));
}

/** Check that the host stays silent to this address. */
export async function isShut(lab: Lab, ...from: string[]): Promise<void> {
  const heard = await Promise.all(from.map((address) => lab.knock(address, 9)));
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
        () => lab.knock(address, 9),
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
  // A scene waits most of its time for packets that never come.
  describe(basename(contract.backend), { concurrency: 3 }, () => scenes(contract));
}

function scenes(contract: Contract): void {
  const scene = (
    text: string,
    body: (t: TestContext, lab: Lab, backend: RemoteBackend, args: readonly string[]) => Promise<void>,
  ) =>
    test(text, { timeout: 30_000 }, async (t) => {
      const why = cannotLab() ?? contract.skip?.() ?? null;
      if (why !== null) return t.skip(why);
      const lab = makeLab(t);
      const args = contract.args?.(t) ?? [];
      const backend = new RemoteBackend(t, lab, contract.backend, ...args);
      await backend.open();
      await body(t, lab, backend, args);
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
      if (contract.countsPackets) {
        const [block] = await backend.held();
        assert.ok(block!.packetsStopped > 0, "no packet was counted");
      }
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

  if (contract.throttles === true) {
    scene(
      "whoever is slowed down gets a few answers, then a pause, and one target is slowed down or shut out",
      async (t, lab, backend, args) => {
        const heard = async (from: string) => {
          const answers: string[] = [];
          for (let i = 0; i < 8; i++) answers.push(await lab.knock(from, 9));
          return answers;
        };
        for (const { why } of await backend.throttle(
          600_000,
          "10.77.0.2",
          "2001:db8:77::/64",
          "10.77.0.8/29",
        ))
          assert.equal(why, null);
        for (const from of ["10.77.0.2", "2001:db8:77::2", "10.77.0.9"]) {
          const answers = await heard(from);
          assert.equal(answers[0], "answered", from);
          assert.ok(answers.includes("silent"), `${from}: ${answers}`);
        }
        await isOpen(lab, "10.77.0.3");
        const [slowed] = await backend.held();
        assert.equal(slowed!.throttled, true);
        assert.ok(slowed!.packetsStopped > 0, "no packet was counted");
        await backend.die();
        const next = new RemoteBackend(t, lab, contract.backend, ...args);
        await next.open();
        assert.deepEqual(names(await next.held()), ["10.77.0.2/32", "10.77.0.8/29", "2001:db8:77::/64"]);
        await next.block(600_000, "10.77.0.2");
        await isShut(lab, "10.77.0.2");
        assert.equal((await next.held()).find(({ target }) => target.bits === 32)!.throttled, undefined);
        await next.throttle(600_000, "10.77.0.2");
        await isOpen(lab, "10.77.0.2");
        await next.lift("10.77.0.2", "10.77.0.8/29", "2001:db8:77::/64");
        assert.deepEqual(await next.held(), []);
        assert.ok((await heard("10.77.0.2")).every((answer) => answer === "answered"));
      },
    );
  }

  if (contract.expires) {
    scene("a block ends by itself", async (_t, lab, backend) => {
      await backend.block(300, "10.77.0.6");
      await eventually("the block to end", 5_000, backend.held, (held) => held.length === 0);
      await isOpen(lab, "10.77.0.6");
    });
  }

  if (contract.outlivesProcess) {
    scene("blocks outlive the process, and the next one finds them", async (t, lab, backend, args) => {
      await backend.block(600_000, "10.77.0.7", "10.77.0.8/29", "2001:db8:77::/64");
      const before = names(await backend.held());
      await backend.die();
      await isBlocked(lab, "10.77.0.7");
      const next = new RemoteBackend(t, lab, contract.backend, ...args);
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
    const state = () =>
      lab.run(lab.host, "nft", "list", "ruleset") +
      lab.run(lab.host, "ip", "route") +
      lab.run(lab.host, "ip", "-6", "route");
    const before = state();
    await backend.open();
    await backend.block(600_000, "10.77.0.2", "2001:db8::/64");
    await backend.clear();
    assert.equal(state(), before);
    await backend.clear();
    assert.equal((await backend.block(600_000, "10.77.0.2"))[0]!.why, null, "usable again after clearing");
  });
}
