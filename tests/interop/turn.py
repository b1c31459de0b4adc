# rtclink: through a TURN server
#
# SPDX-License-Identifier: LGPL-2.1-or-later
"""coturn, as Debian builds it, is at the other end of the cable (netns-run --two): libnice binds its sockets to
interfaces, from which an address on another one cannot be reached. What goes past it is seen on the wires."""

import ipaddress
import os
import re
import subprocess
import time
from pathlib import Path

import capture
from addresses import PUBLIC, run
from badinput import audio_section, description, pipeline_of, section
from cases import EXPECT, FRAMES, SECONDS
from harness import ADDRESS, PEER_TONE, TONE, URI, Process, check, listening, sending, wait_until
from harness import PORT as SIGNALING_PORT
from wsclient import Client

TURNSERVER = os.environ.get(
    "RTC_TEST_TURNSERVER", Path(__file__).resolve().parents[2] / ".venv" / "coturn" / "usr" / "bin" / "turnserver")
RELAY = os.environ.get("RTC_TEST_PEER_ADDRESS", "192.0.2.2")
PORT = 3478
USER, PASSWORD = "anna:1", "p@ss/w%rd"  # all of which means something in a URL
USER_WRITTEN, PASSWORD_WRITTEN = "anna%3A1", "p%40ss%2Fw%25rd"
PATIENCE = 30


def url(transport, password=PASSWORD_WRITTEN, host=RELAY):
    return f"turn-server=turn://{USER_WRITTEN}:{password}@{host}:{PORT}?transport={transport}"


class Server(Process):
    """coturn with one user, who is in its database: on a command line a colon would end the name."""

    def __init__(self, bench):
        configuration = bench.folder / "turnserver.conf"
        configuration.write_text(
            f"listening-ip={RELAY}\nlistening-port={PORT}\nrelay-ip={RELAY}\nrealm=rtclink\nlt-cred-mech\n"
            f"userdb={bench.folder}/turndb\npidfile={bench.folder}/turnserver.pid\nlog-file=stdout\nsimple-log\n"
            "verbose\nno-cli\nno-tls\nno-dtls\nno-software-attribute\nnew-log-timestamp\n", encoding="utf-8")
        subprocess.run(
            [Path(TURNSERVER).parent / "turnadmin", "-a", "-b", f"{bench.folder}/turndb", "-u", USER, "-r", "rtclink",
             "-p", PASSWORD], capture_output=True, check=True)
        netns = os.environ["RTC_NETNS_PEER"]
        super().__init__("turnserver", ["nsenter", f"--net={netns}", TURNSERVER, "-c", configuration], bench.folder)
        bench.processes.append(self)
        wait_until(lambda: self.said("IPv4. UDP listener opened on") and self.said("IPv4. TCP listener opened on"), 10,
                   lambda: f"coturn does not listen: {self.lines[-5:]}")

    def said(self, text):
        return [line for line in list(self.lines) if text in line]

    def allocations(self):
        """Sessions that hold a relay, by coturn's own log."""
        made = {match[1] for line in self.said(" new, ") if (match := re.search(r"session (\d+)", line))}
        gone = {match[1] for line in self.said(" delete: ") if (match := re.search(r"session (\d+)", line))}
        return made, made - gone


def past_the_relay(packets):
    """Datagrams that neither come from the server nor go there."""
    relay = ipaddress.ip_address(RELAY)
    return [p for p in packets if p.protocol == capture.UDP and relay not in (p.source, p.target)]


def told(packets):
    return sorted({f"{p.source}:{p.source_port} -> {p.target}:{p.target_port}" for p in packets})[:8]


def check_given_back(server):
    made, _ = server.allocations()
    check(made, "coturn made no allocation: nothing went over it")
    wait_until(lambda: not server.allocations()[1], 10,
               lambda: f"of the allocations {server.allocations()[0]} these are still held: {server.allocations()[1]}")


