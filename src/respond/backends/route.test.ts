import { backendContract } from "../backend.contract.ts";

backendContract({
  backend: "route",
  stopsPackets: true,
  countsPackets: false,
  expires: false,
  outlivesProcess: true,
  networks: true,
});
