// The lines that PortSentry's users, their scripts and their log rules have looked for since 1998. Pure, so that the
// digest, the console and the system log all say the same.
import type { Event, Probe } from "../core/events.ts";
import { showable } from "../core/hostile.ts";
import { cut, syslogStamp } from "./figures/render.ts";

/** A line without its log prefix, and the time that belongs in front of it. */
export type AttackAlert = { readonly at: string; readonly text: string };

// One scan of 65,535 ports must not become as many lines; five show the order in which the scanner asks.
export const PORTS_PER_SCAN = 5;

const MAX_REASON = 300;

/**
 * What an event says in PortSentry 1.x's words, each line starting with `attackalert: `, without time, host and
 * program: whoever logs them puts those in front. Empty for events that are no attack.
 */
export function attackAlertLines(event: Event): string[] {
  return attackAlerts(event).map((alert) => alert.text);
}

/**
 * The same lines with their times.
 * @param maxPorts how many of a scan's ports get a line of their own
 */
export function attackAlerts(event: Event, maxPorts = PORTS_PER_SCAN): AttackAlert[] {
  switch (event.type) {
    case "scan.detected": {
      const seen = new Map<string, AttackAlert>();
      for (const probe of event.scan.probes) {
        const text = probeLine(probe);
        if (!seen.has(text)) seen.set(text, { at: probe.at, text });
        if (seen.size >= maxPorts) break;
      }
      if (seen.size > 0) return [...seen.values()];
      const host = showable(event.scan.source);
      return [{ at: event.scan.firstAt, text: `attackalert: Scan from host: ${host}/${host}` }];
    }
    case "scan.distributed": {
      const { sources, ports } = event.scan;
      const text = `attackalert: Distributed scan from about ${sources} hosts to ${ports} ports`;
      return [{ at: event.scan.lastAt, text }];
    }
    case "verdict.reached": {
      const { verdict } = event;
      if (verdict.guardrail !== undefined) {
        const text = `attackalert: Host ${showable(verdict.source)} is protected, not blocked: ${brief(verdict.guardrail)}`;
        return [{ at: event.at, text }];
      }
      if (verdict.action === "watch") {
        const text = `attackalert: Host ${showable(verdict.source)} is watched, not blocked: ${brief(verdict.because)}`;
        return [{ at: event.at, text }];
      }
      // In block mode the line waits for `block.applied`: a decision is not yet a block.
      if (verdict.action === "ignore" || verdict.mode !== "observe") return [];
      const done = verdict.action === "throttle" ? "slowed down" : "blocked";
      const text = `attackalert: Host ${showable(verdict.target)} would have been ${done} (observe mode): ${brief(verdict.because)}`;
      return [{ at: event.at, text }];
    }
    case "block.applied": {
      const via = event.via === undefined ? "" : ` via ${brief(event.via)}`;
      const text = `attackalert: Host ${showable(event.target)} has been ${event.throttled === true ? "slowed down" : "blocked"}${via} until ${syslogStamp(event.until)}`;
      return [{ at: event.at, text }];
    }
    case "block.failed": {
      const text = `attackalert: Host ${showable(event.target)} could not be blocked: ${brief(event.why)}`;
      return [{ at: event.at, text }];
    }
    case "block.lifted": {
      const text = `attackalert: Host ${showable(event.target)} is no longer blocked (${event.cause})`;
      return [{ at: event.at, text }];
    }
    default:
      return [];
  }
}

/** A line as it stands in a system log: `Nov 22 19:51:02 HOST telltale[812]: TEXT`. */
export function logLine(alert: AttackAlert, host: string, pid?: number): string {
  const tag = pid === undefined ? "telltale" : `telltale[${pid}]`;
  return `${syslogStamp(alert.at)} ${showable(host)} ${tag}: ${alert.text}`;
}

/** PortSentry's name for the kind of a probe, extended to the kinds it never saw. */
export function scanName(probe: Probe): string {
  switch (probe.kind) {
    case "syn":
      return "SYN/Normal scan";
    case "connect":
      return "Connect";
    case "fin":
      return "FIN scan";
    case "null":
      return "NULL scan";
    case "xmas":
      return "XMAS scan";
    case "maimon":
      return "Maimon scan";
    case "ack":
      return "ACK scan";
    case "flags":
      return `Unknown Type: TCP Packet Flags: ${showable(probe.flags ?? "none")}`;
    case "udp":
      return "UDP scan";
    case "sctp":
      return "SCTP scan";
    case "protocol":
      return "IP protocol scan";
    case "ping":
      return "Ping";
  }
}

function probeLine(probe: Probe): string {
  const host = showable(probe.source);
  const from = `attackalert: ${scanName(probe)} from host: ${host}/${host}`;
  if (probe.kind === "ping") return `${from} to host: ${showable(probe.target)}`;
  if (probe.kind === "protocol") return `${from} to IP protocol: ${probe.port}`;
  return `${from} to ${probe.protocol.toUpperCase()} port: ${probe.port}`;
}

function brief(text: string): string {
  return cut(showable(text), MAX_REASON);
}