def pipelines(bench, transport):
    """Two pipelines that may use nothing but the relay."""
    server = Server(bench)
    tap = capture.Capture()
    pictures, video = bench.video_sink("video_src_0", "received.gray")
    sound, audio = bench.audio_sink("audio_src_0", "received.pcm")
    sender = bench.listener("ice-transport-policy=relay", url(transport), *sending("vp8"), name="sender")
    viewer = bench.caller("ice-transport-policy=relay", url(transport), video, audio, name="viewer")
    wait_until(lambda: not (pictures.wrong(FRAMES) or sound.wrong(SECONDS, TONE)), PATIENCE,
               lambda: f"{pictures.wrong(FRAMES)}; {sound.wrong(SECONDS, TONE)}; {viewer.errors()} {sender.errors()}")
    viewer.finish()
    sender.finish()
    packets = tap.stop()
    check(not tap.dropped(), "the capture lost packets")
    found = past_the_relay(packets)
    check(not found, f"{len(found)} datagrams went past the relay: {told(found)}")
    over = [p for p in packets if p.protocol == (capture.TCP if transport == "tcp" else capture.UDP)
            and PORT in (p.source_port, p.target_port)]
    check(len(over) > 100, f"{len(over)} packets went to the server over {transport}: that cannot be the media")
    check_given_back(server)


def pion(bench, transport):
    """A pipeline that may use nothing but the relay, and pion, which may use anything."""
    server = Server(bench)
    tap = capture.Capture()
    pictures, video = bench.video_sink("video_src_0", "received.gray")
    sound, audio = bench.audio_sink("audio_src_0", "received.pcm")
    pipeline = bench.listener("ice-transport-policy=relay", url(transport), *sending("vp8"), video, audio)
    peer = bench.pion("--offers", "prefer", "--role", "both", *EXPECT)
    peer.wait_for("reached")
    wait_until(lambda: not (pictures.wrong(FRAMES) or sound.wrong(SECONDS, PEER_TONE)), PATIENCE,
               lambda: f"{pictures.wrong(FRAMES)}; {sound.wrong(SECONDS, PEER_TONE)}; {pipeline.errors()}")
    peer.finish()
    pipeline.finish()
    found = past_the_relay(tap.stop())
    check(not found, f"{len(found)} datagrams went past the relay: {told(found)}")
    check_given_back(server)


def failure(pipeline, *texts):
    message = pipeline.wait_for_message("rtc-peer-failed").replace("\\", "")
    for text in texts:
        check(text in message, f"the message does not say \"{text}\": {message}")


def wrong_password(bench, transport):
    """What is wrong is told when nothing else is left, and is no hindrance when there is."""
    Server(bench)
    sender = bench.listener(
        "ice-transport-policy=relay", url(transport, password="wrong"), *sending("vp8"), name="sender")
    viewer = bench.caller(name="viewer")
    failure(sender, "refuses the credentials of user anna:1", "401", f"{RELAY}:{PORT} over {transport.upper()}")
    viewer.finish()
    sender.end()

    pictures, video = bench.video_sink("video_src_0", "received.gray")
    sender = bench.listener(url(transport, password="wrong"), *sending("vp8"), name="direct")
    viewer = bench.caller(video, name="direct-viewer")
    wait_until(lambda: pictures.count() >= FRAMES, PATIENCE, lambda: f"{pictures.count()} pictures {viewer.errors()}")
    viewer.finish()
    sender.finish()


def no_server(bench, transport):
    """Nobody is there, or nobody answers."""
    sender = bench.listener("ice-transport-policy=relay", url(transport), *sending("vp8"), name="sender")
    viewer = bench.caller(name="viewer")
    failure(sender, "There is no relay", f"{RELAY}:{PORT} over {transport.upper()}")
    viewer.finish()
    sender.end()


def no_name(bench):
    sender = bench.listener(
        "ice-transport-policy=relay", url("udp", host="turn.invalid"), *sending("vp8"), name="sender")
    viewer = bench.caller(name="viewer")
    failure(sender, "There is no relay", f"turn.invalid:{PORT} over UDP")
    viewer.finish()
    sender.end()


def not_set(bench):
    sender = bench.listener("ice-transport-policy=relay", *sending("vp8"), name="sender")
    viewer = bench.caller(name="viewer")
    failure(sender, "ice-transport-policy=relay needs a TURN server")
    viewer.finish()
    sender.end()


