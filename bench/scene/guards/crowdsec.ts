// crowdsec at the door, without its network of others: the scenario for scans over the firewall's log, decisions by its
// local API, blocks by its firewall bouncer, which asks every ten seconds as it is delivered.
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../../../tests/system/lab.ts";
import { waitFor } from "../../../tests/system/wait.ts";
import { missing } from "../../machine.ts";
import { startAccount } from "../costs.ts";
import { packetLogObstacle, startPacketLog } from "../packet-log.ts";
import type { Alarm, Guard } from "./types.ts";

const API = "127.0.0.1:18080";
const HUB = "/var/lib/crowdsec/hub";
const KEY = "bench-bench-bench-bench-bench-be";

export const crowdsec: Guard = {
  name: "crowdsec",
  role: "peer",
  command:
    "crowdsec; crowdsec-firewall-bouncer # parser iptables-logs and scenario iptables-scan-multi_ports over the firewall's log by NFLOG and ulogd2; offline; nftables",
  obstacle:
    missing("crowdsec") ??
    missing("crowdsec-firewall-bouncer") ??
    missing("cscli", "crowdsec") ??
    packetLogObstacle(),
  blocks: true,
  start: async (lab) => {
    const account = startAccount(lab);
    const alarms = await startCrowdsec(lab, await startPacketLog(lab));
    return { cost: account, alarms };
  },
};

/** Agent, local API and firewall bouncer over one log in syslog's format; returns whom it decided against so far. */
export async function startCrowdsec(lab: Lab, log: string): Promise<() => readonly Alarm[]> {
  const dir = join(lab.dir, "crowdsec");
  cpSync("/etc/crowdsec", dir, { recursive: true, verbatimSymlinks: true });
  for (const folder of ["data", "notifications", "parsers/s01-parse", "scenarios"])
    mkdirSync(join(dir, folder), { recursive: true });
  cpSync("/usr/share/crowdsec/data", join(dir, "data"), { recursive: true });
  symlinkSync(
    join(HUB, "parsers/s01-parse/crowdsecurity/iptables-logs.yaml"),
    join(dir, "parsers/s01-parse/iptables-logs.yaml"),
  );
  symlinkSync(
    join(HUB, "scenarios/crowdsecurity/iptables-scan-multi_ports.yaml"),
    join(dir, "scenarios/iptables-scan-multi_ports.yaml"),
  );
  writeFileSync(join(dir, "acquis.yaml"), `filenames:\n  - ${log}\nlabels:\n  type: syslog\n`);
  const credentials = join(dir, "local_api_credentials.yaml");
  writeFileSync(credentials, "");
  const config = join(dir, "config.yaml");
  writeFileSync(config, settings(dir, credentials));
  const cscli = (...args: string[]) => {
    const ran = lab.run("host", ["cscli", "-c", config, "--error", ...args]);
    if (ran.status !== 0) throw new Error(`cscli ${args.join(" ")}: ${ran.stderr.trim()}`);
  };
  cscli("machines", "add", "bench", "--force", "--password", KEY, "-f", credentials, "-u", `http://${API}`);
  cscli("bouncers", "add", "bench", "-k", KEY);
  const alarms: Alarm[] = [];
  let diary = "";
  const server = lab.start("host", ["crowdsec", "-c", config]);
  for (const stream of [server.stdout!, server.stderr!]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      const atMs = performance.timeOrigin + performance.now();
      for (const [, source] of chunk.matchAll(/Ip (\S+) performed /g))
        alarms.push({ source: source!, atMs, heardMs: atMs });

      diary = (diary + chunk).slice(-16_000);
    });
  }
  await waitFor("crowdsec to read the log", () => {
    if (server.exitCode !== null) throw new Error(`crowdsec ended with ${server.exitCode}: ${diary}`);
    return diary.includes("Starting processing data");
  });
  const bouncer = join(dir, "bouncer.yaml");
  writeFileSync(
    bouncer,
    `mode: nftables\nupdate_frequency: 10s\ndaemonize: false\nlog_mode: stdout\nlog_level: info\napi_url: http://${API}/\napi_key: ${KEY}\ndisable_ipv6: false\ndeny_action: DROP\nsupported_decisions_types:\n  - ban\nblacklists_ipv4: crowdsec-blacklists\nblacklists_ipv6: crowdsec6-blacklists\nnftables:\n  ipv4:\n    enabled: true\n    set-only: false\n    table: crowdsec\n    chain: crowdsec-chain\n  ipv6:\n    enabled: true\n    set-only: false\n    table: crowdsec6\n    chain: crowdsec6-chain\nprometheus:\n  enabled: false\n`,
  );
  const blocker = lab.start("host", ["crowdsec-firewall-bouncer", "-c", bouncer]);
  blocker.stdout!.resume();
  blocker.stderr!.resume();
  await waitFor("the bouncer's table", () =>
    lab.run("host", ["nft", "list", "tables"]).stdout.includes("table ip crowdsec"),
  );
  return () => alarms;
}

function settings(dir: string, credentials: string): string {
  return `common:
  daemonize: false
  log_media: stdout
  log_level: info
  working_dir: .
config_paths:
  config_dir: ${dir}/
  data_dir: ${dir}/data/
  simulation_path: ${dir}/simulation.yaml
  hub_dir: /var/lib/crowdsec/hub/
  index_path: /var/lib/crowdsec/hub/.index.json
  notification_dir: ${dir}/notifications/
  plugin_dir: /usr/lib/crowdsec/plugins/
crowdsec_service:
  acquisition_path: ${dir}/acquis.yaml
  parser_routines: 1
db_config:
  log_level: info
  type: sqlite
  use_wal: true
  db_path: ${dir}/data/crowdsec.db
plugin_config:
  user: nobody
  group: nogroup
api:
  client:
    insecure_skip_verify: false
    credentials_path: ${credentials}
  server:
    log_level: info
    listen_uri: ${API}
    profiles_path: ${dir}/profiles.yaml
prometheus:
  enabled: false
`;
}
