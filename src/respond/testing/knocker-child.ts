// Lives in the stranger's namespace and knocks at TCP ports when told: `answered` when the host accepts or replies
// with a reset, `silent` when nothing comes back in time.
import { connect } from "node:net";
import { createInterface } from "node:readline";

type Request = { id: number; from: string; to: string; port: number; patienceMs: number };

function knock({ from, to, port, patienceMs }: Request): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: to, port, localAddress: from });
    const say = (word: string) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(word);
    };
    const timer = setTimeout(() => say("silent"), patienceMs);
    socket.on("connect", () => say("answered"));
    socket.on("error", (error: NodeJS.ErrnoException) =>
      say(error.code === "ECONNREFUSED" ? "answered" : "silent"),
    );
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as Request;
  void knock(request).then((value) => process.stdout.write(`${JSON.stringify({ id: request.id, value })}\n`));
}
