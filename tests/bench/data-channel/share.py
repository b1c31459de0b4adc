#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reliability is what was asked for: the share of messages that arrive on a path that loses some, against the share that
the setting of the channel implies. Two pipelines, datachannelsink to datachannelsrc, and data-path between them. Run by
netns-run --two.

usage: share.py [--transport native|webrtcbin] [--loss 1,5,10] [--settings LIST] [--messages N] [--interval MICROSECONDS]
                [--size BYTES] [--busy] [--stats]

A message is one packet, and each packet is lost with the probability p. It arrives when one of its tries does, so of
those that have n tries

    1 - p^n

arrive. A setting, and its tries:

  all        as many as it takes: every message arrives, in order
  R          max-retransmits=R, unordered: n = R + 1
  Rordered   the same, ordered
  Lms        max-packet-lifetime=L, unordered: there is no try after L. That one was lost is not known before a round trip
             (26 ms here), and is known after a round trip, an eighth of one and three more packets: n lies between
             1 + floor (L / (9/8 round trip + three intervals)) and 1 + floor (L / round trip)

What arrives is counted once. The test accepts a count that has a probability of more than one in two million, to
either side, by the binomial distribution. A machine that stands still for a moment is late with what has a lifetime, and
gives up all that waited meanwhile: with --busy half of it is enough, and only more than the implied share is wrong.
"""

import argparse
import math
import os
import sys
import time
from pathlib import Path

from peer import Peer
from program import Failure, Program

BUILD = Path(os.environ.get("RTC_DATA_CHANNEL", "."))
ROUND_TRIP = 26.0  # ms
CHANCE = 5e-7
PATIENCE = 60


class Setting:
    def __init__(self, name):
        self.name = name
        self.limits = "ordered=false"
        if name == "all":
            self.limits = ""
        elif name.endswith("ms"):
            self.limits += f" max-packet-lifetime={name[:-2]}"
        elif name.endswith("ordered"):
            self.limits = f"max-retransmits={name[:-7]}"
        else:
            self.limits += f" max-retransmits={int(name)}"

    def is_reliable(self):
        return self.name == "all"

    def keeps_order(self):
        return "ordered=false" not in self.limits

    def lifetime(self):
        return float(self.name[:-2]) if self.name.endswith("ms") else None

    def tries(self, gap):
        """The least and the most. GAP: milliseconds between two packets."""
        lifetime = self.lifetime()
        if lifetime is None:
            n = int(self.name.removesuffix("ordered")) + 1
            return n, n
        return 1 + int(lifetime / (ROUND_TRIP * 9 / 8 + 3 * gap)), 1 + int(lifetime / ROUND_TRIP)

    def implied(self, loss, gap, busy):
        """The share that arrives: the least and the most."""
        if self.is_reliable():
            return 1.0, 1.0
        least, most = self.tries(gap)
        low, high = 1 - loss**least, 1 - loss**most
        return (0.5 if busy and self.lifetime() is not None else low), high


def at_most(k, n, share):
    """The probability that K of N, or less, arrive."""
    if share >= 1:
        return 1.0 if k >= n else 0.0
    if k >= n:
        return 1.0
    logs = [math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * math.log(share)
            + (n - i) * math.log1p(-share) for i in range(k + 1)]
    return min(1.0, math.fsum(math.exp(value) for value in logs))


def bounds(n, least, most):
    """What may arrive of N."""
    low = next(k for k in range(n + 1) if at_most(k, n, least) > CHANCE)
    high = next(k for k in range(n, -1, -1) if k == 0 or 1 - at_most(k - 1, n, most) > CHANCE)
    return low, high


class Link:
    """Two pipelines with a channel for each setting."""

    def __init__(self, transport, settings):
        peer = BUILD / "data-share"
        address, there = os.environ["RTC_TEST_ADDRESS"], os.environ["RTC_NETNS_PEER"]
        send = f"wssignalsrc mode=listener address={address} port=8080 ! rtcbin name=rtc transport={transport}"
        receive = f"wssignalsrc mode=caller uri=ws://{address}:8080/ ! rtcbin name=rtc transport={transport}"
        for setting in settings:
            send += (f" appsrc name={setting.name} format=time caps=application/x-data-channel ! "
                     f"datachannelsink label={setting.name} {setting.limits}")
            receive += f" datachannelsrc label={setting.name} ! appsink name={setting.name} sync=false async=false"
        self.sender = Peer("the sender", [peer, *send.split()])
        self.receiver = Peer("the receiver", ["nsenter", f"--net={there}", peer, *receive.split()])
        for program in (self.sender, self.receiver):
            for _ in settings:
                while program.wait_for("message", PATIENCE) != ["rtc-data-channel"]:
                    pass

    def counts(self):
        self.receiver.say("count")
        counts = {}
        while True:
            words = self.receiver.wait_for_any(("count", "counted"))
            if words[0] == "counted":
                return counts
            counts[words[1]] = [int(word) for word in words[2:]]

    def settled(self, reliable, messages):
        """What came, when all MESSAGES of the RELIABLE channels are there and nothing more has come for a while."""
        counts, since = self.counts(), time.monotonic()
        deadline = since + PATIENCE
        while time.monotonic() - since < self.quiet or any(
                counts[name][1] < messages for name in reliable) and time.monotonic() < deadline:
            time.sleep(0.1)
            before, counts = counts, self.counts()
            if counts != before:
                since = time.monotonic()
        return counts

    quiet = 0

    def close(self):
        self.sender.close()
        self.receiver.close()


def look(setting, counted, options, loss, gap):
    """Prints one cell. Returns what is wrong with it."""
    messages, different, disordered, half, latest, wrong = counted
    least, most = setting.implied(loss, gap, options.busy)
    low, high = bounds(options.messages, least, most)
    share = f"{least:.4%}" if least == most else f"{least:.4%} to {most:.4%}"
    print(f"  {options.transport:9} {loss:4.0%} {setting.name:9} {different:6} of {options.messages}, "
          f"{different / options.messages:8.3%}; implied {share} ({low} to {high}); p50 {half / 1000:.1f}, "
          f"latest {latest / 1000:.0f} ms", flush=True)
    problems = []
    if not low <= different <= high:
        problems.append(f"{different} arrived, {low} to {high} were expected")
    if messages != different:
        problems.append(f"{messages - different} arrived twice")
    if setting.keeps_order() and disordered:
        problems.append(f"{disordered} arrived out of order")
    if wrong:
        problems.append(f"{wrong} were not what was sent")
    return [f"{loss:.0%} {setting.name}: {problem}" for problem in problems]


def measure(path, loss, options):
    def set_path(lost):
        path.say(int(ROUND_TRIP * 500), int(lost * 10000), 0, 0)
        path.wait_for("ok")

    set_path(0)
    link = Link(options.transport, options.settings)
    try:
        # usrsctp waits up to a minute before it tries again.
        link.quiet = 2 if options.transport == "native" else 20
        set_path(loss)
        link.sender.say("send", options.messages, options.interval, options.size)
        link.sender.wait_for("sent", 60 + options.messages * len(options.settings) * options.interval / 1e6)
        reliable = [setting.name for setting in options.settings if setting.is_reliable()]
        counts = link.settled(reliable, options.messages)
        if options.stats:
            print("   ", *link.sender.ask("stats"))
    finally:
        link.close()
    gap = options.interval / 1000
    return [problem for setting in options.settings
            for problem in look(setting, counts[setting.name], options, loss / 100, gap)]


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--transport", default="native", choices=("native", "webrtcbin"))
    parser.add_argument("--loss", default="1,5,10", help="percent")
    parser.add_argument("--settings", default="0,1,3,50ms,0ordered,1ordered,all")
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--interval", type=int, default=1000)
    parser.add_argument("--size", type=int, default=1000)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--stats", action="store_true")
    options = parser.parse_args()
    options.settings = [Setting(name) for name in options.settings.split(",")]
    path = Program("data-path", [BUILD / "data-path"])
    problems = []
    try:
        path.wait_for("ready")
        for loss in options.loss.split(","):
            problems += measure(path, float(loss), options)
    finally:
        path.close()
    for problem in problems:
        print(f"share.py: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as reason:
        sys.exit(f"share.py: {reason}")
