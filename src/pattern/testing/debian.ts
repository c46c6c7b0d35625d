// The rules that Debian ships for logcheck, and lines as the daemons they are about write them.
import { existsSync, globSync, readFileSync } from "node:fs";
import { randomFrom } from "./sample.ts";

const FOLDERS = "/etc/logcheck/{ignore.d.*,violations.d,violations.ignore.d,cracking.d,cracking.ignore.d}/*";

export const debianMissing: string | null = existsSync("/etc/logcheck/ignore.d.server/ssh")
  ? null
  : "needs the rules: apt install logcheck-database";

/** Every rule under /etc/logcheck, without comments and empty lines, each once. */
export function debianRules(folders = FOLDERS): Buffer[] {
  const seen = new Set<string>();
  for (const file of globSync(folders).sort()) {
    for (const line of readFileSync(file, "latin1").split("\n")) {
      if (line.trim() !== "" && !line.startsWith("#")) seen.add(line);
    }
  }
  return [...seen].map((line) => Buffer.from(line, "latin1"));
}

/** `count` lines of a busy server, the same for the same seed. */
export function serverLines(count: number, seed: number): Buffer[] {
  const random = randomFrom(seed);
  const number = (below: number) => Math.floor(random() * below);
  const pick = <T>(list: readonly T[]): T => list[number(list.length)]!;
  const two = (value: number) => String(value).padStart(2, "0");
  const address = () => `${1 + number(223)}.${number(256)}.${number(256)}.${number(256)}`;
  const user = () => pick(["root", "admin", "git", "www-data", "müller", "o'brien", "test user", "postgres"]);
  const hex = (length: number) => Array.from({ length }, () => number(16).toString(16)).join("");
  const says: readonly (() => string)[] = [
    () =>
      `sshd[${number(99999)}]: Failed password for invalid user ${user()} from ${address()} port ${number(65536)} ssh2`,
    () => `sshd[${number(99999)}]: Connection closed by ${address()} port ${number(65536)} [preauth]`,
    () => `sshd[${number(99999)}]: Invalid user ${user()} from ${address()} port ${number(65536)}`,
    () =>
      `sshd[${number(99999)}]: Received disconnect from ${address()} port ${number(65536)}:11: Bye Bye [preauth]`,
    () =>
      `sshd[${number(99999)}]: Accepted publickey for ${user()} from ${address()} port ${number(65536)} ssh2: RSA SHA256:${hex(43)}`,
    () =>
      `sshd[${number(99999)}]: pam_unix(sshd:session): session opened for user ${user()}(uid=${number(2000)}) by (uid=0)`,
    () => `CRON[${number(99999)}]: (${user()}) CMD (   cd / && run-parts --report /etc/cron.hourly)`,
    () => `CRON[${number(99999)}]: pam_unix(cron:session): session closed for user ${user()}`,
    () => `postfix/smtpd[${number(99999)}]: connect from unknown[${address()}]`,
    () =>
      `postfix/smtpd[${number(99999)}]: disconnect from unknown[${address()}] ehlo=1 auth=0/1 quit=1 commands=2/3`,
    () =>
      `postfix/qmgr[${number(99999)}]: ${hex(10).toUpperCase()}: from=<${user()}@example.org>, size=${number(99999)}, nrcpt=1 (queue active)`,
    () =>
      `kernel: [${number(99999)}.${number(999999)}] IN=eth0 OUT= MAC=${hex(12)} SRC=${address()} DST=${address()} LEN=40 PROTO=TCP SPT=${number(65536)} DPT=${number(65536)} SYN`,
    () => `kernel: [${number(99999)}.${number(999999)}] Out of memory: Killed process ${number(9999)} (java)`,
    () => `sudo:   ${user()} : TTY=pts/${number(9)} ; PWD=/home ; USER=root ; COMMAND=/usr/bin/apt update`,
    () =>
      `sudo: pam_unix(sudo:auth): authentication failure; logname= uid=${number(2000)} euid=0 tty=/dev/pts/0 ruser=${user()} rhost=  user=${user()}`,
    () => `systemd[1]: Started session-${number(9999)}.scope - Session ${number(9999)} of User ${user()}.`,
    () => `systemd[1]: apt-daily.service: Deactivated successfully.`,
    () => `systemd-logind[${number(999)}]: New session ${number(9999)} of user ${user()}.`,
    () => `dhclient[${number(999)}]: DHCPREQUEST for ${address()} on eth0 to ${address()} port 67`,
    () =>
      `named[${number(999)}]: client @0x${hex(12)} ${address()}#${number(65536)} (example.org): query (cache) 'example.org/A/IN' denied`,
    () => `ntpd[${number(999)}]: Soliciting pool server ${address()}`,
    () => `su[${number(999)}]: FAILED SU (to root) ${user()} on pts/1`,
    () => `nginx[${number(999)}]: \u65e5\u672c\u8a9e caf\u00e9 "GET /\ud83d\ude00 HTTP/1.1" 404`,
  ];
  return Array.from({ length: count }, () => {
    const clock = `${two(number(24))}:${two(number(60))}:${two(number(60))}`;
    const stamp =
      random() < 0.7
        ? `Nov ${String(1 + number(30)).padStart(2, " ")} ${clock}`
        : `2026-11-${two(1 + number(30))}T${clock}.${number(999999)}+00:00`;
    const line = Buffer.from(`${stamp} ${pick(["web1", "db.example.org", "mx-2"])} ${pick(says)()}`);
    // One line in fifty carries a byte that is no UTF-8: attackers write user names.
    if (random() < 0.02) line[number(line.length)] = 0x80 + number(128);
    return line;
  });
}
