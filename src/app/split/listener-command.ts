// The listener's command line and surroundings.
import { join } from "node:path";
import type { Command } from "../../warden/spawn.ts";
import { type Account, dropTo, LISTENER_USER } from "./account.ts";

// V8 trades memory for speed by default; the listener runs for months beside other people's services. Its last compiler earns less
// in a flood of three seconds than it takes, and touches 5 MB of the runtime.
const SMALL = ["--max-semi-space-size=2", "--v8-pool-size=1", "--optimize-for-size", "--no-turbofan"];
/** Starts this very program as the listener of that account. */
export function listenerCommand(account: Account, storeDirectory: string): Command {
  // Root's own compiled code is not for others to write, and theirs is not for root to run.
  const cache =
    process.env["NODE_COMPILE_CACHE"] === undefined
      ? {}
      : { NODE_COMPILE_CACHE: join(storeDirectory, "code") };
  const {
    NODE_COMPILE_CACHE: _own,
    NOTIFY_SOCKET: _socket,
    WATCHDOG_PID: _pid,
    WATCHDOG_USEC: _usec,
    ...env
  } = process.env;
  return {
    argv: [...dropTo(account), process.execPath, ...SMALL, ...process.execArgv, process.argv[1]!, "listener"],
    env: { ...env, ...cache, HOME: storeDirectory, USER: LISTENER_USER, LOGNAME: LISTENER_USER },
  };
}
