// Says to systemd how a service is doing (sd_notify(3)): one datagram to the socket that it named in the environment.
import { lastError, libc } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;
// struct sockaddr_un of unix(7): the family, then up to 108 bytes of path.
const PATH_AT = 2;
const MAX_PATH = 108;

/** An open way to the service manager. */
export type Notifier = {
  /** Sends lines such as `READY=1`; what cannot be delivered now is dropped, as sd_notify(3) does. */
  say(...lines: readonly string[]): void;
  close(): void;
};

/**
 * @param address the value of NOTIFY_SOCKET: a path, or `@` and an abstract name
 * @throws SystemCallError when no socket can be had; Error when the address is none
 */
export function openNotifier(address: string): Notifier {
  const path = Buffer.from(address);
  if ((address[0] !== "/" && address[0] !== "@") || path.length >= MAX_PATH)
    throw new Error(`NOTIFY_SOCKET=${address} is no address of a socket`);
  const name = Buffer.alloc(PATH_AT + path.length);
  name.writeUInt16LE(AF_UNIX, 0);
  path.copy(name, PATH_AT);
  if (address[0] === "@") name[PATH_AT] = 0;
  const c = libc();
  const socket = c.func("int socket(int domain, int type, int protocol)");
  const sendto = c.func(
    "int64_t sendto(int fd, const void *bytes, size_t length, int flags, const void *to, uint32_t toLength)",
  );
  const close = c.func("int close(int fd)");
  const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) as number;
  if (fd < 0) throw lastError("socket", "AF_UNIX");
  return {
    say: (...lines) => {
      const bytes = Buffer.from(lines.join("\n"));
      sendto(fd, bytes, bytes.length, MSG_NOSIGNAL, name, name.length);
    },
    close: () => void close(fd),
  };
}
