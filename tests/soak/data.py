#!/usr/bin/env python3
# rtclink: data channels that come and go, for a long time
#
# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: netns-run data.py [--seconds N] [--seed N] [--peers N] [--transport NAME] [--report FILE]

Peers, a process each, come into one room and leave it again, some by kill -9, and have data channels with each other of
random settings, which both sides open and close, with messages of 0 bytes to 16 MiB (64 KiB on webrtcbin), readers that
stall, ICE restarts and rebuilt connections meanwhile. Each message is checked where it arrives; on reliable channels
none may be missing or come twice as long as both stay (on webrtcbin: as long as the connection does). One peer stays
from the beginning to the end. It may not grow. --only rebuild,kill,...: those things besides opening and sending.

environment:
  RTC_SOAK_DATA_PEER   the program soak-data-peer
"""

import argparse
import json
import os
import queue
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))
from harness import ADDRESS, PORT, URI, Failure, Process, check, listening, wait_until  # noqa: E402
from soak import ENVIRONMENT, settled  # noqa: E402

STEADY = "p0"
DELIVERY_TIMEOUT = 60  # for what was sent to arrive, on a busy machine
LEAVE_TIMEOUT = 60
COUNTS_EVERY = 0.5
MOST_CHANNELS = 400  # at once
MANY = 100  # that one step opens
MOST_IDS = 300

# What two measurements of a process that does nothing may differ by. Memory is in KiB: what the messages that
# datachannelsink keeps for a peer that broke away take besides their bytes. Ten minutes have 150 connections.
SPARE = {"threads": 2, "descriptors": 2, "memory": 1024}

# name: chance in each step
THINGS = {
    "join": 6, "leave": 2, "kill": 2, "open": 30, "many": 1, "send": 60, "close": 24, "stall": 4, "push": 10, "hold": 3,
    "restart": 3, "rebuild": 2,
}
ALWAYS = ("join", "open", "send", "close")


class Peer(Process):
    def __init__(self, world, name, signaling):
        self.name = name
        self.present = set()
        self.connected = set()
        self.counts = {}  # label: (waiting, sent, received), as of the last counting
        self.heard = {}
        self.pushed = self.waiting = 0
        self.counted = None  # the last counting that is complete
        self.memory = None
        self.holds_until = None
        command = [os.environ["RTC_SOAK_DATA_PEER"], name, world.options.transport, *signaling.split()]
        super().__init__(name, command, world.folder, talk=True, on_line=lambda line: world.events.put((self, line)),
                         **ENVIRONMENT)

    def tell(self, line):
        self._log.write(f"> {line}\n")
        super().tell(line)

    def allocated(self):
        """KiB that the program has allocated and not freed."""
        before = len(self.lines)
        self.tell("memory now")
        line = wait_until(lambda: next((line for line in self.lines[before:] if line.startswith("memory ")), None), 10,
                          f"{self.name} does not tell its memory")
        return int(line.split()[2]) // 1024


class Channel:
    def __init__(self, label, ends, options, lasts):
        self.label = label
        self.ends = ends
        self.reliable = "max-" not in options
        self.lasts = lasts
        # What is sent on a negotiated one before the other side has it is nobody's (as in browsers).
        self.waits_for = set(ends) if "negotiated" in options else set()
        self.broken = False  # some may be missing
        self.closer = None
        self.told = set()  # who was told to close it
        self.sent = None  # by the closer
        self.since = None

    def other(self, name):
        return self.ends[name == self.ends[0]]


class World:
    def __init__(self, folder, options):
        self.folder = folder
        self.options = options
        self.random = random.Random(options.seed)
        self.native = options.transport == "native"
        self.events = queue.Queue()
        self.peers = {}
        self.channels = {}
        self.numbers = dict.fromkeys(("peers", "channels", "ids", "counts"), 0)
        self.tally = {name: 0 for name in (*THINGS, "messages", "lost", "refused", "warnings", "most")}
        self.next_counts = 0
        folder.mkdir(parents=True, exist_ok=True)

    # What peers say.

    def take_events(self, timeout=0.0):
        try:
            peer, line = self.events.get(timeout=timeout) if timeout else self.events.get_nowait()
            while True:
                if self.peers.get(peer.name) is peer:
                    words = line.split()
                    getattr(self, f"on_{words[0]}", self.on_other)(peer, words[1], words[2:])
                peer, line = self.events.get_nowait()
        except queue.Empty:
            pass

    def on_other(self, peer, subject, words):
        """opened, ended, joined, gone, memory: nothing to do."""

    def on_wrong(self, peer, label, words):
        raise Failure(f"{peer.name}, {label}: {' '.join(words)}")

    on_error = on_wrong

    def on_opened(self, peer, label, words):
        channel = self.channels.get(label)
        if channel:
            channel.waits_for.discard(peer.name)

    def on_connected(self, peer, other, words):
        peer.connected.add(other)

    def on_joined(self, peer, other, words):
        peer.present.add(other)

    def on_left(self, peer, other, words):
        peer.present.discard(other)
        peer.connected.discard(other)

    def on_lost(self, peer, label, words):
        channel = self.channels.get(label)
        # Who closes one while the connection is replaced may not know it any more on the next.
        if channel and not (channel.lasts and channel.closer):
            check(not channel.lasts, f"{peer.name} lost {label}, which goes on over connections: {' '.join(words)}")
            channel.broken = True
            self.tally["lost"] += 1

    def on_refused(self, peer, label, words):
        channel = self.channels.get(label)
        why = " ".join(words)
        if channel and "nothing more can be sent" not in why:  # it closed while a message was on its way to it
            check(not self.native and "transport=native" in why, f"{peer.name} cannot have {label}: {why}")
            channel.broken = True
            self.tally["refused"] += 1

    def on_warning(self, peer, subject, words):
        self.tally["warnings"] += 1

    def on_count(self, peer, label, words):
        peer.counts[label] = tuple(map(int, words))

    def on_heard(self, peer, other, words):
        peer.heard[other] = int(words[0])

    def on_pushed(self, peer, name, words):
        peer.pushed, peer.waiting = map(int, words)

    def on_counted(self, peer, number, words):
        peer.counted = int(number)

    def on_closed(self, peer, label, words):
        channel = self.channels.get(label)
        if channel and channel.closer == peer.name:
            channel.sent = int(words[0])
            self.tally["messages"] += channel.sent
        elif channel:
            self.tally["messages"] += int(words[0])
            del self.channels[label]

    # What is done to them.

    def start(self, name, signaling):
        self.peers[name] = peer = Peer(self, name, signaling)
        return peer

    def forget(self, name):
        """It is gone: whom it had channels with has no use for them any more."""
        for channel in [channel for channel in self.channels.values() if name in channel.ends]:
            del self.channels[channel.label]
            self.tell_close(channel, channel.other(name))
        for peer in self.peers.values():
            peer.connected.discard(name)

    def tell_close(self, channel, name):
        if name not in channel.told:
            channel.told.add(name)
            self.peers[name].tell(f"close {channel.label}")

    def end(self, name, number):
        peer = self.peers.pop(name)
        self.forget(name)
        if number:
            peer.end(number)
            return
        peer.process.stdin.close()
        status = wait_until(lambda: None if peer.running() else [peer.process.returncode], LEAVE_TIMEOUT,
                            f"{name} does not end")
        check(status == [0], f"{name} ended with {status[0]}")

    def pairs(self):
        return [(a, b) for a in sorted(self.peers) for b in sorted(self.peers)
                if a < b and b in self.peers[a].connected and a in self.peers[b].connected]

    def open_one(self, a, b):
        self.numbers["channels"] += 1
        label = f"c{self.numbers['channels']}"
        ordered = self.random.random() < 0.6
        limit = self.random.choice(["", "", "", ",max-retransmits=%d" % self.random.choice([0, 1, 5]),
                                    ",max-packet-lifetime=%d" % self.random.choice([1, 50, 500])])
        # GStreamer's SCTP reads freed memory when a part of an ordered message was given up (data-channels.md).
        ordered &= self.native or not limit
        negotiated = self.random.random() < 0.15
        options = f"o,ordered={str(ordered).lower()}{limit},priority={self.random.choice([128, 256, 512, 1024])}"
        if self.random.random() < 0.3:
            options += ',protocol="some protocol ☂"'
        if negotiated:
            self.numbers["ids"] = (self.numbers["ids"] + 1) % MOST_IDS
            options += f",negotiated=true,id={600 + self.numbers['ids']}"
        both = negotiated or self.random.random() < 0.3
        lasts = self.native and ordered and not limit and not negotiated
        self.channels[label] = Channel(label, (a, b), options, lasts)
        self.peers[a].tell(f"open {label} {b} true {options}")
        self.peers[b].tell(f"open {label} {a} {str(both).lower()} {options}")
        self.tally["most"] = max(self.tally["most"], len(self.channels))
        return self.channels[label]

    def some_channel(self):
        there = [channel for channel in self.channels.values() if not channel.closer]
        return self.random.choice(there) if there else None

    def close_one(self, channel):
        channel.closer = self.random.choice(channel.ends)
        channel.since = time.monotonic()
        self.tell_close(channel, channel.closer)

    # Steps.

    def do_join(self):
        if len(self.peers) < self.options.peers:
            self.numbers["peers"] += 1
            self.start(f"p{self.numbers['peers']}", f"wssignalsrc uri={URI}")
            return True
        return False

    def guest(self):
        guests = sorted(set(self.peers) - {STEADY})
        return self.random.choice(guests) if guests else None

    def do_leave(self, number=None):
        name = self.guest()
        if name:
            self.end(name, number)
        return name

    def do_kill(self):
        return self.do_leave(signal.SIGKILL)

    def do_open(self, count=1):
        pairs = self.pairs()
        if not pairs or len(self.channels) + count > MOST_CHANNELS:
            return False
        a, b = self.random.choice(pairs)
        for _ in range(count):
            channel = self.open_one(*self.random.sample((a, b), 2))
            self.send(channel, 5)
        return True

    def do_many(self):
        return self.do_open(MANY)

    def send(self, channel, most):
        if channel.waits_for:
            return
        for end in channel.ends:
            count = self.random.randint(0, most)
            if count:
                self.peers[end].tell(f"send {channel.label} {count}")

    def do_send(self):
        channel = self.some_channel()
        if channel:
            self.send(channel, 40)
        return channel

    def do_close(self):
        channel = self.some_channel()
        if channel:
            self.close_one(channel)
        return channel

    def do_stall(self):
        channel = self.some_channel()
        if channel:
            self.peers[self.random.choice(channel.ends)].tell(f"stall {channel.label} {self.random.randint(50, 800)}")
        return channel

    def do_push(self):
        self.peers[self.random.choice(sorted(self.peers))].tell(f"push all {self.random.randint(1, 60)}")
        return True

    def do_hold(self):
        peer = self.peers[self.random.choice(sorted(self.peers))]
        peer.tell("hold all on")
        peer.holds_until = time.monotonic() + self.random.uniform(0.2, 2)
        return True

    def do_renew(self, restart):
        pairs = self.pairs()
        if not pairs:
            return False
        a, b = self.random.choice(pairs)
        offerer, other = (a, b) if int(a[1:]) > int(b[1:]) else (b, a)  # who joined later offers
        self.peers[offerer].tell(f"renew {other} {restart}")
        if not self.native:
            for channel in self.channels.values():
                channel.broken |= set(channel.ends) == {a, b}
        return True

    def do_restart(self):
        return self.do_renew("true")

    def do_rebuild(self):
        return self.do_renew("false")

    # What has to come true meanwhile.

    def poll(self, timeout=0.0):
        self.take_events(timeout)
        now = time.monotonic()
        for peer in self.peers.values():
            check(peer.running(), f"{peer.name} ended with {peer.process.returncode}")
            if peer.holds_until and now > peer.holds_until:
                peer.tell("hold all off")
                peer.holds_until = None
        if now > self.next_counts:
            self.next_counts = now + COUNTS_EVERY
            self.numbers["counts"] += 1
            for peer in self.peers.values():
                peer.tell(f"counts {self.numbers['counts']}")
        for channel in list(self.channels.values()):
            if channel.sent is not None:
                self.check_closed(channel, now)

    def check_closed(self, channel, now):
        """Who closed it had sent so many: they all arrive."""
        peer = self.peers[channel.other(channel.closer)]
        received = peer.counts.get(channel.label, (0, 0, 0))[2]
        if received < channel.sent and channel.reliable and not channel.broken:
            check(now - channel.since < DELIVERY_TIMEOUT,
                  f"{peer.name} got {received} of {channel.sent} messages on {channel.label} before {channel.closer} "
                  "closed it")
            return
        check(received <= channel.sent, f"{peer.name} got {received} messages on {channel.label} of {channel.sent}")
        self.tell_close(channel, peer.name)
        channel.sent = None

    def is_settled(self):
        """Whether all has arrived, as of one counting; a sentence says what has not."""
        number = self.numbers["counts"]
        for peer in self.peers.values():
            if (peer.counted or 0) < number:
                return f"{peer.name} has not counted"
            for other in peer.connected & set(self.peers):
                heard, pushed = peer.heard.get(other, 0), self.peers[other].pushed
                if heard != pushed:
                    return f"{peer.name} heard {heard} of {pushed} of {other}'s datachannelsink"
        for channel in self.channels.values():
            if channel.closer:
                return f"{channel.label} is being closed"
            for end in channel.ends:
                waiting, sent, _ = self.peers[end].counts.get(channel.label, (1, 0, 0))
                received = self.peers[channel.other(end)].counts.get(channel.label, (0, 0, 0))[2]
                if (waiting or received < sent) and channel.reliable and not channel.broken:
                    return (f"{channel.label}: {end} has {waiting} messages waiting and sent {sent}, "
                            f"{channel.other(end)} got {received}")
                check(received <= sent or waiting, f"{channel.other(end)} got {received} messages of {sent} on "
                      f"{channel.label}")
        return None

    def settle(self):
        """Nobody stalls any more, everybody is connected, and all that was sent arrives."""
        wait_until(lambda: self.poll(0.05) or len(self.pairs()) == len(self.peers) * (len(self.peers) - 1) // 2,
                   DELIVERY_TIMEOUT, lambda: f"of {sorted(self.peers)}, only {self.pairs()} are connected")
        for peer in self.peers.values():
            peer.tell("hold all off")
            peer.tell("push all 3")
            peer.holds_until = None
        # A counting that began after that.
        self.take_events()
        self.next_counts = 0
        self.poll()
        end = time.monotonic() + DELIVERY_TIMEOUT
        first = self.numbers["counts"] + 1
        while (why := self.is_settled()) or self.numbers["counts"] < first:
            check(time.monotonic() < end, f"not all arrives within {DELIVERY_TIMEOUT} s: {why}")
            self.poll(0.05)

    def measure(self):
        """With nobody but the steady peer."""
        self.settle()
        for channel in list(self.channels.values()):
            self.tally["messages"] += sum(self.peers[end].counts.get(channel.label, (0, 0, 0))[1]
                                          for end in channel.ends)
        for name in sorted(set(self.peers) - {STEADY}):
            self.end(name, None)
        steady = self.peers[STEADY]
        end = time.monotonic() + LEAVE_TIMEOUT
        while steady.present:
            check(time.monotonic() < end, f"{steady.present} have not left for {STEADY}")
            self.poll(0.05)
        figures = settled(steady)
        # datachannelsink keeps for a while (max-time) what it had for a peer whose connection broke.
        self.next_counts = 0
        self.poll()
        wait_until(lambda: self.poll(0.02) or steady.counted == self.numbers["counts"], 10, f"{STEADY} does not count")
        figures["memory"] = max(figures["memory"] - steady.waiting // 1024, 0)  # 0 where a sanitizer allocates
        return figures

    def walk(self, seconds):
        end = time.monotonic() + seconds
        names = [name for name in THINGS if not self.options.only or name in ALWAYS or name in self.options.only]
        while time.monotonic() < end:
            thing = self.random.choices(names, [THINGS[name] for name in names])[0]
            if getattr(self, f"do_{thing}")():
                self.tally[thing] += 1
            pause = time.monotonic() + self.random.expovariate(1 / self.options.pause)
            self.poll()
            while (left := pause - time.monotonic()) > 0:
                self.poll(min(left, 0.1))

    def run(self):
        steady = self.start(STEADY, f"wssignalsrc mode=listener address={ADDRESS} port={PORT}")
        wait_until(lambda: listening(ADDRESS, PORT) or not steady.running(), 60, "the steady peer does not listen")
        for _ in range(self.options.peers - 1):
            self.do_join()
        self.settle()
        self.do_many()
        self.walk(self.options.seconds / 3)
        before, connections = self.measure(), self.tally["join"] + self.tally["rebuild"]
        self.walk(self.options.seconds * 2 / 3)
        after = self.measure()
        connections = self.tally["join"] + self.tally["rebuild"] - connections
        return {"transport": self.options.transport, "seed": self.options.seed, "seconds": self.options.seconds,
                "channels": self.numbers["channels"], "peers": self.numbers["peers"], **self.tally, "before": before,
                "after": after, "growth": {key: after[key] - before[key] for key in before},
                "connections": connections}

    def close(self):
        for peer in self.peers.values():
            if peer.running():
                peer.process.kill()
                peer.process.wait()


def judge(result):
    for key, spare in SPARE.items():
        if result["growth"][key] > spare:
            yield f"{key} grew by {result['growth'][key]} ({spare} allowed)"


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--peers", type=int, default=4, help="at once")
    parser.add_argument("--pause", type=float, default=0.05, help="seconds between two steps, on the average")
    parser.add_argument("--only", type=lambda text: text.split(","), help="these things, besides those always done")
    parser.add_argument("--transport", default="native")
    parser.add_argument("--report", help="file for the figures, as JSON")
    options = parser.parse_args()
    base = Path(os.environ.get("RTC_TEST_ARTEFACTS") or tempfile.mkdtemp(prefix="rtclink-soak-"))
    world = World(base / f"data-{options.transport}", options)
    try:
        result = world.run()
    except Failure as failure:
        print(f"{failure}\n(seed {options.seed}, {world.tally}; logs: {world.folder})", file=sys.stderr)
        return 1
    finally:
        world.close()
    print(json.dumps(result, indent=1))
    if options.report:
        Path(options.report).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    faults = list(judge(result))
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
