// Both ends of a connection to port 22, held open until they are killed: to the guard's eye a live session.
import { connect, createServer } from "node:net";

const [role, from, to] = process.argv.slice(2);
if (role === "listen") createServer((socket) => socket.on("error", () => socket.destroy())).listen(22);
else connect({ host: to!, port: 22, localAddress: from! }).on("error", () => process.exit(1));
