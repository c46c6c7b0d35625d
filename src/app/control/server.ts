// Answers whoever asks the running guard. Clients are strangers: they may send anything, slowly, or never read what they
// asked for. None of that may cost the guard more than a bounded piece of memory and a moment.
import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { describeError, MissingPartError } from "../../core/errors.ts";
import { METRICS_TYPE } from "../../report/metrics/render.ts";
import { type Peer, peerOf } from "../../sys/peer-credentials.ts";
import { parseRequest } from "./parse.ts";
import { type Answer, CHANGING, type Controlled, type Request } from "./types.ts";

// The longest request is that of an HTTP client with its headers.
const MAX_REQUEST_BYTES = 4_096;
// A person or a script asks at once; who does not is gone.
const ASK_WITHIN_MS = 5_000;
// A client that leaves this much unread is cut off: an event is about 1 kB.
const MAX_UNREAD_BYTES = 1_000_000;
// sockaddr_un of unix(7), with its closing zero.
const MAX_PATH_BYTES = 107;
// So many at a time for everybody together; root comes in on top, or members of the group could keep it out.
const MAX_CLIENTS = 16;
const MAX_ROOT_CLIENTS = 16;

export type ControlOptions = {
  readonly path: string;
  /** Name of the group that may read; "" for none. */
  readonly group: string;
  readonly guard: Controlled;
};

export type ControlServer = {
  readonly path: string;
  /** What keeps the group from reading, or "". */
  readonly notice: string;
  close(): Promise<void>;
};

/**
 * Listens at `path`: the guard's user and the group may connect, and only root (or the guard's own user) may change.
 * @throws MissingPartError when the path cannot be used, or somebody answers there already
 */
export async function serveControl({ path, group, guard }: ControlOptions): Promise<ControlServer> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw unusable(
      path,
      `has ${Buffer.byteLength(path)} bytes; a socket's path has ${MAX_PATH_BYTES} at most`,
    );
  }
  await makeRoom(path);
  const clients = new Set<Client>();
  const own = process.getuid?.() ?? 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => socket.destroy()); // it went away, and its answer with it
    let peer: Peer;
    try {
      peer = peerOf(socket);
    } catch {
      socket.destroy(); // gone before it could be asked who it is
      return;
    }
    const mayChange = peer.uid === 0 || peer.uid === own;
    const alike = [...clients].filter((client) => client.mayChange === mayChange).length;
    if (alike >= (mayChange ? MAX_ROOT_CLIENTS : MAX_CLIENTS)) {
      socket.destroy();
      return;
    }
    const client = new Client(socket, mayChange, guard);
    clients.add(client);
    socket.on("close", () => clients.delete(client));
  });
  await listen(server, path);
  const notice = openTo(group, path);
  return {
    path,
    notice,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const client of clients) client.end();
      }),
  };
}

/** One connection: one request, one answer. */
class Client {
  readonly mayChange: boolean;
  readonly #socket: Socket;
  readonly #guard: Controlled;
  #request = "";
  #asked = false;

  constructor(socket: Socket, mayChange: boolean, guard: Controlled) {
    this.#socket = socket;
    this.mayChange = mayChange;
    this.#guard = guard;
    socket.setEncoding("utf8");
    const patience = setTimeout(() => socket.destroy(), ASK_WITHIN_MS);
    socket.on("close", () => clearTimeout(patience));
    socket.on("end", () => {
      if (!this.#asked) socket.destroy();
    });
    socket.on("data", (text: string) => {
      if (this.#asked) return;
      this.#request += text;
      const end = this.#request.indexOf("\n");
      if (end < 0 && this.#request.length <= MAX_REQUEST_BYTES) return;
      this.#asked = true;
      clearTimeout(patience);
      if (end < 0) this.#refuse(`is longer than ${MAX_REQUEST_BYTES} bytes`);
      else void this.#serve(this.#request.slice(0, end));
    });
  }

  end(): void {
    this.#socket.destroy();
  }

  async #serve(line: string): Promise<void> {
    const asked = parseRequest(line);
    if ("fault" in asked) return this.#refuse(asked.fault);
    if (CHANGING.includes(asked.do) && !this.mayChange) {
      return this.#say({
        ok: false,
        why: `only root may ${asked.do} the guard`,
        mend: `sudo telltale ${asked.do}`,
      });
    }
    try {
      await this.#answer(asked.do, asked.http);
    } catch (error) {
      this.#say({ ok: false, why: describeError(error), mend: "see what the guard printed" });
    }
  }

