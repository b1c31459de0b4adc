#!/usr/bin/env python3
# rtclink: what a port on the Internet gets
#
# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: netns-run hostile.py [--seconds N] [--rate N] CASE

Floods, forgeries and replays at the UDP port of a pipeline that is being watched. No frame may be lost in either
direction, and the memory of the pipeline is bounded. What each flood cost is told. Exits 77 when pion is not installed.

  floods     one port for all (ICE-lite): junk, ClientHellos and replays, from strangers and forged as the viewer's
  full-ice   a port a peer: the port of one is flooded, the other is watched
  half-open  peers that join, check and send a ClientHello, and then nothing

environment:
  RTC_HOSTILE_FLOOD, RTC_SOAK_SENDER, RTC_PEER_PION   the programs hostile-flood, soak-sender and pion-peer
  RTC_TEST_ARTEFACTS                                  folder for logs
"""

import argparse
import os
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))
from harness import (  # noqa: E402
    ADDRESS, PORT, RATE, Bench, Failure, Process, check, listening, sending, wait_until)

from halfopen import HalfOpen  # noqa: E402

SKIPPED = 77
UDP_PORT = 5000
RTP_PORTS = (5000, 5001)  # full ICE, for two peers

FLOODS = ("junk", "viewer-junk", "hellos", "viewer-hellos", "replay")
RECORDED = 2  # seconds of the viewer's packets before the first flood

# ms between two frames at the viewer. A busy machine has gaps of its own; a loop that starves stands still as long as
# the flood goes on.
LONGEST_GAP = 1500
SPARE_MEMORY = 4096  # KiB that one flood may leave behind: buffers under way
SPARE_THREADS = 2  # GLib's own
TICKS = os.sysconf("SC_CLK_TCK")
SETUP_TIMEOUT = 15  # s; rtcsession.h


class Sender(Process):
    """The pipeline that sends, and receives what the viewers send."""

    def __init__(self, bench, *options):
        line = " ".join([
            f"wssignalsrc mode=listener address={ADDRESS} port={PORT} ! rtcbin name=rtc transport=native",
            *options, *sending("vp8"), "rtc.video_src_0 ! fakesink name=sink sync=false"])
        super().__init__("sender", [os.environ["RTC_SOAK_SENDER"], *line.split()], bench.folder, talk=True,
                         G_SLICE="always-malloc", MALLOC_ARENA_MAX="1")
        bench.processes.append(self)
        wait_until(lambda: listening(ADDRESS, PORT) or not self.running(), 15, "the sender does not listen")
        check(self.running(), f"the sender ended: {self.lines}")

    def ask(self, command):
        """The words behind the first two of its answer to COMMAND."""
        have = len(self.lines)
        self.tell(f"{command} now")
        answer = wait_until(
            lambda: next((line for line in list(self.lines)[have:] if line.startswith(f"{command} now ")), None), 30,
            f"the sender does not answer to {command}")
        return answer.strip().split(" ", 2)[2]

    def allocated(self):
        """KiB"""
        return int(self.ask("memory")) // 1024

    def resident(self):
        """KiB"""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"^RssAnon:\s+(\d+)", status, re.M)[1])

    def cpu(self):
        """Seconds, of all threads and of the one that owns the sockets."""
        def of(path):
            fields = Path(path).read_text(encoding="ascii").rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / TICKS

        native = 0
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            if (task / "comm").read_text(encoding="ascii").strip() == "rtcbin-native":
                native = of(task / "stat")
        return of(f"/proc/{self.pid}/stat"), native

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def check_well(self):
        check(self.running(), f"the sender ended with {self.process.returncode}")
        wrong = [line.strip() for line in self.lines if line.startswith("error")]
        check(not wrong, f"the sender: {wrong}")

    def received(self, peers):
        """Of what these peers sent: packets, packets that are lost for good, datagrams that were thrown away."""
        stats = self.ask("stats").replace("\\", "")
        theirs = [part for part in stats.split("peer-id=(string)")[1:] if part.startswith(tuple(peers))]
        check(len(theirs) == len(peers), f"the sender has no stats of all of {peers}: {stats}")

        def total(name):
            return sum(sum(map(int, re.findall(rf"\b{name}=\(\w+\)(-?\d+)", part))) for part in theirs)

        return total("packets-received"), total("packets-lost"), total("packets-discarded")


class Viewer:
    """pion, which counts packets and frames. It sends, too, when ROLE is both; to another viewer as well as to us. The
    first one is alone with the sender, and knows its id by that."""

    def __init__(self, bench, role="receive", name="viewer", sender_id=None):
        self.peer = bench.pion("--role", role, "--expect-frames", 30, "--duration", 600, name=name)
        self.peer.wait_for("reached")
        self.id = self.peer.events("joined")[0]["peer"]
        self.sender_id = sender_id or self.peer.events("session")[0]["peer"]
        self._since = time.monotonic()
        self._frames = self.last()["frames"]

    def _events(self, name, **fields):
        return self.peer.events(name, peer=self.sender_id, **fields)

    def last(self):
        return wait_until(lambda: self._events("stats", kind="video"), 15, f"{self.peer.name} is silent")[-1]

    def _news(self):
        have = len(self._events("stats", kind="video"))
        # The report after the next: what was asked for again is there.
        wait_until(lambda: len(self._events("stats", kind="video")) >= have + 2 or not self.peer.running(), 20,
                   f"{self.peer.name} is silent")
        return self.last()

    def check(self, after):
        """Nothing is missing, and what came are as many frames as were made. Returns how they came."""
        stats = self._news()
        check(self.peer.running(), f"{self.peer.name} ended after {after}: {self.peer.last_words()}")
        if stats["lost"]:  # may be under way a second time
            wait_until(lambda: self.last()["lost"] == 0, 5,
                       lambda: f"{self.peer.name} lacks {self.last()['lost']} packets after {after}")
        seconds = time.monotonic() - self._since
        frames = stats["frames"] - self._frames
        check(frames > 0.9 * RATE * (seconds - 1),
              f"{self.peer.name} got {frames} frames in the {seconds:.1f} s of {after}, {RATE} a second were made")
        check(stats["longestGapMs"] < LONGEST_GAP,
              f"{self.peer.name} waited {stats['longestGapMs']} ms for a frame after {after}")
        check(len(self._events("session")) == 1, f"{self.peer.name} was connected anew after {after}")
        self._since, self._frames = time.monotonic(), stats["frames"]
        return f"{frames} frames, longest gap {stats['longestGapMs']} ms"

    def finish(self):
        self.peer.finish()


class Flooder(Process):
    def __init__(self, bench, port):
        super().__init__(
            "flood", [os.environ["RTC_HOSTILE_FLOOD"], ADDRESS, str(port)], bench.folder, talk=True)
        bench.processes.append(self)

    def flood(self, kind, rate, seconds):
        """Returns (how many went out, in how many seconds)."""
        have = len(self.lines)
        self.tell(f"flood {kind} {rate} {seconds}")
        wait_until(lambda: len(self.lines) > have or not self.running(), 4 * seconds + 20, f"the flood {kind} does not end")
        words = self.lines[have].split() if len(self.lines) > have else ["nothing"]
        check(words[0] == "sent", f"no flood {kind}: {' '.join(words)}")
        return int(words[2]), int(words[3]) / 1000


def drops(port):
    """Datagrams that the kernel threw away because the socket was full."""
    return sum(int(line.split()[12]) for line in sockets() if local_port(line) == port)


def sockets():
    for name in ("udp", "udp6"):
        yield from Path(f"/proc/net/{name}").read_text(encoding="ascii").splitlines()[1:]


def local_port(line):
    return int(line.split()[1].rsplit(":", 1)[1], 16)


def measure(kind, sender, viewers, flooder, port, options):
    """One flood, and what it did."""
    cpu, resident, allocated, dropped = sender.cpu(), sender.resident(), sender.allocated(), drops(port)
    ids = [viewer.id for viewer in viewers]
    before = sender.received(ids)
    sent, seconds = flooder.flood(kind, options.rate, options.seconds)
    spent = [(after - now) / seconds * 100 for after, now in zip(sender.cpu(), cpu)]
    peak = sender.resident()
    dropped = drops(port) - dropped
    how = [viewer.check(f"the flood {kind}") for viewer in viewers]
    sender.check_well()
    after = sender.received(ids)
    grown = sender.allocated() - allocated
    print(f"{kind}: {sent / seconds:.0f} datagrams a second; {spent[0]:.0f} % of a core, its loop {spent[1]:.0f} %; "
          f"{dropped} dropped by the kernel; memory {allocated} KiB and {grown:+d}, resident {resident} and "
          f"{peak - resident:+d}; viewers: {'; '.join(how)}; received {after[0] - before[0]} packets, lost "
          f"{after[1] - before[1]}, discarded {after[2] - before[2]}", flush=True)
    lost = after[1] - before[1]
    check(lost <= 0 or dropped, f"{lost} packets of what the viewer sent are lost in the flood {kind}")
    check(grown < SPARE_MEMORY, f"the memory grew by {grown} KiB in the flood {kind}")
    check(peak - resident < 2 * SPARE_MEMORY, f"the process grew by {peak - resident} KiB in the flood {kind}")
    return lost <= 0


def withstand(kind, *arguments):
    """What the kernel drops because nobody had a core to read the socket is not the product's loss, but it proves
    nothing either: then the flood is made again."""
    check(any(measure(kind, *arguments) for _ in range(3)),
          f"this machine is too busy to judge the flood {kind}: the kernel dropped what the viewer sent, three times")


def floods(bench, options):
    sender = Sender(bench, f"udp-port={UDP_PORT} advertise-address={ADDRESS}")
    flooder = Flooder(bench, UDP_PORT)
    viewer = Viewer(bench, "both")
    viewer.check("the beginning")
    for kind in FLOODS:
        withstand(kind, sender, [viewer], flooder, UDP_PORT, options)
    # Who comes next is served as if nothing had been, and while it goes on.
    flooder.tell(f"flood junk {options.rate} {options.seconds}")
    late = Viewer(bench, name="late", sender_id=viewer.sender_id)
    late.check("a flood that it joined in")
    late.finish()
    viewer.check("a newcomer")
    viewer.finish()


def full_ice(bench, options):
    sender = Sender(bench, f"min-rtp-port={RTP_PORTS[0]} max-rtp-port={RTP_PORTS[1]}")
    victim = Viewer(bench, "both", name="victim")
    port = next(local_port(line) for line in sockets() if local_port(line) in RTP_PORTS)
    flooder = Flooder(bench, port)
    other = Viewer(bench, "both", name="other", sender_id=victim.sender_id)
    for kind in ("junk", "viewer-junk", "viewer-hellos", "replay"):
        withstand(kind, sender, [other], flooder, port, options)
    # It is not lost for good, even if it has lost something.
    have = victim.last()["frames"]
    wait_until(lambda: victim.last()["frames"] > have + RATE, 10, "the picture of the victim stands still")
    other.finish()
    victim.peer.end()


def half_open(bench, options):
    sender = Sender(bench, f"udp-port={UDP_PORT} advertise-address={ADDRESS} max-peers=1024")
    flooder = Flooder(bench, UDP_PORT)
    flooder.tell("hello")
    hello = wait_until(lambda: flooder.lines, 10, "there is no ClientHello")[0].split()[1:]
    viewer = Viewer(bench)
    count = options.peers
    crowd = HalfOpen(count, [bytes.fromhex(part) for part in hello])
    crowd.join()
    viewer.check(f"{count} that joined")
    before = sender.allocated(), sender.resident(), sender.threads(), sender.cpu()
    begun = time.monotonic()
    crowd.begin()
    seconds = time.monotonic() - begun
    held = sender.allocated(), sender.resident(), sender.threads(), sender.cpu()
    how = viewer.check(f"{count} handshakes")
    check(crowd.answered() == count, f"{crowd.answered()} of {count} got an answer to their ClientHello")
    print(f"half-open: {count} handshakes within {seconds:.1f} s took {held[3][0] - before[3][0]:.1f} s of CPU, "
          f"{(held[0] - before[0]) / count:.0f} KiB each, resident {held[1] - before[1]:+d} KiB, "
          f"{held[2] - before[2]:+d} threads; viewer: {how}", flush=True)
    wait_until(lambda: crowd.ended() == count, SETUP_TIMEOUT + 15,
               lambda: f"{crowd.ended()} of {count} handshakes were given up")
    how = viewer.check(f"{count} handshakes that were given up")
    after = sender.allocated(), sender.resident(), sender.threads()
    print(f"given up: memory {after[0] - before[0]:+d} KiB, resident {after[1] - before[1]:+d} KiB, "
          f"{after[2] - before[2]:+d} threads; viewer: {how}", flush=True)
    check(after[0] - before[0] < 2 * SPARE_MEMORY, f"{after[0] - before[0]} KiB are left of {count} handshakes")
    check(after[2] <= before[2] + SPARE_THREADS, f"{after[2] - before[2]} threads are left of {count} handshakes")
    crowd.close()
    sender.check_well()
    viewer.finish()


CASES = {"floods": floods, "full-ice": full_ice, "half-open": half_open}


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=100000, help="datagrams a second")
    parser.add_argument("--peers", type=int, default=200, help="that leave their handshakes half open; at most 1000")
    parser.add_argument("case", choices=CASES)
    options = parser.parse_args()
    if not os.access(os.environ.get("RTC_PEER_PION", ""), os.X_OK):
        print("skipped: RTC_PEER_PION is no program: build tests/peers/pion with go build")
        return SKIPPED
    bench = Bench("native", f"hostile-{options.case}")
    try:
        CASES[options.case](bench, options)
    except (Failure, TimeoutError) as failure:
        print(f"{options.case}: {failure}\n(logs: {bench.folder})", file=sys.stderr)
        return 1
    finally:
        bench.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
