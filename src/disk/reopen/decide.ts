// Decides how a stanza makes a writer let go of the old file. Pure. For daemons whose manuals name a way, that way; for all
// others copytruncate, which needs nothing from the writer.

export type Reopening = {
  /** Lines between `postrotate` and `endscript`; null for copytruncate. */
  readonly script: string | null;
  readonly because: string;
};

type Way =
  | { readonly signal: string; readonly pidFile?: string }
  | { readonly command: string }
  | "copytruncate";

// By the name the kernel shows (comm, 15 characters). Each as the daemon's own manual has it.
const WAYS: Readonly<Record<string, Way>> = {
  rsyslogd: { signal: "HUP", pidFile: "/run/rsyslogd.pid" },
  "syslog-ng": { signal: "HUP", pidFile: "/run/syslog-ng.pid" },
  syslogd: { signal: "HUP", pidFile: "/run/syslogd.pid" },
  nginx: { signal: "USR1", pidFile: "/run/nginx.pid" },
  apache2: { signal: "USR1", pidFile: "/run/apache2/apache2.pid" },
  httpd: { signal: "USR1", pidFile: "/run/httpd/httpd.pid" },
  lighttpd: { signal: "HUP", pidFile: "/run/lighttpd.pid" },
  haproxy: { command: "systemctl reload haproxy.service" },
  squid: { command: "squid -k rotate" },
  varnishncsa: { signal: "HUP" },
  traefik: { signal: "USR1" },
  gunicorn: { signal: "USR1" },
  mariadbd: { command: "mariadb-admin flush-logs" },
  mysqld: { command: "mysqladmin flush-logs" },
  mongod: { signal: "USR1" },
  // Debian's own stanza for it does the same: the collector appends, and its signal goes to a child without a pid file.
  postgres: "copytruncate",
  dovecot: { command: "doveadm log reopen" },
  log: { command: "doveadm log reopen" },
  "php-fpm": { signal: "USR1" },
  supervisord: { signal: "USR2" },
  unbound: { command: "unbound-control -q log_reopen" },
  chronyd: { command: "chronyc cyclelogs" },
  "fail2ban-server": { command: "fail2ban-client flushlogs" },
  clamd: { signal: "HUP" },
  freshclam: { signal: "HUP" },
  tor: { signal: "HUP" },
  monit: { signal: "HUP" },
};

/**
 * @param name the writer's name, or "" when nobody has the log open
 * @param unit the systemd unit it runs in: `nginx.service`; "" when in none
 * @param append whether its writes go to the end of the file
 */
export function decideReopening(name: string, unit: string, append: boolean): Reopening {
  if (name === "") {
    return { script: null, because: "nobody has it open now; copytruncate suits whoever opens it next" };
  }
  const way = WAYS[name] ?? WAYS[name.replace(/[-\d.]+$/, "")];
  if (way === undefined || way === "copytruncate") {
    const known =
      way === undefined ? `no signal is known by which ${name} reopens its log` : `${name} appends`;
    const risk = append
      ? ""
      : "; it does not append, so that the emptied log gets a hole: better make it reopen";
    return { script: null, because: `${known}: the log is copied and emptied in place${risk}` };
  }
  if ("command" in way) return { script: way.command, because: `${name} reopens its logs by ${way.command}` };
  const because = `${name} reopens its logs on SIG${way.signal}`;
  if (/^[\w@.:-]+\.service$/.test(unit)) {
    return { script: `systemctl kill --kill-who=main --signal=${way.signal} ${unit}`, because };
  }
  const { pidFile } = way;
  if (pidFile !== undefined) {
    return { script: `[ ! -f ${pidFile} ] || kill -${way.signal} "$(cat ${pidFile})"`, because };
  }
  return { script: `pkill -${way.signal} -o -x ${name}`, because };
}
