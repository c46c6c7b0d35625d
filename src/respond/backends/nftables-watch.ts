// Hears when somebody takes telltale's nftables table apart (`nft flush ruleset`, a firewall that is reloaded), so that
// the blocks can be put back; and when the one who does it is telltale itself, on the administrator's order.
import {
  attributes,
  NetfilterSocket,
  type NetlinkMessage,
  NFNLGRP_NFTABLES,
  SUBSYSTEM,
} from "../../sys/netfilter-netlink.ts";

export type TableEvent =
  /** A part of the table was removed, or notifications were missed; somebody should look. */
  | "disturbed"
  /** telltale's own `unblock --all` is about to remove the table: nothing is to be put back. */
  | "lifted-by-order";

/** The set whose appearance announces the order, just before the table goes. */
export const ORDER_MARK = "lifted_by_order";

// linux/netfilter/nf_tables.h: enum nf_tables_msg_types, and the attributes' first members: every object names its table
// in attribute 1, a set its name in 2.
const DELTABLE = 2;
const DELCHAIN = 5;
const DELRULE = 8;
const NEWSET = 9;
const DELSET = 11;
const TABLE_NAME = 1;
const SET_NAME = 2;
const NFPROTO_INET = 1;

/**
 * Starts to listen.
 * @throws SystemCallError when the kernel does not let us
 */
export function watchTable(table: string, onEvent: (event: TableEvent) => void): Disposable {
  const socket = new NetfilterSocket({
    groups: [NFNLGRP_NFTABLES],
    onMessage: (message) => {
      const event = eventOf(message, table);
      if (event !== null) onEvent(event);
    },
    onOverrun: () => onEvent("disturbed"),
  });
  return socket;
}

function eventOf({ type, payload }: NetlinkMessage, table: string): TableEvent | null {
  if (type >> 8 !== SUBSYSTEM.nftables || payload[0] !== NFPROTO_INET) return null;
  const kind = type & 0xff;
  // Elements come and go by the thousand; only what holds the table together matters.
  if (kind !== DELTABLE && kind !== DELCHAIN && kind !== DELRULE && kind !== DELSET && kind !== NEWSET)
    return null;
  const found = attributes(payload);
  if (text(found.get(TABLE_NAME)) !== table) return null;
  if (kind !== NEWSET) return "disturbed";
  return text(found.get(SET_NAME)) === ORDER_MARK ? "lifted-by-order" : null;
}

function text(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return "";
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString("latin1");
}
