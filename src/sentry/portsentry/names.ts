// Host names for RESOLVE_HOST: asked for beside the packets, never in front of them, and shown only when the name leads
// back to the address, because whoever owns an address writes its name.
import { promises as dns } from "node:dns";
import { type Address, parseAddress } from "../../core/address.ts";
import { showable } from "../../core/hostile.ts";

const TIMEOUT_MS = 2_000;
const MAX_NAMES = 4_096;
// RFC 1035: 255 octets.
const MAX_NAME = 255;

/** The questions that are asked; node:dns, or something slower or less honest in tests. */
export type Resolver = {
  reverse(address: string): Promise<string[]>;
  lookup(name: string, options: { all: true }): Promise<{ address: string }[]>;
  lookupService(address: string, port: number): Promise<{ hostname: string }>;
};

export class HostNames {
  readonly #known = new Map<Address, Promise<string>>();
  readonly #resolver: Resolver;
  readonly #timeoutMs: number;

  constructor(resolver: Resolver = dns, timeoutMs = TIMEOUT_MS) {
    this.#resolver = resolver;
    this.#timeoutMs = timeoutMs;
  }

  /** The confirmed name, or the address. */
  of(address: Address): Promise<string> {
    let name = this.#known.get(address);
    if (name === undefined) {
      if (this.#known.size >= MAX_NAMES) this.#known.clear();
      name = within(this.#timeoutMs, confirmed(address, this.#resolver), address);
      this.#known.set(address, name);
    }
    return name;
  }
}

async function confirmed(address: Address, resolver: Resolver): Promise<string> {
  try {
    for (const name of (await namesOf(address, resolver)).slice(0, 4)) {
      if (name.length > MAX_NAME) continue;
      const back = await resolver.lookup(name, { all: true });
      if (back.some((one) => parseAddress(one.address) === address)) return showable(name);
    }
  } catch {
    // No name, no server, a name that leads nowhere: the address is the name.
  }
  return address;
}

/** Of an address in /etc/hosts node:dns knows that there is an answer, and not which; getnameinfo(3) does, and waits for nobody then. */
async function namesOf(address: Address, resolver: Resolver): Promise<string[]> {
  const names = await resolver.reverse(address);
  return names.length > 0 ? names : [(await resolver.lookupService(address, 0)).hostname];
}

function within<T>(limitMs: number, work: Promise<T>, otherwise: T): Promise<T> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(otherwise), limitMs);
    void work.then((value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}
