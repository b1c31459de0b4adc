#!/usr/bin/env python3
# rtclink: many peers that come and go, for a long time
#
# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: netns-run soak.py [--joins N] [--peers N] [--seed N] [--transport NAME] [--report FILE]

Peers join one sending pipeline and leave it again in random order, every tenth by kill -9, while one viewer stays. The
same is done with bare webrtcbins, in the same order. rtcbin may not grow more than these do, in threads, descriptors
and memory, and the steady viewer may not stall.

environment:
  RTC_SOAK_VIEWER, RTC_SOAK_SENDER, RTC_SOAK_BARE   the programs soak-viewer, soak-sender and bare-webrtcbin
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))
from harness import ADDRESS, PORT, URI, Failure, Process, check, listening, wait_until  # noqa: E402

ENCODER = (
    "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=15/1 ! "
    "vp8enc deadline=1 target-bitrate=200000 keyframe-max-dist=300"
)
# What glibc and GLib keep for each of many threads, freed but counted as used, says nothing about leaks.
ENVIRONMENT = {"MALLOC_ARENA_MAX": "1", "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0", "G_SLICE": "always-malloc"}

AT_ONCE = 4  # joins under way
JOIN_TIMEOUT = 60
LEAVE_TIMEOUT = 60
LONGEST_GAP = 1.0  # seconds, at 15 frames a second with two busy cores; the figure itself is reported
KILLED = 10  # one in so many

# webrtcbin keeps so many packets of what it sends, for those that are asked for again: half a megabyte for the steady
# viewer, which is not to be taken for growth.
HISTORY = 500

# What two runs of the same may differ by.
SPARE_THREADS = 2
SPARE_DESCRIPTORS = 2
SPARE_MEMORY = 256  # KiB: buffers under way


class Host(Process):
    """A program that hosts viewers: one of them, which can be killed, or all the others."""

    def __init__(self, world, name, command):
        self.world = world
        self.first = {}  # viewer: when its first frame came
        self.reports = {}
        self.gone = set()
        self.memory = None  # bytes
        self.failures = {}  # viewer: what it said; of one that is leaving it means nothing
        super().__init__(name, command, world.folder, talk=True, on_line=self._take, **ENVIRONMENT)

    def _take(self, line):
        words = line.split()
        if len(words) < 2:
            return
        if words[0] == "first":
            self.first[words[1]] = time.monotonic()
        elif words[0] == "report":
            self.reports[words[1]] = (int(words[2]), int(words[3]) / 1e6)
        elif words[0] == "gone":
            self.gone.add(words[1])
        elif words[0] == "memory":
            self.memory = int(words[2])
        elif words[0] == "error":
            self.failures[words[1]] = line.strip()
        else:
            self.world.relay(self, words[1], line.strip())

    def report(self, viewer):
        """(frames, longest gap in seconds) as of now."""
        self.reports.pop(viewer, None)
        self.tell(f"report {viewer}")
        return wait_until(lambda: self.reports.get(viewer), 10, f"{self.name} does not report")

    def allocated(self):
        """KiB that the program has allocated and not freed."""
        self.memory = None
        self.tell("memory now")
        # 0 where a sanitizer has an allocator of its own
        wait_until(lambda: self.memory is not None, 10, f"{self.name} does not tell its memory")
        return self.memory // 1024


class World:
    """A sender and its viewers, of one kind or the other."""

    def __init__(self, folder, options):
        self.folder = folder
        self.options = options
        self.sender = None
        self.hosts = {}  # viewer: Host
        self.processes = []
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def start_host(self, name):
        host = Host(self, name, self.host_command())
        self.processes.append(host)
        return host

    def relay(self, host, viewer, line):
        raise Failure(f"{host.name} said {line}")

    def leave(self, viewer):
        self.hosts.pop(viewer).tell(f"leave {viewer}")

    def kill(self, viewer):
        host = self.hosts.pop(viewer)
        host.end(signal.SIGKILL)
        self.processes.remove(host)

    def check_alive(self):
        check(self.sender.running(), f"the sender ended with {self.sender.process.returncode}")
        for process in list(self.processes):
            check(process.running(), f"{process.name} ended with {process.process.returncode}")

    def close(self):
        for process in filter(None, [*self.processes, self.sender]):
            if process.running():
                process.process.kill()
                process.process.wait()


