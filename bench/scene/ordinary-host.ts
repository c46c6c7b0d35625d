// The host's share of ordinary traffic: KIND PEER. "ftp" offers data ports, "dns" asks a name server and gives up soon, and
// "devices" searches for some, with the host's own address for PEER, and does not wait. Runs in the host's network.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

const [kind, peer] = process.argv.slice(2) as [string, string];
const TRANSFERS = 40;
const QUESTIONS = 30;
const PATIENCE_MS = 60;

if (kind === "ftp") {
  const control = createServer(async (client) => {
    client.on("error", () => undefined).setEncoding("utf8");
    const answers = client[Symbol.asyncIterator]();
    await answers.next();
    for (let transfer = 0; transfer < TRANSFERS && !client.destroyed; transfer++) {
      const port = 50_000 + transfer;
      const data = createServer((socket) => socket.on("error", () => undefined).destroy());
      await once(data.listen({ port, host: "::" }), "listening");
      const isLate = transfer % 20 === 19;
      if (isLate) data.close();
      client.write(`${port} ${isLate ? "late" : "now"}\n`);
      await answers.next();
      if (!isLate) data.close();
    }
    client.destroy();
    control.close();
  });
  control.listen({ port: 50_099, host: "::" }, () => process.stdout.write("ready\n"));
}
if (kind === "dns") {
  for (let question = 0; question < QUESTIONS; question++) {
    const socket = createSocket("udp4").on("error", () => undefined);
    socket.send("who is this?", 53, peer);
    await pause(PATIENCE_MS);
    socket.close();
  }
}
if (kind === "devices") {
  for (let search = 0; search < QUESTIONS; search++) {
    const socket = createSocket("udp4").on("error", () => undefined);
    await new Promise<void>((resolve) => socket.bind(0, peer, resolve));
    socket.setMulticastInterface(peer);
    await new Promise((resolve) => socket.send("M-SEARCH * HTTP/1.1", 1_900, "239.255.255.250", resolve));
    socket.close();
    await pause(PATIENCE_MS);
  }
}
