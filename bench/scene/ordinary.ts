// Ordinary visitors: KIND HOST NETWORK. Plays, from addresses of a /24 of its own (NETWORK is its first three numbers),
// one of the things that happen all day and are no scan, and ends when it is over. Runs in the stranger's network.
import { createSocket } from "node:dgram";
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

const [kind, host, network] = process.argv.slice(2) as [string, string, string];
const GIVE_UP_MS = 1_500;
// Whoever is locked out in the middle would go on for minutes.
const LATEST_MS = 20_000;

/** Connects once; whether somebody listened. */
function touch(address: string, port: number): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, localAddress: address });
    const late = setTimeout(() => socket.destroy(), GIVE_UP_MS); // a guard may have locked this visitor out
    let reached = false;
    socket.on("connect", () => {
      reached = true;
      clearTimeout(late);
      resolve(socket);
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearTimeout(late);
      if (!reached) resolve(null);
    });
    socket.resume();
  });
}

async function visit(address: string, port: number): Promise<void> {
  (await touch(address, port))?.destroy();
}

/** @param hops the time to live of the n-th datagram */
async function datagrams(
  address: string,
  ports: readonly number[],
  hops: (n: number) => number = () => 64,
): Promise<void> {
  const socket = createSocket("udp4");
  socket.on("error", () => undefined); // the host says that nobody is there
  await new Promise<void>((resolve) => socket.bind(0, address, resolve));
  for (const [n, port] of ports.entries()) {
    socket.setTTL(hops(n));
    socket.send("x".repeat(32), port, host);
    await pause(20);
  }
  socket.close();
}

const address = (n: number): string => `${network}.${n}`;
const each = async (count: number, play: (address: string, n: number) => Promise<void>): Promise<void> => {
  for (let n = 1; n <= count; n++) await play(address(n), n);
};
const times = async (count: number, play: () => Promise<void>): Promise<void> => {
  for (let n = 0; n < count; n++) await play();
};

const KINDS: Record<string, () => Promise<void>> = {
  web: () => each(20, (from) => times(10, () => visit(from, 80))),
  mistyped: () => each(5, (from) => times(10, () => visit(from, 8443))),
  refused: () => each(5, (from) => times(10, () => visit(from, 990))),
  ssh: () => each(5, (from) => times(20, () => visit(from, 22))),
  down: () => each(20, (from) => times(5, () => visit(from, 9090))),
  swarm: async () => {
    const peer = async (n: number): Promise<void> => {
      await times(3, () => visit(address(n), 6881));
      await datagrams(address(n), [6881, 6881]);
    };
    for (let n = 1; n <= 200; n += 20) await Promise.all(Array.from({ length: 20 }, (_, k) => peer(n + k)));
  },
  nat: async () => {
    // Two hundred people behind one address; a few of them mistype.
    const open = [80, 443, 22, 25, 993];
    for (let person = 0; person < 200; person++) {
      await times(3, () => visit(address(1), open[person % open.length]!));
      if (person % 40 === 20) await visit(address(1), [8000, 8443, 8888][person % 3]!);
    }
  },
  // traceroute(8): sixteen probes under way at once, three for each hop, and this host is the first hop.
  traceroute: () => {
    const ports = Array.from({ length: 16 }, (_, n) => 33_434 + n);
    return each(3, (from) => datagrams(from, ports, (n) => 1 + Math.floor(n / 3)));
  },
  monitoring: async () => {
    for (const port of process.argv.slice(5).map(Number)) await times(3, () => visit(address(1), port));
    await datagrams(address(1), [161, 161, 161, 161, 161]);
  },
  ftp: async () => {
    // The control connection names a data port each time; every twentieth client comes when the port is closed again.
    const control = await touch(address(1), 50_099);
    if (control === null) return;
    control.setTimeout(3 * GIVE_UP_MS, () => control.destroy()); // a guard may lock this visitor out, too
    control.write("go\n");
    for await (const chunk of control.setEncoding("utf8")) {
      for (const word of String(chunk).split("\n").filter(Boolean)) {
        const [port, whether] = word.split(" ");
        if (whether === "late") await pause(30);
        await visit(address(1), Number(port));
        control.write("next\n");
      }
    }
  },
  // Each answers three times, later than the host waits, from ports of its choice.
  devices: async () => {
    const heard = createSocket({ type: "udp4", reuseAddr: true });
    heard.on("message", (_, asker) => {
      for (let n = 1; n <= 9; n++)
        setTimeout(() => {
          const answer = createSocket("udp4").on("error", () => undefined);
          answer.bind(0, address(1 + (n % 3)), () =>
            answer.send("HTTP/1.1 200 OK", asker.port, asker.address, () => answer.close()),
          );
        }, n * 30);
    });
    await new Promise<void>((resolve) => heard.bind(1_900, resolve));
    heard.addMembership("239.255.255.250");
    process.stdout.write("ready\n");
    await pause(5_000);
    heard.close();
  },
  // The host asks, and half of the answers come when it no longer waits for them.
  dns: async () => {
    const server = createSocket("udp4");
    let answered = 0;
    server.on("message", (question, from) => {
      const isLate = answered++ % 2 === 1;
      setTimeout(() => server.send(question, from.port, from.address), isLate ? 250 : 0);
    });
    await new Promise<void>((resolve) => server.bind(53, address(1), resolve));
    process.stdout.write("ready\n");
    await pause(5_000);
    server.close();
  },
};

const play = KINDS[kind];
if (play === undefined) throw new Error(`no such visitors: ${kind}`);
setTimeout(() => process.exit(0), LATEST_MS);
await play().catch((error: NodeJS.ErrnoException) => {
  if (error.code !== "ERR_STREAM_PREMATURE_CLOSE") throw error; // locked out in the middle
});
process.exit(0);