class RtcbinWorld(World):
    name = "rtcbin"

    def start(self):
        line = (f"wssignalsrc mode=listener address={ADDRESS} port={PORT} ! "
                f"rtcbin name=rtc transport={self.options.transport} {ENCODER} ! rtc.")
        self._here = 0
        self.sender = Host(self, "sender", [os.environ["RTC_SOAK_SENDER"], *line.split()])
        wait_until(lambda: listening(ADDRESS, PORT) or not self.sender.running(), 15, "the sender does not listen")
        check(self.sender.running(), f"the sender ended: {self.sender.failures}")
        self.crowd = self.start_host("crowd")

    def relay(self, host, viewer, line):
        self._here += {"here": 1, "left": -1}[line.split()[0]]

    def host_command(self):
        return [os.environ["RTC_SOAK_VIEWER"], URI, self.options.transport]

    def join(self, viewer, own):
        host = self.hosts[viewer] = self.start_host(viewer) if own else self.crowd
        host.tell(f"join {viewer}")

    def wait_for_only(self, count):
        wait_until(lambda: self._here <= count, LEAVE_TIMEOUT,
                   lambda: f"rtcbin still has {self._here} peers, {count} are there")


class BareWorld(World):
    name = "bare webrtcbin"

    def start(self):
        self._viewers = {}  # also those that have left: the sender must hear of it
        self._lock = threading.Lock()
        command = [os.environ["RTC_SOAK_BARE"], "send", *ENCODER.split()]
        self.sender = Host(self, "sender", command)
        self.crowd = self.start_host("crowd")

    def host_command(self):
        return [os.environ["RTC_SOAK_BARE"], "receive"]

    def relay(self, host, viewer, line):
        with self._lock:
            target = self.hosts.get(viewer) if host is self.sender else self.sender
            if target and viewer in self.hosts:
                target.tell(line)

    def join(self, viewer, own):
        host = self.start_host(viewer) if own else self.crowd
        with self._lock:
            self.hosts[viewer] = host
            host.tell(f"join {viewer}")
            self.sender.tell(f"join {viewer}")

    def leave(self, viewer):
        with self._lock:
            super().leave(viewer)
            self.sender.tell(f"leave {viewer}")

    def kill(self, viewer):
        with self._lock:
            super().kill(viewer)
            self.sender.tell(f"leave {viewer}")

    def wait_for_only(self, count):
        left = self._joined - count
        wait_until(lambda: len(self.sender.gone) >= left, LEAVE_TIMEOUT,
                   lambda: f"the sender still has {self._joined - len(self.sender.gone)} viewers")

    @property
    def _joined(self):
        return len(self.sender.gone) + len(self.hosts)


def settled(sender):
    """Measures when threads and descriptors have been the same for two seconds: what ends, ends in the background."""
    state = {"value": None, "since": 0.0}

    def same():
        counts = [len(os.listdir(f"/proc/{sender.pid}/{of}")) for of in ("task", "fd")]
        if counts != state["value"]:
            state["value"], state["since"] = counts, time.monotonic()
        return counts if time.monotonic() - state["since"] > 2 else None

    threads, descriptors = wait_until(same, 60, lambda: f"threads and descriptors do not settle: {state['value']}")
    with open(f"/proc/{sender.pid}/status", encoding="ascii") as file:
        status = dict(line.split(":", 1) for line in file)
    memory = sender.allocated()
    resident = int(status["RssAnon"].split()[0])
    return {"threads": threads, "descriptors": descriptors, "memory": memory, "resident": resident}


