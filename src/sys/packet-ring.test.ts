import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { packetFilter } from "../sources/packets/filter.ts";
import type { Ordinary, PortRange } from "../sources/packets/types.ts";
import { interfaceIndexOf, interfaceNameOf } from "./interfaces.ts";
import { isForbidden, openPacketSocket, PacketRing, type RingFrame } from "./packet-ring.ts";

const PASS = new Uint8Array(Uint16Array.of(0x06, 0, 160, 0).buffer);

/** A ring on loopback that keeps datagrams to one port, or null after naming why not. */
function open(
  t: TestContext,
  onFrame: (frame: RingFrame) => void,
  frames = 1_024,
  onWake?: () => void,
): PacketRing | null {
  try {
    const ring = new PacketRing({
      fd: openPacketSocket(),
      interfaceIndex: interfaceIndexOf("lo"),
      filter: PASS,
      frames,
      onFrame,
      onWake,
    });
    t.after(() => ring.close());
    return ring;
  } catch (error) {
    if (!isForbidden(error)) throw error;
    t.skip("needs CAP_NET_RAW: run as root");
    return null;
  }
}

/** The destination port when the frame is a received IPv4 datagram with our words in it. */
function wordsOf({ bytes, start, end, direction }: RingFrame): string | null {
  if (direction !== 0 || bytes[start] !== 0x45 || bytes[start + 9] !== 17) return null;
  return Buffer.from(bytes.subarray(start + 28, end)).toString();
}

