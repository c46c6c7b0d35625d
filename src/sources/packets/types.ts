// What the packet source is asked for and what it hands over: plain data, so that whoever decides what is worth
// watching needs to know nothing of sockets.

type Address6 = readonly [number, number, number, number];

/** First and last port, both included. */
export type PortRange = readonly [first: number, last: number];

/**
 * What is ordinary on this host, so that the kernel can keep it to itself. Ports that are missing here cost time, never
 * a finding: whoever receives the packets looks again.
 */
export type Ordinary = {
  /** Ports with a listener on every address from outside; a SYN or a datagram to them is no probe. */
  readonly open: {
    readonly tcp4: readonly PortRange[];
    readonly tcp6: readonly PortRange[];
    readonly udp4: readonly PortRange[];
    readonly udp6: readonly PortRange[];
  };
  /** Listeners on one address only: the address, as words in host order, and the port. A few dozen at most. */
  readonly openAt: {
    readonly tcp4: readonly (readonly [address: number, port: number])[];
    readonly udp4: readonly (readonly [address: number, port: number])[];
    readonly tcp6: readonly (readonly [address: Address6, port: number])[];
    readonly udp6: readonly (readonly [address: Address6, port: number])[];
  };
  /** Local ports of any TCP socket, listening or connected; an ACK or FIN|ACK to them is traffic. */
  readonly busy: { readonly tcp4: readonly PortRange[]; readonly tcp6: readonly PortRange[] };
  /** Ports this host takes for its own connections (net.ipv4.ip_local_port_range). */
  readonly ephemeral: PortRange;
  /** Of the SYNs to open ports, one in so many is handed over: a power of two, 1 for all. */
  readonly openOneIn: number;
  /** Sources of which nothing is wanted: an IPv4 address, an IPv6 address or an IPv6 /64. A few dozen at most. */
  readonly muted: readonly {
    readonly family: 4 | 6;
    readonly words: Address6;
    readonly bits: 32 | 64 | 128;
  }[];
  /**
   * This host's addresses as words in host order: packets to others only pass through. Null when they are unknown or too
   * many to ask for one by one.
   */
  readonly addresses: {
    readonly ipv4: readonly number[];
    readonly ipv6: readonly (readonly [number, number, number, number])[];
  } | null;
};

/** Nothing known to be ordinary: every SYN and every datagram is handed over. */
export const NOTHING_ORDINARY: Ordinary = {
  open: { tcp4: [], tcp6: [], udp4: [], udp6: [] },
  openAt: { tcp4: [], tcp6: [], udp4: [], udp6: [] },
  busy: { tcp4: [], tcp6: [] },
  ephemeral: [32_768, 60_999],
  openOneIn: 1,
  muted: [],
  addresses: null,
};
