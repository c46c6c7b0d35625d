# The idle third party of an idle scan: answers every unasked SYN/ACK with a RST, and numbers its packets one by one, as
# printers and old systems do. Runs in the zombie's network; its kernel is kept quiet by a firewall rule.
import socket
import struct

hears = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
says = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
SYN_ACK = 0x12
number = 1000


def checksum(octets):
    total = sum(struct.unpack("!%dH" % (len(octets) // 2), octets))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


print("ready", flush=True)
while True:
    packet = hears.recv(65535)
    at = (packet[0] & 15) * 4
    source_port, port, _, acknowledged, _, flags = struct.unpack("!HHIIBB", packet[at : at + 14])
    if flags & SYN_ACK != SYN_ACK:
        continue
    here, there = packet[16:20], packet[12:16]
    # RFC 9293, 3.5.2: a reset in reply to an acknowledgement takes its number.
    reset = [port, source_port, acknowledged, 0, 5 << 4, 4, 0, 0, 0]
    pseudo = here + there + struct.pack("!BBH", 0, socket.IPPROTO_TCP, 20)
    reset[7] = checksum(pseudo + struct.pack("!HHIIBBHHH", *reset))
    number += 1
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, number, 0, 64, socket.IPPROTO_TCP, 0, here, there)
    says.sendto(header + struct.pack("!HHIIBBHHH", *reset), (socket.inet_ntoa(there), 0))