async function until(what: string, done: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!done()) {
    if (performance.now() > endMs) throw new Error(`not within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function send(count: number, text: (i: number) => string): Promise<void> {
  const socket = createSocket("udp4");
  for (let i = 0; i < count; i++) {
    await new Promise<void>((resolve, reject) =>
      socket.send(text(i), 9, "127.0.0.1", (error) => (error ? reject(error) : resolve())),
    );
    // A send that succeeds at once never lets the event loop look at other descriptors.
    if (i % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  socket.close();
}

test("hands over every packet once and in order, also after the ring has gone round", async (t) => {
  const heard: string[] = [];
  const tag = `tt-${process.pid}-`;
  const ring = open(t, (frame) => {
    const words = wordsOf(frame);
    if (words?.startsWith(tag)) heard.push(words);
  });
  if (ring === null) return;
  await send(3_000, (i) => `${tag}${i}`);
  await until("the last packet", () => heard.at(-1) === `${tag}2999`);
  assert.deepEqual(
    heard,
    Array.from({ length: 3_000 }, (_, i) => `${tag}${i}`),
  );
  assert.equal(ring.statistics().dropped, 0);
});

test("whoever wants to know that packets have woken the process knows it before the first of them", async (t) => {
  const heard: string[] = [];
  const tag = `tt-${process.pid}-wake`;
  const ring = open(
    t,
    (frame) => {
      if (wordsOf(frame) === tag) heard.push("packet");
    },
    1_024,
    () => {
      if (heard.at(-1) !== "awake") heard.push("awake");
    },
  );
  if (ring === null) return;
  await send(1, () => tag);
  await until("the packet", () => heard.includes("packet"));
  assert.equal(heard[heard.indexOf("packet") - 1], "awake");
});

test("promises that are settled while a packet is handled go on at once", async (t) => {
  if (open(t, () => {}) === null) return;
  // In a process and a network of its own, where nothing else happens that would settle them.
  const script = `
    import { createRequire } from "node:module";
    import { openPacketSocket, PacketRing } from ${JSON.stringify(join(import.meta.dirname, "packet-ring.ts"))};
    const require = createRequire(import.meta.url);
    const filter = new Uint8Array(Uint16Array.of(0x06, 0, 160, 0).buffer);
    const ring = new PacketRing({ fd: openPacketSocket(), interfaceIndex: 1, filter, frames: 256, onFrame: () => {
      const handledMs = performance.now();
      // Whatever belongs to starting is over by then.
      if (handledMs < 1_000) return;
      void Promise.resolve().then(() => {
        require("node:fs").writeSync(1, "settled " + (performance.now() - handledMs));
        process.exit();
      });
    } });
    require("node:fs").writeSync(1, "ready\\n");
    setTimeout(() => ring.close(), 10_000);`;
  const stage = `ip link set lo up; "$0" --input-type=module -e "$1" & read -r _; for i in 1 2 3 4 5 6; do echo x > /dev/udp/127.0.0.1/9; read -r -t 0.4 _; done; wait`;
  const child = spawn("unshare", ["-n", "bash", "-c", stage, process.execPath, script]);
  t.after(() => child.kill());
  let said = "";
  child.stdout.on("data", (data) => {
    if (said === "") child.stdin.write("now\n");
    said += data;
  });
  await until("the answer", () => said.includes("settled"));
  assert.ok(Number(/settled ([0-9.]+)/.exec(said)![1]) < 500, said);
});

test("counts what it lost while nobody read", async (t) => {
  const ring = open(t, () => {}, 256);
  if (ring === null) return;
  // Sending with the event loop held: nobody drains.
  const { execFileSync } = await import("node:child_process");
  const script = `const s=require("dgram").createSocket("udp4");let n=0;for(let i=0;i<2000;i++)s.send("x",9,"127.0.0.1",()=>{if(++n===2000)s.close()})`;
  execFileSync(process.execPath, ["-e", script]);
  const { received, dropped } = ring.statistics();
  assert.ok(dropped > 0, "a full ring drops");
  assert.ok(received >= dropped);
});

test("a view that was kept is empty after the ring is closed, not a crash", async (t) => {
  let kept: Uint8Array | null = null;
  const ring = open(t, (frame) => (kept = frame.bytes));
  if (ring === null) return;
  await send(1, () => "x");
  await until("a packet", () => kept !== null);
  ring.close();
  ring.close();
  assert.equal(kept!.length, 0);
  assert.equal(kept![0], undefined);
});

test("closing from within the callback is safe", async (t) => {
  let count = 0;
  const ring = open(t, () => {
    count++;
    ring!.close();
  });
  if (ring === null) return;
  await send(5, () => "x");
  await until("a packet", () => count > 0);
  assert.equal(count, 1);
});

test("the kernel takes the largest filter that is ever written, and a new one while packets flow", (t) => {
  const ring = open(t, () => {});
  if (ring === null) return;
  const many = Array.from({ length: 300 }, (_, i): PortRange => [i * 200, i * 200 + 1]);
  const ordinary: Ordinary = {
    open: { tcp4: many, tcp6: many, udp4: many, udp6: many },
    openAt: {
      tcp4: Array.from({ length: 80 }, (_, i) => [i, i] as const),
      udp4: Array.from({ length: 80 }, (_, i) => [i, i] as const),
      tcp6: Array.from({ length: 80 }, (_, i) => [[1, 2, 3, i], i] as const),
      udp6: Array.from({ length: 80 }, (_, i) => [[1, 2, 3, i], i] as const),
    },
    busy: { tcp4: many, tcp6: many },
    ephemeral: [32_768, 60_999],
    openOneIn: 16,
    muted: Array.from({ length: 16 }, (_, i) => ({ family: 6, words: [1, 2, 3, i], bits: 128 }) as const),
    addresses: {
      ipv4: Array.from({ length: 64 }, (_, i) => i),
      ipv6: Array.from({ length: 64 }, (_, i) => [1, 2, 3, i] as const),
    },
  };
  const program = packetFilter({
    ordinary,
    interfaces: Array.from({ length: 64 }, (_, i) => i),
    loopback: false,
  });
  assert.ok(program.length / 8 <= 4_096);
  ring.setFilter(program);
  assert.throws(() => ring.setFilter(new Uint8Array(8)), /SO_ATTACH_FILTER/);
});

test("a ring size that the kernel refuses is named", (t) => {
  if (open(t, () => {}) === null) return;
  assert.throws(
    () =>
      new PacketRing({
        fd: openPacketSocket(),
        interfaceIndex: 1,
        filter: PASS,
        frames: 3,
        onFrame: () => {},
      }),
    /setsockopt: EINVAL: PACKET_RX_RING/,
  );
  assert.throws(
    () =>
      new PacketRing({
        fd: openPacketSocket(),
        interfaceIndex: 2_000_000_000,
        filter: PASS,
        frames: 256,
        onFrame: () => {},
      }),
    /bind: E/,
  );
});

test("interfaces are found by name and by number", () => {
  const index = interfaceIndexOf("lo");
  assert.ok(index > 0);
  assert.equal(interfaceNameOf(index), "lo");
  assert.equal(interfaceIndexOf("no-such-interface"), 0);
  assert.equal(interfaceIndexOf("a-name-much-longer-than-IFNAMSIZ"), 0);
  assert.equal(interfaceIndexOf(""), 0);
  assert.equal(interfaceNameOf(2_000_000_000), null);
});