  async #answer(request: Request, http: boolean): Promise<void> {
    switch (request) {
      case "status":
        return this.#say({ ok: true, value: await this.#guard.status() });
      case "blocks":
        return this.#say({ ok: true, value: await this.#guard.blocks() });
      case "reload":
        return this.#say({ ok: true, value: await this.#guard.reload() });
      case "metrics": {
        const text = await this.#guard.metrics();
        if (http) return this.#sayMetrics(text);
        return this.#say({ ok: true, value: text });
      }
      case "events":
        return this.#follow();
      case "stop":
        // The connection stays open until the process ends: that is how the client knows.
        this.#socket.write(`${JSON.stringify({ ok: true, value: { pid: process.pid } })}\n`);
        this.#guard.stop("telltale stop");
    }
  }

  #refuse(fault: string): void {
    this.#say({
      ok: false,
      why: `the request ${fault}`,
      mend: "use telltale status, blocks, reload or stop",
    });
  }

  #say(answer: Answer<unknown>): void {
    this.#finish(`${JSON.stringify(answer)}\n`);
  }

  #sayMetrics(text: string): void {
    const length = Buffer.byteLength(text);
    this.#finish(
      `HTTP/1.1 200 OK\r\nContent-Type: ${METRICS_TYPE}\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n${text}`,
    );
  }

  // An answer that nobody reads is dropped with its connection.
  #finish(text: string): void {
    this.#socket.setTimeout(ASK_WITHIN_MS, () => this.#socket.destroy());
    this.#socket.end(text);
  }

  #follow(): void {
    this.#socket.write(`${JSON.stringify({ ok: true, value: null })}\n`);
    const leave = this.#guard.subscribe((event) => {
      if (this.#socket.writableLength > MAX_UNREAD_BYTES) this.#socket.destroy();
      else if (this.#socket.writable) this.#socket.write(`${JSON.stringify(event)}\n`);
    });
    this.#socket.on("end", () => this.#socket.destroy());
    this.#socket.on("close", leave);
  }
}

// A guard that was killed leaves its socket behind; one that answers is alive, whatever its state directory is.
async function makeRoom(path: string): Promise<void> {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  } catch (error) {
    throw unusable(path, describeError(error), error);
  }
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw unusable(path, "is there already and is no socket");
  const alive = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    // Whatever else goes wrong, somebody may be there: a full queue of connections, a socket of another user.
    socket.on("error", (error: NodeJS.ErrnoException) =>
      resolve(error.code !== "ECONNREFUSED" && error.code !== "ENOENT"),
    );
  });
  if (alive) throw unusable(path, "another guard answers there");
  rmSync(path, { force: true });
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(unusable(path, describeError(error), error)));
    // Nobody may come in before the group is set; bind(2) happens within this call.
    const before = process.umask(0o177);
    try {
      server.listen(path, resolve);
    } finally {
      process.umask(before);
    }
  });
}

/** Lets the group connect, which takes the right to write to the socket. Returns why not, or "". */
function openTo(group: string, path: string): string {
  if (group === "") return "";
  const gid = gidOf(group);
  // Whoever is not root can only give away what is theirs: that guard is its user's alone, and nobody needs to be told.
  if (process.getuid?.() !== 0 && (gid === null || !process.getgroups?.().includes(gid))) return "";
  if (gid === null) return `guard.control_group: there is no group ${group}; only root may ask`;
  try {
    chownSync(path, -1, gid);
    chmodSync(path, 0o660);
    return "";
  } catch (error) {
    return `guard.control_group: ${describeError(error)}; only the guard's own user may ask`;
  }
}

// group(5); names that come from elsewhere (LDAP) are written there as a number.
function gidOf(group: string): number | null {
  if (/^\d{1,9}$/.test(group)) return Number(group);
  let text = "";
  try {
    text = readFileSync("/etc/group", "utf8");
  } catch {
    return null; // no such file: no such group
  }
  const line = text.split("\n").find((entry) => entry.startsWith(`${group}:`));
  const gid = Number(line?.split(":")[2] ?? Number.NaN);
  return Number.isInteger(gid) ? gid : null;
}

function unusable(path: string, why: string, cause?: unknown): MissingPartError {
  const mend = "stop the other guard (telltale stop), or set another guard.control_socket";
  return new MissingPartError("control", `control socket ${path}: ${why}`, mend, cause);
}
