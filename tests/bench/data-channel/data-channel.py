#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What data channels carry, ours and others': README.md in this folder.

usage: tests/netns-run --two tests/bench/data-channel/data-channel.py [--peers engine,libdatachannel,..]
           [--sizes 64,1024,..] [--paths near,loss-1,..] [--rounds N] [--seconds S] [--seed N] [--check]
"""

import argparse
import concurrent.futures
import os
import random
import statistics
import sys
import time
from pathlib import Path

from peer import Peer
from program import Failure, Program

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[2]
BUILD = Path(os.environ.get("RTC_DATA_CHANNEL", "."))
INSIDE = os.environ.get("RTC_TEST_ADDRESS")
OUTSIDE = os.environ.get("RTC_TEST_PEER_ADDRESS")
NETNS = os.environ.get("RTC_NETNS_PEER")

# Milliseconds there and back, percent lost in each direction, Mbit/s (0: any) and what waits for that, in milliseconds.
PATHS = {
    "near": (0, 0, 0, 0),
    "loss-1": (0, 1, 0, 0),
    "loss-5": (0, 5, 0, 0),
    "far": (40, 0, 0, 0),
    "far-loss-1": (40, 1, 0, 0),
    "far-loss-5": (40, 5, 0, 0),
    "far-narrow": (40, 0, 50, 200),  # a line of 50 Mbit/s with room for 200 ms of packets
}

# Those that cannot carry more in a message.
LARGEST = {"rtclink-webrtcbin": 65536, "webrtcbin": 65536}


def command_of(peer, role):
    programs = {
        "rtclink": [BUILD / "data-rtclink", role, "native"],
        "rtclink-webrtcbin": [BUILD / "data-rtclink", role, "webrtcbin"],
        "webrtcbin": [BUILD / "data-webrtcbin", role],
        "engine": [BUILD / "data-engine", role],
        "libdatachannel": [BUILD / "data-libdatachannel", role],
        "pion": [os.environ.get("RTC_DATA_CHANNEL_PION", BUILD / "data-pion"), role],
        "aiortc": [SOURCE / ".venv/bin/python", HERE / "aiortc-peer.py", role],
        "chromium": ["node", HERE / "chromium-peer.mjs", role],
    }
    if peer not in programs:
        raise Failure(f"no such peer: {peer}; there are {', '.join(programs)}")
    return programs[peer]


class Link:
    """Two ends, the one that sends here and the other one on the other side of the path, if there is one."""

    def __init__(self, peer, is_near):
        there = [] if is_near else ["nsenter", f"--net={NETNS}"]
        self.sender = Peer(f"{peer} (offer)", command_of(peer, "offer"), {"RTC_TEST_ADDRESS": INSIDE})
        self.receiver = Peer(f"{peer} (answer)", there + command_of(peer, "answer"),
                             {"RTC_TEST_ADDRESS": INSIDE if is_near else OUTSIDE})
        self.sender.other, self.receiver.other = self.receiver, self.sender
        self.receiver.say("description", *self.sender.wait_for("description"))
        self.sender.say("description", *self.receiver.wait_for("description"))
        self.sender.wait_for("open")
        self.receiver.wait_for("open")

    def close(self):
        self.sender.close()
        self.receiver.close()

    def _snapshot(self):
        count = [int(word) for word in self.receiver.ask("count")]
        return time.monotonic(), count[0], count[1], self.sender.cpu() + self.receiver.cpu()

    def flood(self, size, seconds):
        """MB/s, messages a second, CPU seconds a GB."""
        self.sender.say("flood", size)
        time.sleep(self.settle)
        before = self._snapshot()
        time.sleep(seconds)
        after = self._snapshot()
        # One that resends seldom may stand still for seconds; a figure of nothing would say nothing.
        while after[2] == before[2] and after[0] - before[0] < 30:
            time.sleep(0.2)
            after = self._snapshot()
        self.sender.say("stop")
        took, got, messages, cpu = (b - a for a, b in zip(before, after))
        return {f"MB/s {size}": got / took / 1e6, f"messages/s {size}": messages / took,
                f"CPU s/GB {size}": cpu / max(got, 1) * 1e9}

    settle = 0.5

    def drain(self):
        last = None
        while True:
            count = self.receiver.ask("count")
            if count == last:
                return
            last = count
            time.sleep(0.3)

    def ping(self, name, n, interval):
        times = sorted(int(word) for word in self.sender.ask("ping", n, interval, timeout=60))
        if not times:
            return {}
        return {f"{name} p50 us": statistics.median(times), f"{name} p99 us": times[min(len(times) - 1, len(times) * 99 // 100)]}


def measure(peer, path, options):
    """One peer's round: all figures by name."""
    figures = {}
    link = Link(peer, path == "near")
    try:
        link.settle = options.settle
        n = int(options.seconds * 100)
        if options.ping:
            figures |= link.ping("ping", n, 10000)
        for size in options.sizes:
            if size > LARGEST.get(peer, size):
                continue
            figures |= link.flood(size, options.seconds)
            link.drain()
        if options.ping:
            link.sender.say("flood", 65536)
            time.sleep(options.settle)
            figures |= link.ping("ping beside bulk", n, 10000)
            link.sender.say("stop")
            link.drain()
        if options.stall:
            figures |= stall(link, options)
        if options.verbose:
            print(f"    {peer}: " + ", ".join(f"{key} {value:.4g}" for key, value in figures.items()), flush=True)
            print("     ", " ".join(link.sender.ask("path")), flush=True)
    finally:
        link.close()
    return figures


