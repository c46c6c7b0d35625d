// The firewall log that psad, fail2ban and crowdsec read scans from. The kernel's own LOG lines leave no network
// namespace, so the rule says NFLOG and ulogd2 writes the same lines to a file, as both manuals describe it.
import { existsSync, globSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../../tests/system/lab.ts";
import { waitFor } from "../../tests/system/wait.ts";
import { missing } from "../machine.ts";
import { OPEN_PORTS } from "./ports.ts";

/** Passive FTP's data ports, opened in the firewall as FTP servers' manuals ask for. */
const PASSIVE_PORTS = { from: 50_000, to: 50_099 } as const;

export const packetLogObstacle = (): string | null => missing("ulogd", "ulogd2") ?? missing("iptables");

/**
 * Logs what reaches the host and belongs to nothing it serves: neither to a connection, nor to an open port, nor ping.
 * @returns the file
 */
export async function startPacketLog(lab: Lab): Promise<string> {
  const path = join(lab.dir, "packets.log");
  const config = join(lab.dir, "ulogd.conf");
  const plugin = (name: string) => `plugin="${globSync(`/usr/lib/*/ulogd/ulogd_${name}.so`)[0]}"\n`;
  const plugins = [
    "inppkt_NFLOG",
    "raw2packet_BASE",
    "filter_IFINDEX",
    "filter_IP2STR",
    "filter_PRINTPKT",
    "output_LOGEMU",
  ];
  writeFileSync(
    config,
    `[global]\nlogfile="${lab.dir}/ulogd.diary"\nloglevel=5\n${plugins.map(plugin).join("")}stack=log1:NFLOG,base1:BASE,ifi1:IFINDEX,ip2str1:IP2STR,print1:PRINTPKT,emu1:LOGEMU\n[log1]\ngroup=7\n[emu1]\nfile="${path}"\nsync=1\n`,
  );
  const ulogd = lab.start("host", ["ulogd", "-c", config]);
  ulogd.stdout!.resume();
  ulogd.stderr!.resume();
  await waitFor("ulogd's log", () => existsSync(path));
  const half = Math.ceil(OPEN_PORTS.length / 2); // multiport takes fifteen
  const { from, to } = PASSIVE_PORTS;
  const served = [OPEN_PORTS.slice(0, half).join(","), OPEN_PORTS.slice(half).join(","), `${from}:${to}`];
  for (const [table, ping] of [
    ["iptables", "icmp --icmp-type echo-request"],
    ["ip6tables", "ipv6-icmp"],
  ] as const) {
    const rules = [
      "-i lo -j ACCEPT",
      "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
      ...served.map((ports) => `-p tcp --syn -m multiport --dports ${ports} -j ACCEPT`),
      `-p ${ping} -j ACCEPT`,
      // The prefix makes it the line that the kernel's own LOG would have written.
      "-j NFLOG --nflog-group 7 --nflog-prefix kernel:",
    ];
    for (const rule of rules) {
      const added = lab.run("host", [table, "-A", "INPUT", ...rule.split(" ")]);
      if (added.status !== 0) throw new Error(`${table} -A INPUT ${rule}: ${added.stderr.trim()}`);
    }
  }
  const empty = statSync(path).size;
  await waitFor("the first line of the packet log", () => {
    lab.run(
      "stranger",
      ["hping3", "-q", "-n", "-2", "-c", "1", "-p", "9", "-a", "192.0.2.99", lab.clients[0]!.host4],
      {
        timeoutMs: 500,
      },
    );
    return statSync(path).size > empty;
  });
  return path;
}
