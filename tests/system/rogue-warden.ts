// The real warden with a listener in a stranger's hands: started in a lab as root, with the configuration and a script
// of what the rogue sends. What the warden answers and does is printed.
import { gatherSettings } from "../../src/app/settings.ts";
import { findAccount } from "../../src/app/split/account.ts";
import { Warden } from "../../src/app/split/warden.ts";

const [config, rogue] = process.argv.slice(2);
const gather = () => gatherSettings(config, true);
const account = findAccount(gather());
if ("because" in account) throw new Error(account.because);
// The warden starts its listener by the name of the program that it is itself.
process.argv[1] = rogue!;
const warden = new Warden({ settings: gather(), gather, account, json: true });
void warden.start();
process.on("SIGTERM", () => void warden.stop("SIGTERM").then(() => process.exit(0)));
