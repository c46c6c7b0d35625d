// Names addresses to the packet filter as whoever it was started as, and prints for each whether the filter took it.
import { parseAddress } from "../../core/address.ts";
import { LoopbackDatagrams } from "../../sys/loopback-datagram.ts";

const datagrams = new LoopbackDatagrams();
const heard = process.argv.slice(2).map((word) => {
  const [address = "", length] = word.split("/64");
  return datagrams.send(parseAddress(address)!, length === undefined ? 0 : 1);
});
datagrams.close();
process.stdout.write(JSON.stringify(heard));
