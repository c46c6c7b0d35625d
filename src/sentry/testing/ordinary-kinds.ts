// What happens to a server all day and is no scan, kind by kind: what a guard who only counts packets takes for scans.
import { PROTOCOL } from "../types.ts";
import { ACK, at, SYN } from "./engine-bench.ts";
import { type Day, SERVED_TCP } from "./ordinary-day.ts";

const { tcp, udp, icmp, icmp6 } = PROTOCOL;
const FIN = 1;
const RST = 4;
const PSH = 8;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Fills a day, from `t` on, with one kind of ordinary traffic. */
export type Kind = (day: Day, t: number) => void;

export const KINDS: Readonly<Record<string, Kind>> = {
  // Sixteen connections from reserved ports (nconnect=16), which the server goes on with after this host has rebooted.
  "an NFS server whose client has rebooted": (day, t) => {
    const server = day.peer();
    for (let n = 0; n < 16; n++) {
      const port = 1_023 - n * 7;
      for (const laterMs of [0, 210, 640])
        day.send(t + n * 20 + laterMs, server, { sourcePort: 2_049, port, flags: ACK | PSH });
    }
    // Its lock manager asks our portmapper where to call back; nothing has such a port here.
    for (let n = 0; n < 4; n++)
      day.send(t + n * 5_000, server, { protocol: udp, sourcePort: 700 + n, port: 32_803 });
  },
  "NFS clients, whose mount daemon moves to another port": (day, t) => {
    const [before, after] = [day.between(20_000, 32_000), day.between(33_000, 60_000)];
    day.socket(t, "opens", tcp, before);
    const clients = Array.from({ length: 8 }, () => day.peer());
    for (const [n, client] of clients.entries()) {
      for (const port of [111, 2_049, before]) day.visit(t + n * 900 + port, client, port, 4_000);
      day.send(t + n * 900, client, { protocol: udp, port: 111, sourcePort: 900 - n });
    }
    day.socket(t + 5 * MINUTE, "closes", tcp, before);
    day.socket(t + 5 * MINUTE, "opens", tcp, after);
    for (const client of clients) {
      day.knock(t + 6 * MINUTE, client, before);
      day.visit(t + 7 * MINUTE, client, after, 2_000);
    }
  },
  // Each call has ports of its own, and the other side notices late that it is over.
  "a SIP trunk with calls over a range of ports": (day, t) => {
    const trunk = day.peer();
    for (let call = 0; call < 40; call++) {
      const port = 10_000 + 2 * day.between(0, 4_000);
      const sourcePort = 16_384 + 2 * day.between(0, 8_000);
      const begin = t + call * 7_000;
      const lasts = day.between(600, 5_000);
      day.send(begin, trunk, { protocol: udp, sourcePort: 5_060, port: 5_060 });
      for (const media of [port, port + 1]) day.socket(begin + 5, "opens", udp, media);
      const isHeardOnly = call % 4 === 0;
      for (let ms = 20; ms < lasts; ms += 20) {
        day.send(begin + ms, trunk, { protocol: udp, sourcePort, port });
        if (!isHeardOnly)
          day.reply(begin + ms + 1, trunk, { protocol: udp, sourcePort: port, port: sourcePort });
      }
      // Both sides report what they heard, even where only one of them speaks.
      const reports = { protocol: udp, sourcePort: port + 1, port: sourcePort + 1 };
      day.reply(begin + lasts - 2, trunk, reports);
      day.send(begin + lasts - 1, trunk, { ...reports, sourcePort: sourcePort + 1, port: port + 1 });
      for (const media of [port, port + 1]) day.socket(begin + lasts, "closes", udp, media);
      for (let late = 1; late <= 10; late++)
        day.send(begin + lasts + late * 20, trunk, { protocol: udp, sourcePort, port });
      day.send(begin + lasts + 300, trunk, { protocol: udp, sourcePort: sourcePort + 1, port: port + 1 });
    }
  },
  "a DHCP server that renews our lease, and relays and clients that ask ours": (day, t) => {
    const server = day.peer();
    for (let n = 0; n < 5; n++) {
      day.reply(t + n * HOUR, server, { protocol: udp, sourcePort: 68, port: 67 });
      day.send(t + n * HOUR + 3, server, { protocol: udp, sourcePort: 67, port: 68 });
    }
    const relay = day.peer();
    for (let n = 0; n < 20; n++) day.send(t + n * 1_000, relay, { protocol: udp, sourcePort: 67, port: 67 });
    for (let n = 0; n < 10; n++)
      day.spread(t + n * 700, day.peer(), "255.255.255.255", { protocol: udp, sourcePort: 68, port: 67 });
    const router = at("fe80::1");
    day.send(t + 9, router, { protocol: udp, sourcePort: 547, port: 546 });
  },
  "neighbours that speak mDNS, SSDP, LLMNR, NetBIOS and WS-Discovery": (day, t) => {
    for (let n = 0; n < 6; n++) {
      const neighbour = day.peer();
      for (const [target, port] of [
        ["224.0.0.251", 5_353],
        ["239.255.255.250", 1_900],
        ["224.0.0.252", 5_355],
        ["239.255.255.250", 3_702],
        ["192.0.2.255", 137],
        ["192.0.2.255", 138],
        ["255.255.255.255", 17_500],
        ["255.255.255.255", 6_667],
      ] as const)
        for (let again = 0; again < 3; again++)
          day.spread(t + n * 500 + again * 2_000, neighbour, target, {
            protocol: udp,
            port,
            sourcePort: port,
          });
    }
  },
  // A program here looks for renderers every few minutes, each time from another port, and stops listening too soon.
  "devices that answer a question to everybody when nobody waits any more": (day, t) => {
    const devices = Array.from({ length: 4 }, () => day.peer());
    for (let search = 0; search < 30; search++) {
      const port = day.ephemeral();
      const begin = t + search * 2 * MINUTE;
      day.reply(begin, at("239.255.255.250"), { protocol: udp, sourcePort: port, port: 1_900 });
      for (const device of devices)
        for (let answer = 0; answer < 3; answer++)
          day.send(begin + day.between(1_100, 3_900), device, {
            protocol: udp,
            sourcePort: search % 2 === 0 ? 1_900 : day.ephemeral(),
            port,
          });
    }
  },
  "time servers that answer late, and time clients": (day, t) => {
    for (let n = 0; n < 4; n++) {
      const server = day.peer();
      for (let poll = 0; poll < 30; poll++) {
        const port = day.ephemeral();
        day.reply(t + poll * MINUTE, server, { protocol: udp, sourcePort: port, port: 123 });
        day.send(t + poll * MINUTE + day.between(5, 4_000), server, { protocol: udp, sourcePort: 123, port });
      }
      day.send(t + n * 1_000, day.peer(), { protocol: udp, sourcePort: day.ephemeral(), port: 123 });
    }
  },
  "routers and neighbours of IPv6": (day, t) => {
    for (let n = 0; n < 20; n++) {
      const router = at("fe80::1");
      const neighbour = day.peer6();
      day.spread(t + n * 3_000, router, "ff02::1", { protocol: icmp6, flags: 134 });
      day.spread(t + n * 3_000, neighbour, "ff02::1:ff00:1", { protocol: icmp6, flags: 135 });
      day.send(t + n * 3_000 + 1, neighbour, { protocol: icmp6, flags: 136 });
      day.send(t + n * 3_000 + 2, neighbour, { protocol: icmp6, flags: 135 });
      day.spread(t + n * 3_000, neighbour, "ff02::16", { protocol: icmp6, flags: 143 });
      day.send(t + n * 3_000 + 5, neighbour, { protocol: icmp6, flags: 2 });
    }
  },
  "visitors of published ports that a bridge passes on": (day, t) => {
    for (let n = 0; n < 6; n++) {
      const visitor = day.peer();
      for (const port of [9_001, 9_002, 9_003, 9_004, 9_005]) {
        const sourcePort = day.ephemeral();
        day.send(t + n * 300 + port, visitor, { port, sourcePort });
        day.reply(t + n * 300 + port + 1, visitor, { sourcePort: port, port: sourcePort, flags: SYN | ACK });
        day.send(t + n * 300 + port + 2, visitor, { port, sourcePort, flags: ACK | PSH });
      }
    }
  },
  "a load balancer that looks at six services while they restart": (day, t) => {
    const balancer = day.peer();
    const services = [8_001, 8_002, 8_003, 8_004, 8_005, 8_006];
    const look = (ms: number, isUp = true): void => {
      for (const port of services) {
        const sourcePort = day.ephemeral();
        day.send(ms + port, balancer, { port, sourcePort });
        const flags = isUp ? SYN | ACK : RST | ACK;
        day.reply(ms + port + 1, balancer, { sourcePort: port, port: sourcePort, flags });
      }
    };
    for (let ms = 0; ms < MINUTE; ms += 5_000) look(t + ms);
    for (const port of services) day.socket(t + 75_000, "closes", tcp, port);
    for (let ms = 80_000; ms < 5 * MINUTE; ms += 5_000) look(t + ms, false);
    for (const port of services) day.socket(t + 5 * MINUTE + 9_000, "opens", tcp, port);
    for (let ms = 6 * MINUTE; ms < 7 * MINUTE; ms += 5_000) look(t + ms);
  },
  "a monitoring host that also asks for three services that are off": (day, t) => {
    const monitor = day.peer();
    for (let round = 0; round < 30; round++) {
      const begin = t + round * MINUTE;
      for (const port of SERVED_TCP) day.visit(begin + port, monitor, port, 50);
      day.send(begin, monitor, { protocol: icmp, flags: 8 });
      day.send(begin, monitor, { protocol: udp, sourcePort: day.ephemeral(), port: 161 });
      for (const port of [5_666, 9_100]) day.knock(begin + 20, monitor, port);
    }
  },
  "mail servers that ask who is calling": (day, t) => {
    for (let n = 0; n < 40; n++) {
      const server = day.peer();
      for (let mail = 0; mail < 3; mail++) day.knock(t + n * 400 + mail * HOUR, server, 113);
    }
  },
  "services that go on with connections from before a reboot": (day, t) => {
    for (const sourcePort of [5_432, 443, 6_379, 25, 30_100]) {
      const server = day.peer();
      for (let n = 0; n < 30; n++) {
        const port = day.ephemeral();
        for (const [laterMs, flags] of [
          [0, ACK | PSH],
          [300, ACK | PSH],
          [900, ACK],
          [2_000, ACK | FIN],
          [2_500, ACK | RST],
          [2_600, RST],
        ] as const)
          day.send(t + n * 50 + laterMs, server, { sourcePort, port, flags });
      }
    }
  },
  "routers that report a smaller path, an end of hops and closed ports": (day, t) => {
    for (let n = 0; n < 50; n++) {
      const router = day.peer();
      for (const flags of [3, 11, 0, 14]) day.send(t + n * 100, router, { protocol: icmp, flags });
      const router6 = day.peer6();
      for (const flags of [1, 2, 3, 129]) day.send(t + n * 100, router6, { protocol: icmp6, flags });
    }
  },
  "peers of a BitTorrent client that has been closed": (day, t) => {
    for (let n = 0; n < 150; n++) {
      const peer = day.peer();
      for (let again = 0; again < 3; again++)
        day.send(t + n * 70 + again * 15_000, peer, {
          protocol: udp,
          sourcePort: day.ephemeral(),
          port: 51_413,
        });
      if (n % 3 === 0) day.knock(t + n * 70 + 40, peer, 51_413);
    }
  },
  "two hundred people behind one address, with retries": (day, t) => {
    const office = day.peer();
    for (let person = 0; person < 200; person++) {
      const begin = t + day.between(0, 20 * MINUTE);
      for (let page = 0; page < 3; page++)
        day.visit(begin + page * 2_000, office, day.between(0, 1) === 0 ? 80 : 443, 45_000);
    }
    for (const port of [8_080, 21, 8_443]) day.knock(t + day.between(MINUTE, 20 * MINUTE), office, port);
  },
  "traceroutes by UDP, ping and TCP, and tracepath": (day, t) => {
    const tracer = day.peer();
    for (let run = 0; run < 3; run++) {
      for (let n = 0; n < 16; n++) {
        const begin = t + run * 30_000 + n * 10;
        day.send(begin, tracer, {
          protocol: udp,
          sourcePort: day.ephemeral(),
          port: 33_434 + n,
          hops: 1 + (n >> 1),
        });
        day.send(begin, tracer, { protocol: icmp, flags: 8, hops: 1 + (n >> 1) });
        day.send(begin, tracer, { port: 80, sourcePort: day.ephemeral(), hops: 1 + (n >> 1) });
      }
      day.send(t + run * 30_000, tracer, { protocol: udp, sourcePort: 40_000, port: 44_447, hops: 1 });
    }
  },
  // mtr(8) counts its UDP port up from 33000 through the whole range, one datagram a second, for as long as somebody looks.
  "somebody who leaves mtr running over UDP": (day, t) => {
    const watcher = day.peer();
    const first = 33_000 + day.between(0, 3_000);
    for (let n = 0; n < 200; n++)
      day.send(t + n * 1_000, watcher, { protocol: udp, sourcePort: 55_000, port: first + n * 9, hops: 1 });
  },
  "name servers that answer after everybody has given up": (day, t) => {
    for (let n = 0; n < 3; n++) {
      const server = day.peer();
      for (let question = 0; question < 60; question++) {
        const port = day.ephemeral();
        day.reply(t + question * 900, server, { protocol: udp, sourcePort: port, port: 53 });
        day.send(t + question * 900 + day.between(10, 9_000), server, {
          protocol: udp,
          sourcePort: 53,
          port,
        });
      }
    }
  },
  "browsers that try QUIC where only TCP is served": (day, t) => {
    for (let n = 0; n < 20; n++) {
      const browser = day.peer();
      for (let again = 0; again < 4; again++)
        day.send(t + n * 60 + again * 300, browser, {
          protocol: udp,
          sourcePort: day.ephemeral(),
          port: 443,
        });
      day.visit(t + n * 60 + 100, browser, 443, 10_000);
    }
  },
  "a router that speaks OSPF, PIM and VRRP to us, and a tunnel": (day, t) => {
    const router = day.peer();
    for (let n = 0; n < 20; n++)
      for (const protocol of [47, 89, 103, 112, 50, 51, 4, 41])
        day.send(t + n * 1_000 + protocol, router, { protocol });
  },
  "a device that sends its logs, traps and flows to a host that takes none": (day, t) => {
    const device = day.peer();
    for (let n = 0; n < 100; n++)
      for (const port of [514, 162, 2_055])
        day.send(t + n * 800, device, { protocol: udp, sourcePort: 50_000, port });
  },
  "a desktop that looks for shared folders": (day, t) => {
    const desktop = day.peer();
    for (let again = 0; again < 5; again++) {
      for (const port of [445, 139]) day.knock(t + again * HOUR, desktop, port);
      day.send(t + again * HOUR, desktop, { protocol: udp, sourcePort: 137, port: 137 });
    }
  },
  // Echo requests to the same few addresses, all day.
  "somebody who pings all day": (day, t) => {
    const pinger = day.peer();
    for (let n = 0; n < 500; n++) day.send(t + n * 1_000, pinger, { protocol: icmp, flags: 8 });
  },
};
