import { backendContract } from "../backend.contract.ts";

backendContract({
  backend: "record",
  stopsPackets: false,
  countsPackets: false,
  expires: true,
  outlivesProcess: false,
  networks: true,
});
