// nmap as a hurried stranger uses it: a SYN scan at full speed that asks each port once and gives up soon, because whoever is
// locked out would otherwise go on for hours.

/** The command line of a scan of these ports, `1-300`, of an IPv4 or IPv6 address. */
export function synScan(host: string, ports: string, giveUp = "4s"): readonly string[] {
  const family = host.includes(":") ? ["-6"] : [];
  const manner = ["-sS", "-Pn", "-n", "-T4", "--max-retries", "0"];
  return ["nmap", ...family, ...manner, "-p", ports, "--host-timeout", giveUp, host];
}
