// The lines of a busy server: sshd, kernel, postfix, cron, sudo and
// systemd, with fields that vary as they do in life, under traditional timestamps. `typical` is the mixture that Debian's
// server rules mostly ignore; `worst` holds only lines that no rule knows, so that each one costs every rule its try and
// ends up in the report.
import { closeSync, openSync, writeSync } from "node:fs";
import { type Chance, makeChance } from "./chance.ts";

export type Mixture = "typical" | "sshd-kernel" | "worst";

type Kind = { readonly program: string; readonly hasPid: boolean; text(chance: Chance): string };
type Weighted = readonly [weight: number, kind: Kind];

const USERS = ["alice", "bob", "carol", "deploy", "git", "backup", "www-data", "jenkins", "nagios", "erin"];
const GUESSED = [
  "admin",
  "test",
  "oracle",
  "ubuntu",
  "postgres",
  "guest",
  "pi",
  "ftpuser",
  "minecraft",
  "hadoop",
];
const UNITS = [
  "apt-daily.service",
  "logrotate.service",
  "man-db.service",
  "fstrim.service",
  "phpsessionclean.service",
];
const DOMAINS = ["example.org", "example.com", "mail.example.net", "lists.example.org", "shop.example.com"];
const SYMBOLS = "0123456789ABCDEF";
const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const text = (chance: Chance, alphabet: string, length: number): string => {
  let out = "";
  for (let i = 0; i < length; i++) out += alphabet[chance.below(alphabet.length)];
  return out;
};
const address = (c: Chance) => `${c.pick([192, 198, 203])}.0.${c.below(256)}.${1 + c.below(254)}`;
const port = (c: Chance) => 1_024 + c.below(64_000);
const mailId = (c: Chance) => text(c, SYMBOLS, 10 + c.below(2));
const hardware = (c: Chance) => Array.from({ length: 14 }, () => text(c, "0123456789abcdef", 2)).join(":");

const line = (program: string, write: (c: Chance) => string, hasPid = true): Kind => ({
  program,
  hasPid,
  text: write,
});

const SSHD: readonly Weighted[] = [
  [
    10,
    line(
      "sshd",
      (c) =>
        `Accepted publickey for ${c.pick(USERS)} from ${address(c)} port ${port(c)} ssh2: ED25519 SHA256:${text(c, BASE64, 43)}`,
    ),
  ],
  [
    8,
    line(
      "sshd",
      (c) =>
        `pam_unix(sshd:session): session opened for user ${c.pick(USERS)}(uid=${1_000 + c.below(50)}) by (uid=0)`,
    ),
  ],
  [8, line("sshd", (c) => `pam_unix(sshd:session): session closed for user ${c.pick(USERS)}`)],
  [6, line("sshd", (c) => `Received disconnect from ${address(c)} port ${port(c)}:11: disconnected by user`)],
  [6, line("sshd", (c) => `Disconnected from user ${c.pick(USERS)} ${address(c)} port ${port(c)}`)],
  [7, line("sshd", (c) => `Invalid user ${c.pick(GUESSED)} from ${address(c)} port ${port(c)}`)],
  [
    7,
    line(
      "sshd",
      (c) => `Failed password for invalid user ${c.pick(GUESSED)} from ${address(c)} port ${port(c)} ssh2`,
    ),
  ],
  [
    6,
    line(
      "sshd",
      (c) => `Connection closed by invalid user ${c.pick(GUESSED)} ${address(c)} port ${port(c)} [preauth]`,
    ),
  ],
  [5, line("sshd", (c) => `Connection closed by ${address(c)} port ${port(c)} [preauth]`)],
];

const KERNEL: readonly Weighted[] = [
  [
    6,
    line(
      "kernel",
      (c) =>
        `[${c.below(9_000_000)}.${100_000 + c.below(900_000)}] IN=eth0 OUT= MAC=${hardware(c)} SRC=${address(c)} DST=198.51.100.1 LEN=${40 + c.below(24)} TOS=0x00 PREC=0x00 TTL=${32 + c.below(200)} ID=${c.below(65_536)} DF PROTO=TCP SPT=${port(c)} DPT=${c.below(65_536)} WINDOW=${c.below(65_536)} RES=0x00 SYN URGP=0`,
      false,
    ),
  ],
  [
    3,
    line(
      "kernel",
      (c) =>
        `[${c.below(9_000_000)}.${100_000 + c.below(900_000)}] TCP: request_sock_TCP: Possible SYN flooding on port ${c.below(65_536)}. Sending cookies.  Check SNMP counters.`,
      false,
    ),
  ],
  [
    2,
    line(
      "kernel",
      (c) =>
        `[${c.below(9_000_000)}.${100_000 + c.below(900_000)}] eth${c.below(4)}: Link is up at 1000 Mbps, full duplex, flow control both`,
      false,
    ),
  ],
];

