// How the guard tells systemd that it is ready, alive, or ending (Type=notify, WatchdogSec=). Elsewhere it tells nobody.
import { describeError } from "../core/errors.ts";
import type { Notifier } from "../sys/notify.ts";

export type Service = {
  ready(status: string): void;
  status(status: string): void;
  stopping(): void;
};

const NOBODY: Service = { ready() {}, status() {}, stopping() {} };

/** Reads the environment that systemd gave to this process, and takes it away from those that it starts. */
export async function openService(): Promise<Service> {
  const address = process.env["NOTIFY_SOCKET"];
  const watchdogUs = Number(process.env["WATCHDOG_USEC"] ?? 0);
  const isOurs = [undefined, String(process.pid)].includes(process.env["WATCHDOG_PID"]);
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete process.env[name];
  if (address === undefined || address === "") return NOBODY;
  let notifier: Notifier;
  try {
    const { openNotifier } = await import("../sys/notify.ts");
    notifier = openNotifier(address);
  } catch (error) {
    process.stderr.write(`telltale guard: systemd is told nothing: ${describeError(error)}\n`);
    return NOBODY;
  }
  // Half the time that systemd allows, as sd_watchdog_enabled(3) advises.
  if (watchdogUs > 0 && isOurs) setInterval(() => notifier.say("WATCHDOG=1"), watchdogUs / 2_000).unref();
  return {
    ready: (status) => notifier.say("READY=1", `STATUS=${status}`),
    status: (status) => notifier.say(`STATUS=${status}`),
    stopping: () => notifier.say("STOPPING=1"),
  };
}
