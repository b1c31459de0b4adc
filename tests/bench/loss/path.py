#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A path between two network namespaces that delays packets and loses some of UDP's.

usage: path.py [--delay MS] [--seed N] NETNS

To be run by `tests/netns-run --two`: it takes the cable down (rtc0, rtc1) and gives its IPv4 addresses to two tun
devices instead, far0 here and far1 in NETNS, between which it carries every packet. MS is one way. It reads commands,
one a line, and answers each with a line:

  loss P     from now on P percent of UDP's packets are lost, in each direction, drawn by the seed: "ok"
  counts     how many of UDP went in and were lost, here to there and back: "counts 100 1 90 0"

It ends with its input. (There is no netem in every kernel, and nft cannot delay.)
"""

import argparse
import collections
import ctypes
import fcntl
import os
import random
import selectors
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 1, 0x1000
CLONE_NEWNET = 0x40000000
UDP = 17
MTU = 1500


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def open_tun(name, address, cable):
    """In the namespace that the process is in."""
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    ip("link", "set", cable, "down")
    ip("addr", "flush", "dev", cable)
    ip("addr", "add", f"{address}/24", "dev", name)
    ip("link", "set", name, "addrgenmode", "none")  # packets of IPv6 would not be counted
    ip("link", "set", name, "mtu", str(MTU), "up")
    return tun


class Direction:
    def __init__(self, source, sink, seed, delay):
        self.source, self.sink, self.delay = source, sink, delay
        self.random = random.Random(seed)
        self.loss = 0.0
        self.waiting = collections.deque()
        self.n, self.lost = 0, 0

    def take(self, now):
        while True:
            try:
                packet = os.read(self.source, MTU + 100)
            except BlockingIOError:
                return
            if packet[0] >> 4 == 4 and packet[9] == UDP:
                self.n += 1
                if self.random.random() < self.loss:
                    self.lost += 1
                    continue
            self.waiting.append((now + self.delay, packet))

    def give(self, now):
        """Returns when the next one is due, or None."""
        while self.waiting and self.waiting[0][0] <= now:
            os.write(self.sink, self.waiting.popleft()[1])
        return self.waiting[0][0] if self.waiting else None


def answer(line, directions):
    words = line.split()
    if words[:1] == ["loss"] and len(words) == 2:
        for direction in directions:
            direction.loss = float(words[1]) / 100
        return "ok"
    if words == ["counts"]:
        return "counts " + " ".join(f"{d.n} {d.lost}" for d in directions)
    return f"error: {line.strip()!r} is no command"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--delay", type=float, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("netns")
    arguments = parser.parse_args()

    here = open_tun("far0", os.environ["RTC_TEST_ADDRESS"], "rtc0")
    with open(arguments.netns, "rb") as netns:
        if ctypes.CDLL(None, use_errno=True).setns(netns.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"{arguments.netns} cannot be entered")
    there = open_tun("far1", os.environ["RTC_TEST_PEER_ADDRESS"], "rtc1")

    directions = (Direction(here, there, arguments.seed, arguments.delay / 1000),
                  Direction(there, here, arguments.seed + 1, arguments.delay / 1000))
    selector = selectors.DefaultSelector()
    for direction in directions:
        selector.register(direction.source, selectors.EVENT_READ, direction)
    selector.register(sys.stdin, selectors.EVENT_READ, None)
    print("ready", flush=True)
    while True:
        due = [time_ for time_ in (direction.give(time.monotonic()) for direction in directions) if time_ is not None]
        for key, _ in selector.select(max(0, min(due) - time.monotonic()) if due else None):
            if key.data:
                key.data.take(time.monotonic())
                continue
            line = sys.stdin.readline()
            if not line:
                return
            print(answer(line, directions), flush=True)


if __name__ == "__main__":
    main()
