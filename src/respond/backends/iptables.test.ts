import { spawnSync } from "node:child_process";
import { backendContract } from "../backend.contract.ts";

backendContract({
  backend: "iptables",
  stopsPackets: true,
  countsPackets: true,
  expires: true,
  outlivesProcess: true,
  networks: true,
  skip: () => {
    for (const tool of ["iptables", "ip6tables", "ipset"]) {
      if (spawnSync(tool, ["--version"]).error !== undefined)
        return `needs ${tool}: apt install iptables ipset`;
    }
    return null;
  },
});
