// Ordinary visitors: HOST PORT MILLISECONDS. Opens connections to an open port as fast as a few dozen at a time go, and
// prints how many came through.
import { connect } from "node:net";

const AT_A_TIME = 32;
const [host, port, forMs] = process.argv.slice(2);
const end = performance.now() + Number(forMs);
let served = 0;

function visit(): void {
  if (performance.now() > end) return;
  const socket = connect(Number(port), host!);
  socket.on("connect", () => served++);
  socket.on("error", () => undefined);
  socket.on("close", visit);
  socket.resume();
}

for (let visitor = 0; visitor < AT_A_TIME; visitor++) visit();
process.on("exit", () => process.stdout.write(`${served}\n`));
