# rtclink: what leaves the machine
#
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nothing that the user did not ask for: seen from the wires."""

import ipaddress
import socket
import subprocess
from collections import Counter

import capture
from badinput import audio_section, description, pipeline_of, section
from cases import FRAMES, SECONDS
from harness import ADDRESS, TONE, URI, check, sending, wait_until
from wsclient import Client

ROUTERS = ("192.0.2.2", "fd00:192:0:2::2")
MULTICAST_LISTENER_REPORT = 143


def ip(*arguments):
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr.strip()}")


def own_addresses():
    listed = subprocess.run(["ip", "-o", "addr"], capture_output=True, text=True, check=True).stdout
    return {ipaddress.ip_interface(line.split()[3]).ip for line in listed.splitlines()}


def route_to_nowhere():
    """A default route, so that whoever wants to leave gets as far as the cable, where it is seen. Nobody is at the
    other end; its hardware address is given, or there would be nothing but questions for it."""
    for family, router in (("-4", ROUTERS[0]), ("-6", ROUTERS[1])):
        if family == "-6" and not any(address.version == 6 and not address.is_loopback for address in own_addresses()):
            continue
        ip(family, "neigh", "add", router, "lladdr", "02:00:00:00:00:02", "dev", "rtc0")
        ip(family, "route", "add", "default", "via", router, "dev", "rtc0")


def kernels_own(packet):
    """The kernel's own reports of the IPv6 groups that an address belongs to (RFC 4291, 2.7.1: ff02::1:ff00:0/104): no
    program can send these by asking for something else. Joining any other group counts."""
    if packet.protocol != capture.ICMP6 or not packet.body or packet.body[0] != MULTICAST_LISTENER_REPORT:
        return False
    records, rest = int.from_bytes(packet.body[6:8], "big"), packet.body[8:]
    own = ipaddress.ip_network("ff02::1:ff00:0/104")
    for _ in range(records):
        group, length = ipaddress.ip_address(rest[4:20]), 20 + 16 * int.from_bytes(rest[2:4], "big") + 4 * rest[1]
        if group not in own:
            return False
        rest = rest[length:]
    return True


def strangers(packets):
    """What goes to somebody who is not us, or asks for a name."""
    own = own_addresses()
    return [
        p for p in packets
        if (p.target not in own or (p.protocol in (capture.UDP, capture.TCP) and p.target_port in (53, 5353, 1900)))
        and not kernels_own(p)
    ]


def told(packets):
    kinds = Counter(f"{p.protocol} {p.source} -> {p.target} port {p.target_port}" for p in packets)
    return "; ".join(f"{count} x {kind}" for kind, count in kinds.most_common(8))


def names_are_not_looked_up(bench):
    """A peer's candidates with names in place of addresses (RFC 8839, 5.1 allows them, browsers send .local ones) make
    nobody ask a name server for them, nor the neighbours."""
    route_to_nowhere()
    tap = capture.Capture()
    sender = bench.listener(*sending("vp8"), name="sender")
    client = Client(URI, role="receive", offers="prefer")
    to = pipeline_of(client)
    client.send({"type": "offer", "to": to, "session": "named", "sdp": description(section(), audio_section())})
    client.expect("answer")
    for name in ("peer.example.com", "1f4712db-ea17-4bcf-a596-105139dfd8bf.local", "localhost.localdomain"):
        text = f"candidate:1 1 UDP 2122252543 {name} 5000 typ host"
        client.send({"type": "candidate", "to": to, "session": "named", "candidate": text, "sdpMid": "0",
                     "sdpMLineIndex": 0})
    # Another viewer's whole connection comes after these: a question would have been asked by then.
    pictures, video = bench.video_sink("video_src_0", "received.gray")
    viewer = bench.caller(video, name="viewer")
    wait_until(lambda: pictures.count() >= 90, 30, lambda: f"{pictures.count()} pictures {viewer.errors()}")
    viewer.finish()
    client.close()
    sender.finish()
    found = strangers(tap.stop())
    check(not tap.dropped(), "the capture lost packets")
    check(not found, f"{len(found)} packets went to somebody else: {told(found)}")


def nothing_leaves(bench):
    route_to_nowhere()
    tap = capture.Capture()
    pictures, video = bench.video_sink("video_src_0", "received.gray")
    sound, audio = bench.audio_sink("audio_src_0", "received.pcm")
    sender = bench.listener(*sending("vp8"), name="sender")
    viewer = bench.caller(video, audio, name="viewer")
    wait_until(lambda: not (pictures.wrong(FRAMES) or sound.wrong(SECONDS, TONE)), 30,
               lambda: f"{pictures.wrong(FRAMES)}; {sound.wrong(SECONDS, TONE)}; {viewer.errors()} {sender.errors()}")
    # libnice keeps on looking for a UPnP router for a while; the connection's first 150 pictures cover it.
    wait_until(lambda: pictures.count() >= 150, 30, lambda: f"{pictures.count()} pictures, then no more")
    viewer.finish()
    sender.finish()
    before = list(tap.packets)

    # The witness is tested, too: it must see what we are looking for, had it been there.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(ADDRESS))
        wanted = [("239.255.255.250", 1900), ("198.51.100.1", 3478), ("198.51.100.1", 53), (ADDRESS, 53)]
        for target in wanted:
            probe.sendto(b"witness", target)
    packets = tap.stop()
    seen = {(str(p.target), p.target_port) for p in strangers(packets[len(before) - 1:])}
    check(set(wanted) <= seen, f"the capture is blind: it saw {seen} of {wanted}")
    check(tap.dropped() == 0, "the capture lost packets")

    media = sum(map(capture.is_rtp, before))
    check(media > 150, f"{media} packets of media were captured: this cannot be the whole traffic")
    found = strangers(before)
    check(not found, f"{len(found)} packets went to somebody else: {told(found)}")
