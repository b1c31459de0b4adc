# rtclink: which addresses peers are told, and what is sent from where
#
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Interfaces, advertised addresses and ports, seen by peers in this network and, with netns-run --two, in another."""

import ipaddress
import os
import subprocess

import capture
from badinput import audio_section, description, pipeline_of, section
from cases import FRAMES
from harness import ADDRESS, URI, check, sending, wait_until
from wsclient import Client

OWN = {"192.0.2.1", "fd00:192:0:2::1"}
# A name that libnice passes over when it looks for addresses itself.
VETH, VETH_ADDRESS = "vethmedia", "198.51.100.1"
PUBLIC, PUBLIC6 = "203.0.113.7", "2001:db8::7"
SECOND = "192.0.2.11"
PORT = 5000

# properties, and the addresses that peers are told then; a text: what the failure says
TOLD = (
    ("", OWN | {VETH_ADDRESS}),
    ("interfaces=veth*", {VETH_ADDRESS}),
    ("exclude-interfaces=veth*", OWN),
    ("interfaces=rtc0,vethmedia exclude-interfaces=r*", {VETH_ADDRESS}),
    ("interfaces=lo", {"127.0.0.1", "::1"}),
    (f"advertise-address={PUBLIC}", {PUBLIC}),
    (f"advertise-address={PUBLIC6},{PUBLIC}", {PUBLIC, PUBLIC6}),
    ("interfaces=wlan*", "No interface with an address is left by interfaces=wlan* and exclude-interfaces=(none)"),
    ("exclude-interfaces=veth*,rtc0", "there are lo, rtc0, vethmedia"),
)


def run(*command, netns=None):
    prefix = ["nsenter", f"--net={netns}"] if netns else []
    done = subprocess.run([*prefix, *command], capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}")


def add_veth():
    run("ip", "link", "add", VETH, "type", "veth", "peer", "name", "vethfar")
    run("ip", "addr", "add", f"{VETH_ADDRESS}/24", "dev", VETH)
    for name in (VETH, "vethfar"):
        run("ip", "link", "set", name, "addrgenmode", "none", "up")


def candidates(sdp):
    """Addresses and ports of an answer."""
    fields = [line.split() for line in sdp.splitlines() if line.startswith("a=candidate:")]
    return [(f[4], int(f[5])) for f in fields]


def told(bench, kind):
    """What stands in the answer, for every combination of properties."""
    add_veth()
    port = f"udp-port={PORT}" if kind == "lite" else ""
    for number, (properties, expected) in enumerate(TOLD):
        pipeline = bench.listener(port, properties, *sending("vp8"), name=f"pipeline-{number}")
        client = Client(URI, role="receive", offers="prefer")
        client.send({"type": "offer", "to": pipeline_of(client), "session": "s",
                     "sdp": description(section(), audio_section())})
        if isinstance(expected, str):
            message = pipeline.wait_for_message("rtc-peer-failed").replace("\\", "")
            check(expected in message, f"{properties}: the message does not say \"{expected}\": {message}")
        else:
            found = candidates(client.expect("answer")["sdp"])
            have = {str(ipaddress.ip_address(address)) for address, _ in found}
            check(have == expected, f"{properties}: peers are told {found}, not {expected}")
            check(all(p == PORT if kind == "lite" else p > 1023 for _, p in found), f"{properties}: ports {found}")
        client.close()
        pipeline.end()


def over_veth(bench):
    """Media over an interface with such a name, and nothing over the others."""
    add_veth()
    tap = capture.Capture()
    pictures, video = bench.video_sink("video_src_0", "received.gray")
    sender = bench.listener("interfaces=veth*", *sending("vp8"), name="sender")
    viewer = bench.caller("interfaces=veth*", video, name="viewer")
    wait_until(lambda: pictures.count() >= FRAMES, 30, lambda: f"{pictures.count()} pictures {viewer.errors()}")
    viewer.finish()
    sender.finish()
    others = [p for p in tap.stop() if p.protocol == capture.UDP and str(p.source) != VETH_ADDRESS]
    check(not others, f"datagrams from other addresses: { {str(p.source) for p in others} }")


def ports_used_up(bench):
    """The range holds one peer. The second one is told why it is none; the first one goes on."""
    pictures, video = bench.video_sink("video_src_0", "received.gray")
    sender = bench.listener("min-rtp-port=6000 max-rtp-port=6000", *sending("vp8"), name="sender")
    viewer = bench.caller(video, name="viewer")
    wait_until(lambda: pictures.count() >= FRAMES, 30, lambda: f"{pictures.count()} pictures {viewer.errors()}")
    second = bench.caller(name="second")
    message = sender.wait_for_message("rtc-peer-failed").replace("\\", "")
    check("No UDP port from 6000 to 6000 (min-rtp-port to max-rtp-port) is free" in message, message)
    before = pictures.count()
    wait_until(lambda: pictures.count() >= before + FRAMES, 30, f"{before} pictures, then no more")
    second.finish()
    viewer.finish()
    sender.finish()


def public(bench, kind):
    """A 1:1 NAT in front of us: the viewer, in another network, knows but the public address."""
    there = os.environ["RTC_NETNS_PEER"]
    run("ip", "route", "add", f"{PUBLIC}/32", "via", ADDRESS, netns=there)
    run("nft", "table ip nat {"
               f" chain in {{ type nat hook prerouting priority -100; ip daddr {PUBLIC} dnat to {ADDRESS}; }}; }}")
    run("nft", "table inet past {"
               " chain in { type filter hook input priority 0; iif rtc0 meta l4proto udp ct status dnat accept;"
               " iif rtc0 meta l4proto udp drop; }; }")
    # The viewer is behind a firewall: nothing reaches it that it did not ask for.
    run("nft", "table inet firewall {"
               " chain in { type filter hook input priority 0; meta l4proto udp ct direction original drop; }; }",
        netns=there)
    port = f"udp-port={PORT}" if kind == "lite" else ""
    pictures, video = bench.video_sink("video_src_0", "received.gray")
    sender = bench.listener(port, f"advertise-address={PUBLIC}", *sending("vp8"), name="sender")
    viewer = bench.caller(video, name="viewer", netns=there)
    wait_until(lambda: pictures.count() >= FRAMES, 30, lambda: f"{pictures.count()} pictures {viewer.errors()}")
    viewer.finish()
    sender.finish()


def from_where_it_was_asked(bench):
    """One socket, two addresses on one interface: answers and media come from the one that the viewer asked."""
    there = os.environ["RTC_NETNS_PEER"]
    run("ip", "addr", "add", f"{SECOND}/24", "dev", "rtc0")
    tap = capture.Capture()
    pictures, video = bench.video_sink("video_src_0", "received.gray")
    sender = bench.listener(f"udp-port={PORT} advertise-address={SECOND}", *sending("vp8"), name="sender")
    viewer = bench.caller(video, name="viewer", netns=there)
    wait_until(lambda: pictures.count() >= FRAMES, 30, lambda: f"{pictures.count()} pictures {viewer.errors()}")
    viewer.finish()
    sender.finish()
    packets = [p for p in tap.stop() if p.protocol == capture.UDP and p.source_port == PORT]
    check(sum(map(capture.is_rtp, packets)) >= FRAMES, f"{len(packets)} datagrams were captured: where is the media?")
    wrong = [p for p in packets if str(p.source) != SECOND]
    check(not wrong, f"{len(wrong)} of {len(packets)} datagrams came from {wrong and wrong[0].source}")


# Those called far-... need netns-run --two.
CASES = {
    "addresses-told-full": (told, {"kind": "full"}),
    "addresses-told-lite": (told, {"kind": "lite"}),
    "addresses-veth": (over_veth, {}),
    "ports-used-up": (ports_used_up, {}),
    "far-advertised-full": (public, {"kind": "full"}),
    "far-advertised-lite": (public, {"kind": "lite"}),
    "far-second-address": (from_where_it_was_asked, {}),
}
