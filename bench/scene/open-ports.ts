// Listens on the ports named as arguments, says "ready", and hangs up on whoever comes: the host's services.
import { once } from "node:events";
import { createServer } from "node:net";

for (const port of process.argv.slice(2)) {
  const server = createServer((socket) => socket.on("error", () => undefined).destroy());
  server.listen({ port: Number(port), host: "::", backlog: 4_096 });
  await once(server, "listening");
}
process.stdout.write("ready\n");