def no_tls(bench):
    """libnice 0.1.21 would speak plain TCP to a turns: server, so that is refused, from whoever it comes."""
    secure = f"turn-server=turns://{USER_WRITTEN}:{PASSWORD_WRITTEN}@{RELAY}"
    sentence = f"cannot speak TLS to a STUN or TURN server ({RELAY}:5349)"
    server = bench.pipeline(
        "server", f"wssignalsrc mode=listener address={ADDRESS} port={SIGNALING_PORT} !",
        f"rtcbin name=rtc transport=webrtcbin {secure}", *sending("vp8"))
    wait_until(lambda: listening(ADDRESS, SIGNALING_PORT), 15, "the server does not listen")
    caller = bench.caller(secure)
    log = bench.folder / "caller.log"
    wait_until(lambda: "Of the signaling server's ICE servers one is left out" in log.read_text(encoding="utf-8"), 15,
               "the caller does not tell that it leaves the signaling server's out")
    own, others = (log.read_text(encoding="utf-8").count(words + sentence) for words in (
        "rtcbin: turn-server: The transport native ", "left out. The transport native "))
    check(own == 1 and others >= 1, f"{own} and {others} warnings that say: {sentence}")
    check(PASSWORD not in log.read_text(encoding="utf-8").split("\n", 1)[1], "the password is in the log")
    caller.finish()
    server.end()


def ends_quickly(bench):
    """The server went away with the relays: a pipeline that ends asks it in vain, and not for long."""
    server = Server(bench)
    pictures, video = bench.video_sink("video_src_0", "received.gray")
    sender = bench.listener("ice-transport-policy=relay", url("udp"), *sending("vp8"), name="sender")
    viewer = bench.caller("ice-transport-policy=relay", url("udp"), video, name="viewer")
    wait_until(lambda: pictures.count() >= FRAMES, PATIENCE, lambda: f"{pictures.count()} pictures {viewer.errors()}")
    server.process.kill()
    server.process.wait()
    for pipeline in (viewer, sender):
        began = time.monotonic()
        pipeline.finish()
        took = time.monotonic() - began
        check(took < 4, f"{pipeline.name} took {took:.1f} s to end without its relay")


def reflexive(bench):
    """STUN: peers are told the address that a NAT has for us."""
    Server(bench)
    run("ip", "route", "add", f"{PUBLIC}/32", "via", ADDRESS, netns=os.environ["RTC_NETNS_PEER"])
    run("nft", "table ip nat { chain out { type nat hook postrouting priority 100;"
               f" oif rtc0 meta l4proto udp snat to {PUBLIC}; }}; }}")
    sender = bench.listener(f"stun-server=stun://{RELAY}", *sending("vp8"), name="sender")
    client = Client(URI, role="receive", offers="prefer")
    client.send({"type": "offer", "to": pipeline_of(client), "session": "s",
                 "sdp": description(section(), audio_section())})
    message = client.expect("candidate", where=lambda m: "srflx" in (m["candidate"] or ""))
    fields = message["candidate"].split()
    check(fields[4] == PUBLIC and int(fields[5]) > 1023, f"the reflexive candidate is {message['candidate']}")
    client.close()
    sender.finish()


CASES = {
    "turn-udp": (pipelines, {"transport": "udp"}, ()),
    "turn-tcp": (pipelines, {"transport": "tcp"}, ()),
    "turn-pion-udp": (pion, {"transport": "udp"}, ("pion",)),
    "turn-pion-tcp": (pion, {"transport": "tcp"}, ("pion",)),
    "turn-wrong-password-udp": (wrong_password, {"transport": "udp"}, ()),
    "turn-wrong-password-tcp": (wrong_password, {"transport": "tcp"}, ()),
    "turn-no-server-udp": (no_server, {"transport": "udp"}, ()),
    "turn-no-server-tcp": (no_server, {"transport": "tcp"}, ()),
    "turn-no-name": (no_name, {}, ()),
    "turn-not-set": (not_set, {}, ()),
    "turn-tls": (no_tls, {}, ()),
    "turn-stun": (reflexive, {}, ()),
    "turn-ends-quickly": (ends_quickly, {}, ()),
}
