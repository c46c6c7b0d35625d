// Knocks once at a TCP port: `answered` when the host replies with a reset, `silent` when nothing comes back.
// Arguments: own address, host's address, patience in milliseconds, port.
import { connect } from "node:net";

const [localAddress, host, patience, port] = process.argv.slice(2);
const socket = connect({ host: host!, port: Number(port), localAddress: localAddress! });
const say = (word: string) => {
  process.stdout.write(word);
  process.exit(0);
};
socket.on("connect", () => say("answered"));
socket.on("error", (error: NodeJS.ErrnoException) =>
  say(error.code === "ECONNREFUSED" ? "answered" : "silent"),
);
setTimeout(() => say("silent"), Number(patience));
