// Blocks and changes of them as they cross between the two halves of the guard: one text for all of them. As JSON objects a
// hundred thousand take ten times as long to write and to read, and as much more memory.
import { formatPrefix, type Prefix, parsePrefix } from "../../core/address.ts";
import type { AskedBlock } from "../../respond/packets.ts";
import type { HeldBlock } from "../../respond/plan.ts";
import type { FirewallChange } from "../../respond/types.ts";
import { MalformedRequest } from "../../warden/requests/parse.ts";

const BETWEEN = ";";
// `+TARGET MILLISECONDS PACKETS`, with f for fresh and t for throttled; a lift is `-TARGET`.
const CHANGE = /^(?:-([0-9a-f.:/]{2,49})|\+([0-9a-f.:/]{2,49}) ([1-9]\d{0,11}) (\d{1,15}) (f?))(t?)$/;
// `TARGET MILLISECONDS PACKETS`, no time for a block that nobody ends.
const HELD = /^([0-9a-f.:/]{2,49}) (\d{0,15}) (\d{1,15}) (t?)$/;

// `TARGET`, with t for throttled.
const ASKED = /^([0-9a-f.:/]{2,49})(t?)$/;

/** Changes of the firewall as one text. */
export function writeChanges(changes: readonly FirewallChange[]): string {
  return changes.map(changeText).join(BETWEEN);
}

function changeText(change: FirewallChange): string {
  const target = formatPrefix(change.target);
  const throttled = change.throttled === true ? "t" : "";
  if (change.do === "lift") return `-${target}${throttled}`;
  const { forMs, packetsStopped = 0, fresh } = change;
  const flags = `${fresh === true ? "f" : ""}${throttled}`;
  return `+${target} ${Math.max(1, Math.round(forMs))} ${packetsStopped} ${flags}`;
}

/**
 * Reads what `writeChanges` wrote, and trusts nothing of it.
 * @param longestMs of a block
 * @throws MalformedRequest for everything else, and for more changes than `most`
 */
export function readChanges(text: unknown, most: number, longestMs: number): FirewallChange[] {
  return itemsOf(text, most).map((item) => changeOf(item, longestMs));
}

function itemsOf(text: unknown, most: number): string[] {
  if (typeof text !== "string") throw new MalformedRequest("wants a text");
  if (text === "") return [];
  const items = text.split(BETWEEN, most + 1);
  if (items.length > most) throw new MalformedRequest(`wants at most ${most} of them`);
  return items;
}

function changeOf(item: string, longestMs: number): FirewallChange {
  const found = CHANGE.exec(item);
  if (found === null) throw new MalformedRequest("wants a change");
  const [, lifted, blocked, ms, packets, fresh, slow] = found;
  const target = mustReadPrefix(lifted ?? blocked!);
  const throttled = slow === "t" ? { throttled: true } : {};
  if (lifted !== undefined) return { do: "lift", target, ...throttled };
  const forMs = Number(ms);
  if (forMs > longestMs) throw new MalformedRequest("wants a change");
  const packetsStopped = Number(packets);
  return { do: "block", target, forMs, packetsStopped, fresh: fresh === "f", ...throttled };
}

function mustReadPrefix(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === null) throw new MalformedRequest("wants a prefix");
  return prefix;
}

/** Blocks that are asked about as one text. */
export function writeAsked(blocks: readonly AskedBlock[]): string {
  return blocks
    .map(({ target, throttled }) => `${formatPrefix(target)}${throttled === true ? "t" : ""}`)
    .join(BETWEEN);
}

/**
 * Reads what `writeAsked` wrote, and trusts nothing of it.
 * @throws MalformedRequest for everything else, and for more blocks than `most`
 */
export function readAsked(text: unknown, most: number): AskedBlock[] {
  return itemsOf(text, most).map((item) => {
    const [, target, slow] = ASKED.exec(item) ?? [];
    if (target === undefined) throw new MalformedRequest("wants a block");
    return { target: mustReadPrefix(target), throttled: slow === "t" };
  });
}

/** The blocks that the firewall holds as one text. */
export function writeHeld(held: readonly HeldBlock[]): string {
  return held
    .map(({ target, leftMs, packetsStopped, throttled }) => {
      const left = leftMs === null ? "" : Math.max(0, Math.round(leftMs));
      return `${formatPrefix(target)} ${left} ${packetsStopped} ${throttled === true ? "t" : ""}`;
    })
    .join(BETWEEN);
}

/** Reads what `writeHeld` wrote. */
export function readHeld(text: string): HeldBlock[] {
  const out: HeldBlock[] = [];
  for (const item of text === "" ? [] : text.split(BETWEEN)) {
    const [, base, left, packets, slow] = HELD.exec(item) ?? [];
    const target = base === undefined ? null : parsePrefix(base);
    if (target === null) continue;
    out.push({
      target,
      leftMs: left === "" ? null : Number(left),
      packetsStopped: Number(packets),
      ...(slow === "t" && { throttled: true }),
    });
  }
  return out;
}