def measure_at_once(path, options):
    """All peers' round, when the figures do not matter."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        rounds = [(peer, pool.submit(measure, peer, path, options)) for peer in options.peers]
        return {peer: figures.result() for peer, figures in rounds}


def stall(link, options):
    """How much both ends grow while the receiver takes 2 ms for each message."""
    before = link.sender.memory() + link.receiver.memory()
    link.receiver.say("slow", 2000)
    link.sender.say("flood", 65536)
    time.sleep(options.seconds * 2)
    grown = link.sender.memory() + link.receiver.memory() - before
    link.sender.say("stop")
    return {"MB grown beside a slow receiver": grown / 1e6}


def spread(values):
    values = sorted(values)
    if len(values) < 3:
        return f"{values[0]:.4g}..{values[-1]:.4g}"
    low, _, high = statistics.quantiles(values, n=4)
    return f"{low:.4g}..{high:.4g}"


def report(path, rounds, peers, to):
    names = list(dict.fromkeys(name for figures in rounds for peer in peers for name in figures.get(peer, {})))
    print(f"\n{path}: median (quartiles); ratio to {to}, of the same round")
    for name in names:
        print(f"  {name}")
        for peer in peers:
            values = [figures[peer][name] for figures in rounds if name in figures.get(peer, {})]
            ratios = [figures[peer][name] / figures[to][name] for figures in rounds
                      if name in figures.get(peer, {}) and figures.get(to, {}).get(name)]
            if not values:
                continue
            line = f"    {peer:16s} {statistics.median(values):10.4g} ({spread(values)})"
            if ratios:
                line += f"   {statistics.median(ratios):6.3g} ({spread(ratios)})"
            print(line)


def set_path(program, path):
    milliseconds, loss, rate, waits = PATHS[path]
    rate = int(rate * 1e6 / 8)
    program.say(milliseconds * 500, int(loss * 10000), rate, int(rate * waits / 1000))
    program.wait_for("ok")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--peers", default="engine,libdatachannel")
    parser.add_argument("--to", help="whom the others are compared with (the last peer)")
    parser.add_argument("--sizes", default="64,1024,16384,65536,262144")
    parser.add_argument("--paths", default="near")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--settle", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-ping", dest="ping", action="store_false")
    parser.add_argument("--stall", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--check", action="store_true", help="all at once; fail unless every figure is above nothing")
    options = parser.parse_args()
    options.peers = options.peers.split(",")
    options.paths = options.paths.split(",")
    options.to = options.to if options.to in options.peers else options.peers[-1]
    options.sizes = [int(size) for size in options.sizes.split(",") if size]
    unknown = [path for path in options.paths if path not in PATHS]
    if unknown:
        parser.error(f"no such path: {', '.join(unknown)}; there are {', '.join(PATHS)}")
    return options


def main():
    options = parse()
    generator = random.Random(options.seed)
    if not INSIDE or not NETNS:
        sys.exit("data-channel.py: run this as tests/netns-run --two tests/bench/data-channel/data-channel.py")
    cable = None
    # The path takes the cable away, so what needs none comes first.
    for path in sorted(options.paths, key=lambda name: name != "near"):
        if path != "near":
            if not cable:
                cable = Program("data-path", [BUILD / "data-path"])
                cable.wait_for("ready")
            set_path(cable, path)
        rounds = []
        for number in range(options.rounds):
            order = options.peers[:]
            generator.shuffle(order)
            figures = {}
            if options.check:
                figures = measure_at_once(path, options)
                order = []
            for peer in order:
                try:
                    figures[peer] = measure(peer, path, options)
                except Failure as failure:
                    print(f"  {path}, round {number}: {failure}", flush=True)
            rounds.append(figures)
        report(path, rounds, options.peers, options.to)
        if options.check and any(value <= 0 for figures in rounds for one in figures.values() for value in one.values()):
            raise Failure("nothing was carried")
    if cable:
        cable.close()


if __name__ == "__main__":
    try:
        main()
    except Failure as reason:
        sys.exit(f"data-channel.py: {reason}")
