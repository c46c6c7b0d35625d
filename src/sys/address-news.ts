// Hears from the kernel when an address of this host or an interface comes or goes, so that nobody has to ask again and again
// on a host where nothing changes.
import { koffi } from "./libc.ts";
import { CHANGES, NetworkChanges } from "./network-changes.ts";

/** Calls `onNews`, soon after, whenever addresses or interfaces have changed in this process's network namespace. */
export class AddressNews {
  readonly #changes: NetworkChanges;
  readonly #poll: ReturnType<ReturnType<typeof koffi>["node"]["poll"]>;
  #closed = false;

  /** Needs no privilege. Throws SystemCallError where the kernel does not tell. */
  constructor(onNews: () => void) {
    this.#changes = new NetworkChanges(CHANGES.links | CHANGES.addresses);
    // The handle calls from outside of Node's own machinery; an immediate is inside of it again.
    this.#poll = koffi().node.poll(this.#changes.fd, { readable: true }, () =>
      setImmediate(() => {
        if (this.#closed) return;
        this.#changes.take();
        onNews();
      }),
    );
    this.#poll.unref();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#poll.close();
    this.#changes.close();
  }
}
