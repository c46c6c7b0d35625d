// Rotation by hand: what is due now, or what would be done and why.
import { systemClock } from "../../core/clock.ts";
import { formatFault } from "../../core/errors.ts";
import type { EventBody } from "../../core/events.ts";
import { showable } from "../../core/hostile.ts";
import { renderPlans } from "../../rotate/render.ts";
import { loadRotation, planRotations, runRotations, uncoveredLogs } from "../../rotate/run.ts";
import { Bus } from "../bus.ts";
import type { CommandCall } from "../catalogue.ts";
import { gatherSettings } from "../settings.ts";
import { formatBytes, table, widthOf } from "../terminal.ts";

export async function run({ values, operands }: CommandCall): Promise<number> {
  const settings = gatherSettings(values["config"] as string | undefined);
  const json = values["json"] === true;
  const complain = (text: string) => process.stderr.write(`${showable(text).replaceAll("\\x0a", "\n")}\n`);
  if (settings.rotateConfigs.length === 0) {
    complain(
      `telltale rotate: ${settings.config.rotate.config.join(", ")} is not there\n    mend: apt install logrotate for Debian's, or name yours under [rotate] config`,
    );
    return 1;
  }
  const options = {
    configs: settings.rotateConfigs,
    statePath: settings.rotateState,
    now: systemClock.now(),
    force: values["force"] === true,
    ...(operands.length > 0 && { only: operands }),
  };
  const rotation = await loadRotation(options);
  const faults = [...settings.faults, ...rotation.faults];
  for (const fault of faults) complain(formatFault(fault));

  if (values["uncovered"] === true) {
    const found = await uncoveredLogs(rotation, settings.config.rotate.roots, options);
    if (json) for (const log of found) process.stdout.write(`${JSON.stringify(log)}\n`);
    else if (found.length === 0) process.stdout.write("Every log is covered by some rotation.\n");
    else
      process.stdout.write(
        table(
          ["LOG", "SIZE", "WRITTEN BY"],
          found.map((log) => [log.path, formatBytes(log.sizeBytes), log.writer]),
        ),
      );
    return 0;
  }
  if (values["plan"] === true) {
    const plans = await planRotations(rotation, options);
    if (json) for (const plan of plans) process.stdout.write(`${JSON.stringify(plan)}\n`);
    else process.stdout.write(renderPlans(plans, widthOf(process.stdout)));
    return faults.length > 0 ? 1 : 0;
  }

  const bus = new Bus(settings.host, systemClock);
  const emit = (body: EventBody) => {
    const event = bus.stamp(body);
    if (json) process.stdout.write(`${JSON.stringify(event)}\n`);
    else if (event.type === "log.rotated")
      process.stdout.write(
        `rotated ${showable(event.log)} to ${showable(event.to)} (${formatBytes(event.sizeBytes)}, ${showable(event.because)})\n`,
      );
    else if (event.type === "rotation.failed")
      complain(`failed  ${event.log}: ${event.why}\n    mend: ${event.mend}`);
    return event;
  };
  const summary = await runRotations(rotation, options, emit);
  if (!json && summary.rotated === 0 && summary.failed === 0) process.stdout.write("Nothing was due.\n");
  return summary.exitStatus || (faults.length > 0 ? 1 : 0);
}
