// A real SMTP server that keeps what it gets: `node smtp-sink.ts PORT DIR` writes each message to DIR/N.eml.
import { createWriteStream, renameSync } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { SMTPServer } from "smtp-server";

const [port, dir] = process.argv.slice(2) as [string, string];
let count = 0;

const server = new SMTPServer({
  authOptional: true,
  disabledCommands: ["STARTTLS"],
  onData(stream, _session, done) {
    const name = `${++count}.eml`;
    const partial = join(dir, `${name}.part`);
    const file = createWriteStream(partial);
    stream.pipe(file);
    finished(file).then(
      () => {
        renameSync(partial, join(dir, name));
        done();
      },
      (error: Error) => done(error),
    );
  },
});
server.listen(Number(port), "127.0.0.1", () => process.stdout.write("ready\n"));
