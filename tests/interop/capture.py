# rtclink: every packet on every interface of a network namespace
#
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A packet socket in a thread, and as much of the headers as it takes to say who was written to."""

import ipaddress
import socket
import struct
import threading
from collections import namedtuple

ETH_P_ALL = 3
PACKET_OUTGOING = 4
IPV4, ARP, IPV6 = 0x0800, 0x0806, 0x86DD
ICMP6, UDP, TCP, IGMP = 58, 17, 6, 2

# protocol is an IP protocol number, or "arp"; ports are 0 where there are none; body is what the last header carries.
Packet = namedtuple("Packet", "interface source target protocol source_port target_port body")


def parse_transport(interface, source, target, protocol, rest):
    ports = (0, 0)
    body = rest
    if protocol in (UDP, TCP) and len(rest) >= 8:
        ports = struct.unpack("!HH", rest[:4])
        body = rest[8:] if protocol == UDP else rest[(rest[12] >> 4) * 4 :] if len(rest) > 12 else b""
    return Packet(interface, source, target, protocol, *ports, body)


def parse(interface, kind, content):
    """The packet behind an Ethernet header, or None for something else."""
    if kind == IPV4 and len(content) >= 20:
        header = (content[0] & 15) * 4
        source, target = (ipaddress.ip_address(content[at : at + 4]) for at in (12, 16))
        return parse_transport(interface, source, target, content[9], content[header:])
    if kind == IPV6 and len(content) >= 40:
        source, target = (ipaddress.ip_address(content[at : at + 16]) for at in (8, 24))
        protocol, rest = content[6], content[40:]
        while protocol in (0, 43, 60) and len(rest) >= 8:  # extension headers
            protocol, rest = rest[0], rest[(rest[1] + 1) * 8 :]
        return parse_transport(interface, source, target, protocol, rest)
    if kind == ARP and len(content) >= 28:
        source, target = (ipaddress.ip_address(content[at : at + 4]) for at in (14, 24))
        return Packet(interface, source, target, "arp", 0, 0, content)
    return None


class Capture:
    """Collects from its construction to stop()."""

    def __init__(self):
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
        self._socket.settimeout(0.1)
        self._ending = threading.Event()
        self.packets = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while True:
            try:
                frame, (interface, kind, direction, _, _) = self._socket.recvfrom(65536)
            except TimeoutError:
                if self._ending.is_set():
                    return
                continue
            # What goes over lo or the cable comes by twice, on its way out and on its way in: once is enough.
            if direction == PACKET_OUTGOING:
                packet = parse(interface, kind, frame[14:])
                if packet:
                    self.packets.append(packet)

    def dropped(self):
        """How many packets the kernel could not give us."""
        return struct.unpack("II", self._socket.getsockopt(263, 6, 8))[1]  # SOL_PACKET, PACKET_STATISTICS

    def stop(self):
        """Ends when nothing has come for a tenth of a second. Returns all packets."""
        self._ending.set()
        self._thread.join(10)
        return self.packets


def is_rtp(packet):
    """Whether it looks like RTP or SRTP (RFC 7983) and not like RTCP (RFC 5761)."""
    body = packet.body
    return packet.protocol == UDP and len(body) >= 12 and 128 <= body[0] <= 191 and not 192 <= body[1] <= 223
