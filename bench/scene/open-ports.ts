// Listens on the ports named as arguments, says "ready", and hangs up on whoever comes, but for one port: the host's services.
import { once } from "node:events";
import { createServer } from "node:net";
import { PATIENT_PORT } from "./ports.ts";

for (const port of process.argv.slice(2)) {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    if (Number(port) === PATIENT_PORT) socket.resume();
    else socket.destroy();
  });
  server.listen({ port: Number(port), host: "::", backlog: 4_096 });
  await once(server, "listening");
}
process.stdout.write("ready\n");