const OTHERS: readonly Weighted[] = [
  [9, line("postfix/smtpd", (c) => `connect from mx${c.below(90)}.${c.pick(DOMAINS)}[${address(c)}]`)],
  [
    9,
    line(
      "postfix/smtpd",
      (c) =>
        `disconnect from mx${c.below(90)}.${c.pick(DOMAINS)}[${address(c)}] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5`,
    ),
  ],
  [
    8,
    line(
      "postfix/cleanup",
      (c) => `${mailId(c)}: message-id=<${text(c, BASE64.slice(0, 62), 24)}@${c.pick(DOMAINS)}>`,
    ),
  ],
  [
    8,
    line(
      "postfix/qmgr",
      (c) =>
        `${mailId(c)}: from=<${c.pick(USERS)}@${c.pick(DOMAINS)}>, size=${500 + c.below(90_000)}, nrcpt=1 (queue active)`,
    ),
  ],
  [
    8,
    line(
      "postfix/smtp",
      (c) =>
        `${mailId(c)}: to=<${c.pick(USERS)}@${c.pick(DOMAINS)}>, relay=mx.${c.pick(DOMAINS)}[${address(c)}]:25, delay=${c.below(9)}.${c.below(99)}, delays=0.0${c.below(9)}/0.01/0.${c.below(99)}/0.${c.below(99)}, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as ${mailId(c)})`,
    ),
  ],
  [8, line("postfix/qmgr", (c) => `${mailId(c)}: removed`)],
  [
    9,
    line(
      "CRON",
      (c) => `(root) CMD (   test -x /usr/sbin/job${c.below(40)} && /usr/sbin/job${c.below(40)} --quiet)`,
    ),
  ],
  [6, line("CRON", () => "pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)")],
  [6, line("CRON", () => "pam_unix(cron:session): session closed for user root")],
  [
    2,
    line(
      "sudo",
      (c) =>
        `   ${c.pick(USERS)} : TTY=pts/${c.below(9)} ; PWD=/home/${c.pick(USERS)} ; USER=root ; COMMAND=/usr/bin/systemctl restart app${c.below(30)}`,
      false,
    ),
  ],
  [
    2,
    line(
      "sudo",
      (c) =>
        `pam_unix(sudo:session): session opened for user root(uid=0) by ${c.pick(USERS)}(uid=${1_000 + c.below(50)})`,
      false,
    ),
  ],
  [5, line("systemd", (c) => `Starting ${c.pick(UNITS)} - Periodic work ${c.below(60)}...`)],
  [5, line("systemd", (c) => `Finished ${c.pick(UNITS)} - Periodic work ${c.below(60)}.`)],
  [5, line("systemd", (c) => `${c.pick(UNITS)}: Deactivated successfully.`)],
];

// Programs that are no package's: their lines look like the others, and no rule of Debian names them.
const UNKNOWN: readonly Weighted[] = [
  [
    5,
    line(
      "inventoryd",
      (c) =>
        `synchronised ${c.below(9_000)} items of ${c.pick(DOMAINS)} with ${address(c)}:${port(c)} in ${c.below(900)} ms`,
    ),
  ],
  [
    5,
    line(
      "gatekeeper",
      (c) =>
        `ticket ${text(c, SYMBOLS, 16)} of ${c.pick(USERS)} was extended until 0${c.below(9)}:${10 + c.below(49)}`,
    ),
  ],
  [
    4,
    line(
      "kernel",
      (c) =>
        `[${c.below(9_000_000)}.${100_000 + c.below(900_000)}] frobnicator ${c.below(8)}-${c.below(8)}: lane ${c.below(16)} retrained to ${c.below(9)} GT/s`,
      false,
    ),
  ],
  [
    4,
    line(
      "sshd",
      (c) =>
        `relay channel ${c.below(99)} for ${c.pick(USERS)} from ${address(c)} port ${port(c)} was moved to slot ${c.below(99)}`,
    ),
  ],
];

const MIXTURES: Record<Mixture, readonly Weighted[]> = {
  typical: [...SSHD, ...OTHERS, ...KERNEL.map(([weight, kind]) => [weight / 4, kind] as const)],
  "sshd-kernel": [...SSHD, ...KERNEL],
  worst: UNKNOWN,
};

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const TABLE_SIZE = 1_024;
const CHUNK = 1 << 20;
const two = (n: number): string => (n < 10 ? `0${n}` : String(n));

/** Lines with their newline, in order of time, without an end. */
export function* syslogLines(mixture: Mixture, seed = 1): Generator<string> {
  const chance = makeChance(seed);
  const table = tableOf(MIXTURES[mixture]);
  // 2026-03-01 00:00:00, and some forty lines a second from there on.
  let seconds = 0;
  for (;;) {
    if (chance.below(40) === 0) seconds++;
    const day = Math.floor(seconds / 86_400);
    const stamp = `${MONTHS[(2 + Math.floor(day / 28)) % 12]} ${String(1 + (day % 28)).padStart(2)} ${two(Math.floor(seconds / 3_600) % 24)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
    const kind = table[chance.below(TABLE_SIZE)]!;
    const tag = kind.hasPid ? `${kind.program}[${300 + chance.below(32_000)}]` : kind.program;
    yield `${stamp} web1 ${tag}: ${kind.text(chance)}\n`;
  }
}

// A table in which each kind fills room by its weight: one look instead of a search.
function tableOf(kinds: readonly Weighted[]): Kind[] {
  const total = kinds.reduce((sum, [weight]) => sum + weight, 0);
  const table: Kind[] = [];
  let upTo = 0;
  for (const [weight, kind] of kinds) {
    upTo += (weight / total) * TABLE_SIZE;
    while (table.length < Math.round(upTo)) table.push(kind);
  }
  while (table.length < TABLE_SIZE) table.push(kinds[0]![1]);
  return table;
}

/**
 * Writes a log of at least `sizeBytes`, up to the end of a line.
 * @returns how many lines it has
 */
export function writeLog(path: string, mixture: Mixture, sizeBytes: number, seed = 1): number {
  const fd = openSync(path, "w");
  let written = 0;
  let count = 0;
  let chunk = "";
  const flush = () => {
    writeSync(fd, chunk, null, "latin1");
    written += chunk.length;
    chunk = "";
  };
  try {
    for (const each of syslogLines(mixture, seed)) {
      chunk += each;
      count++;
      if (chunk.length >= CHUNK || written + chunk.length >= sizeBytes) flush();
      if (written >= sizeBytes) return count;
    }
  } finally {
    closeSync(fd);
  }
  return count;
}
