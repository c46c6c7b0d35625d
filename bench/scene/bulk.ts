// One visitor with a lot to bring: HOST PORT MILLISECONDS. Sends over one connection as fast as it is taken, and prints how
// many megabytes that were.
import { connect } from "node:net";

const [host, port, forMs] = process.argv.slice(2);
const end = performance.now() + Number(forMs);
const piece = Buffer.alloc(64 * 1_024);
const socket = connect(Number(port), host!);

function send(): void {
  while (performance.now() < end) if (!socket.write(piece)) return;
  socket.end();
}

socket.on("connect", send);
socket.on("drain", send);
socket.on("close", () => process.stdout.write(`${socket.bytesWritten / 1e6}\n`));
socket.resume();
