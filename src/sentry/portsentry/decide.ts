// Decides what PortSentry would do about one sighting. Pure: what is known of the source arrives as arguments.
import type { PortsentryConfig, Reaction } from "./parse.ts";
import type { Outcome, Sighting, Step } from "./types.ts";

export type Facts = {
  readonly isIgnored: boolean;
  /** Sightings of this source so far, this one included. */
  readonly count: number;
  readonly isBlocked: boolean;
};

export type Decision = {
  readonly outcome: Outcome;
  /** Send PORT_BANNER, in connect mode. */
  readonly banner: boolean;
  readonly react: "no" | "already blocked" | "block";
};

/** The flags as far as they are known before anything is done; a block that fails turns `blocked` to false. */
export function decideSighting(
  config: Pick<PortsentryConfig, "scanTrigger" | "blockTcp" | "blockUdp">,
  sighting: Pick<Sighting, "protocol">,
  { isIgnored, count, isBlocked }: Facts,
): Decision {
  const unset = { triggered: "unset", noblock: "unset", blocked: "unset" } as const;
  if (isIgnored) return { outcome: { ...unset, ignored: "true" }, banner: false, react: "no" };
  if (count < config.scanTrigger) {
    return { outcome: { ...unset, ignored: "false", triggered: "false" }, banner: false, react: "no" };
  }
  const reaction: Reaction = sighting.protocol === "TCP" ? config.blockTcp : config.blockUdp;
  const seen = { ignored: "false", triggered: "true" } as const;
  if (reaction === 0) {
    return { outcome: { ...seen, noblock: "true", blocked: "false" }, banner: true, react: "no" };
  }
  const outcome = { ...seen, noblock: "false", blocked: "true" } as const;
  return { outcome, banner: true, react: isBlocked ? "already blocked" : "block" };
}

/**
 * The steps of a block, in their order: hosts.deny and route, and the external command before or after them. Reaction 2
 * runs the external command only. Values are filled in that telltale itself parsed, so no stranger's text gets into a
 * shell.
 */
export function planBlock(config: PortsentryConfig, sighting: Sighting, mode: string): Step[] {
  const fill = (text: string): string =>
    text
      .replaceAll("$TARGET$", sighting.source)
      .replaceAll("$PORT$", String(sighting.port))
      .replaceAll("$MODE$", mode);
  const reaction = sighting.protocol === "TCP" ? config.blockTcp : config.blockUdp;
  const external: Step[] =
    config.killRunCmd === "" ? [] : [{ do: "external", command: fill(config.killRunCmd) }];
  if (reaction === 2) return external;
  const block: Step[] = [];
  const { killHostsDeny, killRoute } = config;
  const names = (text: string): boolean => text.includes("$TARGET$");
  if (killHostsDeny !== "" && !names(killHostsDeny)) block.push({ do: "nothing", key: "KILL_HOSTS_DENY" });
  else if (killHostsDeny !== "") block.push({ do: "wrappers", line: fill(killHostsDeny) });
  if (killRoute !== "" && !names(killRoute)) block.push({ do: "nothing", key: "KILL_ROUTE" });
  else if (killRoute !== "") block.push({ do: "route", command: fill(killRoute) });
  return config.killRunCmdFirst ? [...external, ...block] : [...block, ...external];
}
