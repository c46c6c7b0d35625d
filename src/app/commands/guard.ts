// The daemon in the foreground, until a signal ends it: as two processes where the host is ready for that, as one
// elsewhere.
import { systemClock } from "../../core/clock.ts";
import { describeError } from "../../core/errors.ts";
import type { Spawned } from "../../warden/spawn.ts";
import type { CommandCall } from "../catalogue.ts";
import { claimState, openControl } from "../control/open.ts";
import { openService } from "../service.ts";
import { gatherSettings, type Settings } from "../settings.ts";
import { settleSoon } from "../settle.ts";
import { type Account, findAccount, programFiles, type Whole, whyNot } from "../split/account.ts";

const MODES = { observe: "observing: nobody is blocked", block: "blocking: scanners are locked out" };

type Call = { readonly gather: () => Settings; readonly json: boolean };

export async function run({ values }: CommandCall): Promise<number> {
  const configFile = values["config"] as string | undefined;
  const gather = () => gatherSettings(configFile, values["block"] === true);
  const call = { gather, json: values["json"] === true };
  const settings = gather();
  using claim = await claimState(settings);
  if (claim === null) return 1;
  const account = await prepare(settings);
  return "because" in account ? await runWhole(settings, account, call) : await runSplit(account, call);
}

/** Makes everything ready for two processes, or says why it has to be one. */
async function prepare(settings: Settings): Promise<Account | Whole> {
  const account = await prepareTwo(settings);
  if ("because" in account && process.getuid?.() === 0) {
    const { takeBackFolders } = await import("../split/store-owner.ts");
    takeBackFolders(settings.storeFile, LISTENER_FOLDERS);
  }
  return account;
}

async function prepareTwo(settings: Settings): Promise<Account | Whole> {
  const account = findAccount(settings);
  if ("because" in account) return account;
  const { handOverStore } = await import("../split/store-owner.ts");
  try {
    handOverStore(settings.storeFile, LISTENER_FOLDERS, account);
  } catch (error) {
    return {
      because: `the store cannot be handed over: ${describeError(error)}`,
      mend: `see who owns what in ${settings.storeDirectory}`,
    };
  }
  return whyNot(account, programFiles(), [settings.storeDirectory]) ?? account;
}

// Reports that wait, and compiled code.
const LISTENER_FOLDERS = ["spool", "code"];

async function runSplit(account: Account, { gather, json }: Call): Promise<number> {
  // Once more: the store's folder may have become another one for rotation's state.
  const settings = gather();
  // The listener reads its code while the warden reads its own; what it asks waits in the channel.
  const first = await startListener(account, settings.storeDirectory);
  const { Warden } = await import("../split/warden.ts");
  const warden = new Warden({ settings, gather, account, json, ...(first && { first }) });
  process.title = "telltale: warden";
  // Whatever went wrong, the listener and the blocks are better off with a warden than without one.
  const uncaught = (error: unknown): void => {
    process.stderr.write(`telltale guard: ${error instanceof Error ? error.stack : String(error)}\n`);
  };
  process.on("uncaughtException", uncaught);
  process.on("unhandledRejection", uncaught);
  let stopAs: (because: string) => void = () => {};
  const ended = Promise.race([signalled(), new Promise<string>((resolve) => void (stopAs = resolve))]);
  process.on("SIGHUP", () => void warden.reload());
  const service = await openService();
  void warden.start().then(() => service.ready(MODES[warden.settings.mode]));
  const control = await openControl(warden.settings, warden.control(stopAs), warden.emit);
  const because = await ended;
  service.stopping();
  await control?.close();
  await warden.stop(because);
  process.exit(0);
}

async function startListener(account: Account, storeDirectory: string): Promise<Spawned | null> {
  const [{ spawnListener }, { listenerCommand }] = await Promise.all([
    import("../../warden/spawn.ts"),
    import("../split/listener-command.ts"),
  ]);
  try {
    return spawnListener(listenerCommand(account, storeDirectory));
  } catch {
    return null; // The warden tries it again, and says why when it cannot.
  }
}

async function runWhole(settings: Settings, whole: Whole, { gather, json }: Call): Promise<number> {
  const [{ Guard }, { controlled }, { ownPowers }, { Screen }] = await Promise.all([
    import("../lifecycle.ts"),
    import("../control/overview.ts"),
    import("../powers.ts"),
    import("../screen.ts"),
  ]);
  const guard = new Guard(settings, systemClock, ownPowers(whole));
  const screen = new Screen(json);
  guard.bus.subscribe(screen.show);
  let stopAs: (because: string) => void = () => {};
  const ended = Promise.race([signalled(), new Promise<string>((resolve) => void (stopAs = resolve))]);
  const hands = controlled(guard, systemClock, { gather, stop: stopAs });
  process.on("SIGHUP", () => void guard.reload(gather()));
  const uncaught = (error: unknown): void => {
    process.stderr.write(`telltale guard: ${error instanceof Error ? error.stack : String(error)}\n`);
    if (!guard.survive(error))
      void guard.stop("an error that no part is to blame for").then(() => process.exit(70));
  };
  process.on("uncaughtException", uncaught);
  process.on("unhandledRejection", uncaught);

  const service = await openService();
  await guard.start();
  service.ready(MODES[settings.mode]);
  const control = await openControl(settings, hands, guard.bus.emit);
  screen.ready(settings, guard.status());
  settleSoon(true);
  const because = await ended;
  service.stopping();
  await control?.close();
  await guard.stop(because);
  screen.flush();
  // Threads of the packet ring or of a foreign call may still wait for their timeout.
  process.exit(0);
}

function signalled(): Promise<string> {
  return new Promise((resolve) => {
    process.on("SIGTERM", () => resolve("SIGTERM"));
    process.on("SIGINT", () => resolve("SIGINT"));
  });
}
