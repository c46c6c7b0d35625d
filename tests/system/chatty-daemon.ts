// A daemon that writes a log: `node chatty-daemon.ts LOG LINES_PER_SECOND LINES [PIDFILE]`. It numbers its lines,
// opens the log again on SIGHUP as daemons do, and says on standard output when the disk refused a line.
import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";

const [log, rate, lines, pidFile] = process.argv.slice(2) as [string, string, string, string | undefined];
const TICK_MS = 20;
const perTick = Math.max(1, Math.round((Number(rate) * TICK_MS) / 1_000));

let descriptor = openSync(log, "a", 0o640);
let number = 0;
process.on("SIGHUP", () => {
  closeSync(descriptor);
  descriptor = openSync(log, "a", 0o640);
});
if (pidFile !== undefined) writeFileSync(pidFile, String(process.pid));

const timer = setInterval(() => {
  for (let i = 0; i < perTick && number < Number(lines); i++) {
    number++;
    const line = `Nov 22 12:00:00 host shop[4711]: order ${number} from customer ${(number * 7919) % 100_003} paid by card, basket of ${number % 9} items\n`;
    try {
      writeSync(descriptor, line);
    } catch (error) {
      process.stdout.write(`refused line ${number}: ${(error as Error).message}\n`);
    }
  }
  if (number < Number(lines)) return;
  clearInterval(timer);
  process.stdout.write(`done ${number}\n`);
  // It stays, as daemons do when they have nothing to say: somebody may still send it a signal.
  setInterval(() => {}, 60_000);
}, TICK_MS);