class Run:
    """The same random walk for each world."""

    def __init__(self, world, options):
        self.world = world
        self.options = options
        self.random = random.Random(options.seed)
        self.here = {}  # viewer: whether it is a process of its own
        self.waiting = {}  # viewer: when it joined
        self.times = []
        self.joined = self.most = self.kills = 0

    def _poll(self):
        self.world.check_alive()
        for viewer, since in list(self.waiting.items()):
            host = self.world.hosts[viewer]
            if viewer in host.first:
                self.times.append(host.first[viewer] - since)
                del self.waiting[viewer]
            elif viewer in host.failures:
                raise Failure(f"{host.name}: {host.failures[viewer]}")
            elif time.monotonic() - since > JOIN_TIMEOUT:
                raise Failure(f"{viewer}, join {self.joined}, saw no frame within {JOIN_TIMEOUT} s")
        return len(self.waiting) < AT_ONCE

    def _wait(self):
        wait_until(self._poll, JOIN_TIMEOUT + 10, "no join comes to its end")

    def _join(self):
        self.joined += 1
        viewer = f"v{self.joined}"
        own = self.joined % KILLED == 0
        self.world.join(viewer, own)
        self.here[viewer] = own
        self.waiting[viewer] = time.monotonic()
        self.most = max(self.most, len(self.here))

    def _leave(self, viewer):
        self.waiting.pop(viewer, None)
        if self.here.pop(viewer):
            self.world.kill(viewer)
            self.kills += 1
        else:
            self.world.leave(viewer)

    def walk(self, joins):
        """Until so many have joined, counted from the beginning."""
        while self.joined < joins:
            self._wait()
            here = sorted(self.here)
            # Full once before the first measurement: what a process holds at its fullest it keeps for later.
            chance = 0.6 if self.most >= self.options.peers else 1
            if len(here) < self.options.peers and self.random.random() < chance:
                self._join()
            elif here:
                # Who has only just asked to come in may go again, too.
                self._leave(self.random.choice(here))
        wait_until(lambda: self._poll() and not self.waiting, JOIN_TIMEOUT + 10, "the last joins do not end")

    def measure(self):
        """With nobody but the steady viewer, and when the sender knows it."""
        for viewer in sorted(self.here):
            self._leave(viewer)
        self.world.wait_for_only(1)
        return settled(self.world.sender)

    def _fill_history(self, steady):
        """Each frame is a packet at least."""
        wait_until(lambda: steady.report("steady")[0] > HISTORY, 120, "the steady viewer gets no frames")

    def run(self):
        options = self.options
        self.world.start()
        self.world.join("steady", True)
        steady = self.world.hosts["steady"]
        wait_until(lambda: "steady" in steady.first, JOIN_TIMEOUT,
                   lambda: f"the steady viewer sees nothing {steady.failures}")
        self.walk(options.baseline)
        self._fill_history(steady)
        before = self.measure()
        self.walk(options.joins)
        after = self.measure()
        frames, gap = steady.report("steady")
        self.times.sort()
        return {
            "world": self.world.name, "joins": self.joined, "killed": self.kills, "most": self.most,
            "before": before, "after": after, "growth": {key: after[key] - before[key] for key in before},
            "steadyFrames": frames, "steadyGap": gap,
            "joinMedian": self.times[len(self.times) // 2], "joinLongest": self.times[-1],
        }


def tell(result):
    print(f"{result['world']}: {result['joins']} joins, {result['killed']} killed, at most {result['most']} at once; "
          f"join to first frame {result['joinMedian']:.2f} s (longest {result['joinLongest']:.2f} s); "
          f"the steady viewer's longest gap {result['steadyGap'] * 1000:.0f} ms")
    for key in result["before"]:
        unit = " KiB" if key in ("memory", "resident") else ""
        print(f"  {key}: {result['before'][key]}{unit} after the first, {result['after'][key]}{unit} at the end")
    sys.stdout.flush()


def judge(ours, bare):
    """Every way in which we are worse than bare webrtcbins."""
    spare = {"threads": SPARE_THREADS, "descriptors": SPARE_DESCRIPTORS, "memory": SPARE_MEMORY}
    for key, allowance in spare.items():
        allowed = max(bare["growth"][key], 0) + allowance
        if ours["growth"][key] > allowed:
            yield f"{key} grew by {ours['growth'][key]}, bare webrtcbins' by {bare['growth'][key]} ({allowed} allowed)"
    if ours["steadyGap"] > max(LONGEST_GAP, bare["steadyGap"]):
        yield (f"the steady viewer waited {ours['steadyGap']:.2f} s for a frame "
               f"({bare['steadyGap']:.2f} s with bare webrtcbins)")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--joins", type=int, default=1000)
    parser.add_argument("--peers", type=int, default=50)
    parser.add_argument("--baseline", type=int, help="joins before the first measurement (default: 100, or a third)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--transport", default="webrtcbin")
    parser.add_argument("--report", help="file for the figures, as JSON")
    parser.add_argument("--only", choices=("rtcbin", "bare"), help="one of the two, with nothing to compare")
    options = parser.parse_args()
    options.baseline = options.baseline or min(100, options.joins // 3)
    base = Path(os.environ.get("RTC_TEST_ARTEFACTS") or tempfile.mkdtemp(prefix="rtclink-soak-"))
    results = {}
    for kind in (BareWorld, RtcbinWorld):
        key = "bare" if kind is BareWorld else "rtcbin"
        if options.only not in (None, key):
            continue
        world = kind(base / f"soak-{key}-{options.transport}", options)
        try:
            results[key] = Run(world, options).run()
        except Failure as failure:
            print(f"{world.name}: {failure}\n(logs: {world.folder})", file=sys.stderr)
            return 1
        finally:
            world.close()
        tell(results[key])
    if options.report:
        Path(options.report).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if len(results) < 2:
        return 0
    faults = list(judge(results["rtcbin"], results["bare"]))
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
