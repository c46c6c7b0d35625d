# Sends SYNs that bear sources of our choosing: forge.py INTERFACE MAC TARGET PORTS SOURCE... (a source may be a /n prefix,
# a port may have other flags: 22:PA).
import ipaddress
import sys

from scapy.all import IP, TCP, IPv6, conf, get_if_hwaddr, Ether, sendp

interface, destination, target, ports, *sources = sys.argv[1:]
conf.verb = 0
link = Ether(src=get_if_hwaddr(interface), dst=destination)
frames = []
for source in sources:
    for each in ipaddress.ip_network(source):
        for port, _, flags in (word.partition(":") for word in ports.split(",")):
            ip = (IPv6 if ":" in target else IP)(src=str(each), dst=target)
            frames.append(link / ip / TCP(sport=40000 + int(port), dport=int(port), flags=flags or "S"))
sendp(frames, iface=interface)
