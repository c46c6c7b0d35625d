// PortSentry's lines, letter for letter as logcheck's and fail2ban's rules know them. Pure.
import { HIDDEN_FLAGS } from "../classify.ts";
import type { Outcome, RunnableStep, Sighting, Wording } from "./types.ts";

/**
 * The name of a TCP packet's flags as both generations print it.
 * @param isTiny a first fragment that may not hold them
 */
export function renderFlags(flags: number, isTiny = false): string {
  const set = flags & 0x3f;
  if (set === 0 && isTiny) return `Unknown Type: TCP Packet Flags: ${HIDDEN_FLAGS}`;
  if (set === 0) return "TCP NULL scan";
  if ((set & 0x29) === 0x29) return "TCP XMAS scan";
  if (set === 1) return "TCP FIN scan";
  if (set === 2) return "TCP SYN/Normal scan";
  const bit = (mask: number): number => ((set & mask) === 0 ? 0 : 1);
  return `Unknown Type: TCP Packet Flags: SYN: ${bit(2)} FIN: ${bit(1)} ACK: ${bit(16)} PSH: ${bit(8)} URG: ${bit(32)} RST: ${bit(4)}`;
}

/** The line of 2.x, one for each sighting. */
export function renderScan(sighting: Sighting, name: string, outcome: Outcome): string {
  const { source, protocol, port, type, ipOptions } = sighting;
  const { ignored, triggered, noblock, blocked } = outcome;
  return (
    `Scan from: [${source}] (${name}) protocol: [${protocol}] port: [${port}] type: [${type}] ` +
    `IP opts: [${ipOptions}] ignored: [${ignored}] triggered: [${triggered}] noblock: [${noblock}] blocked: [${blocked}]`
  );
}

/** The lines of 1.x about a sighting that is neither ignored nor below the trigger. */
export function renderAttack(sighting: Sighting, name: string): string[] {
  const { source, protocol, port, type, ipOptions } = sighting;
  const from = `host: ${name}/${source} to ${protocol} port: ${port}`;
  if (type === "Connect") return [`attackalert: Connect from ${from}`];
  // 1.x writes this one name with a space in front of it.
  const what = protocol === "UDP" ? "UDP scan" : type === "TCP NULL scan" ? ` ${type}` : type;
  const lines = [`attackalert: ${what} from ${from}`];
  if (ipOptions === "set") {
    lines.push(`attackalert: Packet from ${from} has IP options set (detection avoidance technique).`);
  }
  return lines;
}

/** What a step that succeeded did. */
export function renderStep(step: RunnableStep, sighting: Sighting): string {
  switch (step.do) {
    case "route":
      return `attackalert: Host ${sighting.source} has been blocked via dropped route using command: "${step.command}"`;
    case "wrappers":
      return `attackalert: Host ${sighting.source} has been blocked via wrappers with string: "${step.line}"`;
    case "external":
      return `attackalert: External command run for host: ${sighting.source} using command: "${step.command}"`;
  }
}

/** A step that failed: never "blocked". */
export function renderFailure(step: RunnableStep, sighting: Sighting, why: string): string {
  const what = step.do === "wrappers" ? `string: "${step.line}"` : `command: "${step.command}"`;
  return `adminalert: ERROR: Host ${sighting.source} was NOT dealt with by ${what}: ${why}`;
}

/** A KILL_ line without a target, which is not carried out. */
export function renderNothing(key: string, wording: Wording): string {
  return `${wording === 1 ? "adminalert: " : ""}No target variable specified in ${key} option. Skipping.`;
}

/** No step succeeded. */
export function renderUnblocked(sighting: Sighting, name: string, wording: Wording): string {
  return wording === 1
    ? `attackalert: ERROR: Could not block host ${name}/${sighting.source} !!`
    : `attackalert: Error during target dispose ${name}/${sighting.source}!`;
}

/** `already blocked`, in the wording of the generation and mode. */
export function renderAlreadyBlocked(sighting: Sighting, name: string, wording: Wording): string {
  return wording === 1 && sighting.type === "Connect"
    ? `attackalert: Host: ${sighting.source} is already blocked. Ignoring`
    : `attackalert: Host: ${name}/${sighting.source} is already blocked Ignoring`;
}

/** The line of the history file, without newline. */
export function renderHistory(line: string, sighting: Sighting, name: string, wording: Wording): string {
  const at = sighting.at;
  const two = (n: number): string => String(n).padStart(2, "0");
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  const [year, month, day] = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())];
  if (wording === 1) {
    const seconds = Math.floor(at.getTime() / 1_000);
    const { source, port, protocol } = sighting;
    return `${seconds} - ${month}/${day}/${year} ${time} Host: ${name}/${source} Port: ${port} ${protocol} Blocked`;
  }
  const offset = -at.getTimezoneOffset();
  const zone = `${offset < 0 ? "-" : "+"}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
  const milliseconds = String(at.getMilliseconds()).padStart(3, "0");
  return `${year}-${month}-${day}T${time}.${milliseconds}${zone} ${line}`;
}
