#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What it costs to send one stream to many: README.md in tests/bench.

usage: tests/netns-run tests/bench/fan-out/fan-out.py [--viewers 1,5,20,50] [--senders raw-sendto,native,..] [..]
"""

import argparse
import json
import os
import random
import statistics
import sys
import threading
import time
from pathlib import Path

import janus

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from program import Failure, Program, cpu_seconds  # noqa: E402

ADDRESS = os.environ.get("RTC_TEST_ADDRESS", "127.0.0.1")
BUILD = Path(os.environ.get("RTC_FAN_OUT", "."))
PACKETS = 325  # a second and viewer
SIGNAL_PORT, MEDIA_PORT = 8080, 8090


class Receiver(Program):
    def __init__(self, *words):
        self.firsts = {}  # viewer: milliseconds to its first picture
        super().__init__("receiver", [BUILD / "fan-receiver", ADDRESS, *words])

    def take(self, words):
        if words[0] == "first":
            self.firsts[words[1]] = float(words[2])
        super().take(words)


class Usage:
    """What a process has used and holds."""

    def __init__(self, pid):
        self.cpu = cpu_seconds(pid)
        self.at = time.monotonic()
        self.threads = len(os.listdir(f"/proc/{pid}/task"))
        self.descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            sizes = {line.split(":")[0]: int(line.split()[1]) for line in file if line.rstrip().endswith("kB")}
        self.private = sizes["Private_Clean"] + sizes["Private_Dirty"]
        self.resident = sizes["Rss"]


# Senders: each is a process, and a way to get viewers to it.

class Sender:
    command = ()
    lines_out = False

    def __init__(self, options):
        self.options = options
        self.program = Program(self.name, self.make_command(), self.environment())
        self.program.wait_for("ready", 30)

    def environment(self):
        return None

    def pids(self):
        return [self.program.process.pid]

    def close(self):
        self.program.close()


class Raw(Sender):
    mode, profile = "sendto", "cm"

    def make_command(self):
        return [BUILD / "fan-raw", self.mode, self.options.slices]

    def connect(self, receiver, first, count, interval):
        for i in range(first, first + count):
            receiver.say("raw", f"v{i}", self.profile)
            self.program.say("viewer", *receiver.wait_for("viewer"))


class RawSendto(Raw):
    name = "raw-sendto"


class RawLibsrtp(Raw):
    name, mode = "raw-libsrtp", "libsrtp"


class RawGso(Raw):
    name, mode, profile = "raw-gso", "gso", "gcm"


class Rtcbin(Sender):
    properties = ""

    def make_command(self):
        return [BUILD / "fan-rtcbin", self.options.slices,
                f"wssignalsrc mode=listener address={ADDRESS} port={SIGNAL_PORT} ! "
                f"rtcbin name=rtc max-peers=1024 {self.properties}"]

    def connect(self, receiver, first, count, interval):
        receiver.say("join", f"ws://{ADDRESS}:{SIGNAL_PORT}/", first, count, int(interval))


class Native(Rtcbin):
    name, properties = "native", "transport=native"


class NativePort(Rtcbin):
    name, properties = "native-port", f"transport=native udp-port={MEDIA_PORT}"


class Webrtcbin(Rtcbin):
    name, properties = "rtcbin-webrtcbin", "transport=webrtcbin"


class Lines(Sender):
    """Offers and answers go over the programs' lines, carried from here."""

    def connect(self, receiver, first, count, interval):
        self.receiver = receiver
        for i in range(first, first + count):
            self.program.say("join", f"v{i}")
            self._carry(f"v{i}", receiver)
            time.sleep(interval / 1000)
        threading.Thread(target=self._carry_candidates, daemon=True).start()

    def _carry(self, name, receiver):
        deadline = time.monotonic() + 15
        while True:
            words = self.program.get(deadline)
            if words is None:
                raise Failure(f"{self.name} made no offer for {name}")
            if words[0] == "offer":
                receiver.say(*words)
                self.program.say("answer", *receiver.wait_for("answer"))
            elif words[0] == "candidate":
                receiver.say(*words)
            if words[:2] == ["offer", name]:
                return

    def _carry_candidates(self):
        try:
            while True:
                words = self.program.get(time.monotonic() + 3600)
                if words and words[0] == "candidate":
                    self.receiver.say(*words)
        except Failure:
            pass


class Bare(Lines):
    name = "bare"

    def make_command(self):
        return [BUILD / "fan-bare", self.options.slices]


class Pion(Lines):
    name = "pion"

    def make_command(self):
        return [os.environ.get("RTC_FAN_OUT_PION") or BUILD / "fan-pion"]


class Janus(Sender):
    """Offers come over Janus' API. What it is fed by is another process, and counted with it: who makes the packets is
    in everybody's figures."""
    name, settings = "janus", {}

    def __init__(self, options):
        try:
            self.server = janus.Server(self.settings)
        except (janus.Missing, janus.Trouble) as error:
            raise Failure(str(error)) from error
        try:
            super().__init__(options)
        except BaseException:
            self.server.close()
            raise

    def make_command(self):
        return [BUILD / "fan-feed", self.options.slices, "127.0.0.1", janus.AUDIO_PORT, janus.VIDEO_PORT,
                janus.VIDEO_RTCP_PORT]

    def pids(self):
        return [self.server.process.pid, *super().pids()]

    def connect(self, receiver, first, count, interval):
        try:
            for i in range(first, first + count):
                receiver.say("offer", f"v{i}", janus.encode(self.server.offer(f"v{i}")))
                self.server.answer(f"v{i}", janus.decode(receiver.wait_for("answer")[1]))
                time.sleep(interval / 1000)
        except janus.Trouble as error:
            raise Failure(str(error)) from error

    def close(self):
        super().close()
        self.server.close()


class JanusTuned(Janus):
    name, settings = "janus-tuned", janus.tuned()


NACK = "+nack"  # behind a sender's name: viewers drop some packets, and ask for them
SENDERS = {sender.name: sender
           for sender in (RawSendto, RawLibsrtp, RawGso, Native, NativePort, Webrtcbin, Bare, Pion, Janus, JanusTuned)}


# One measurement.

def parse_report(words):
    return {key: int(value) for key, value in (word.split("=") for word in words[1:])}


def wait_for_pictures(receiver, count, timeout):
    deadline = time.monotonic() + timeout
    while len(receiver.firsts) < count:
        words = receiver.get(deadline)
        if words is None:
            raise Failure(f"only {len(receiver.firsts)} of {count} viewers have a picture after {timeout} s")
        if words[0] == "closed":
            raise Failure(f"receiver: {' '.join(words)}")


def total(sender):
    usages = [Usage(pid) for pid in sender.pids()]
    usage = usages[0]
    for other in usages[1:]:
        for key in ("cpu", "threads", "descriptors", "private", "resident"):
            setattr(usage, key, getattr(usage, key) + getattr(other, key))
    return usage


def measure(kind, viewers, options, drop=0.0):
    """Runs one sender with so many viewers. Returns a dict of figures."""
    receiver = Receiver(*(["--stamps"] if options.latency else []))
    sender = None
    try:
        receiver.wait_for("ready")
        sender = kind(options)
        time.sleep(0.3)
        at_first = total(sender)
        time.sleep(options.empty_seconds)
        empty = total(sender)
        sender.connect(receiver, 0, viewers, options.interval)
        wait_for_pictures(receiver, viewers, 20 + viewers / 5)
        if drop:
            receiver.say("drop", drop)
        time.sleep(options.settle)
        receiver.say("begin")
        receiver.wait_for("begun")
        before = total(sender)
        time.sleep(options.seconds)
        after = total(sender)
        if drop:
            receiver.say("drop", 0)
            time.sleep(1)
        counted = time.monotonic() - before.at  # also what is still to be sent again
        result = {}
        read_report(receiver, result)
        elapsed = after.at - before.at
        received = result["report"]["received"] / counted
        result |= {
            "sender": kind.name + (NACK if drop else ""), "viewers": viewers, "drop": drop,
            "milli_cores": (after.cpu - before.cpu) / elapsed * 1000 * PACKETS / max(1, received),
            "stream": (empty.cpu - at_first.cpu) / (empty.at - at_first.at) * 1000,
            "threads": after.threads, "threads_empty": empty.threads,
            "descriptors": (after.descriptors - empty.descriptors) / viewers,
            "kilobytes": (after.private - empty.private) / viewers,
            "resident": after.resident,
            "rate": received / viewers,
        }
        return result
    finally:
        if sender:
            sender.close()
        receiver.close()


def read_report(receiver, result):
    receiver.say("report")
    while True:
        words = receiver.get(time.monotonic() + 10)
        if words is None:
            raise Failure("the receiver does not report")
        if words[0] == "latency" and len(words) == 5:
            result["latency"] = [int(word) for word in words[1:]]
        if words[0] == "report":
            result["report"] = parse_report(words)
            return


def arrive(kind, count, options):
    """One watches; so many more come within a second. Returns a dict of figures."""
    receiver = Receiver("--stamps")
    sender = None
    try:
        receiver.wait_for("ready")
        sender = kind(options)
        sender.connect(receiver, 0, 1, 1)
        wait_for_pictures(receiver, 1, 20)
        time.sleep(options.settle)
        receiver.say("begin")
        receiver.wait_for("begun")
        before, viewers_before = total(sender), Usage(receiver.process.pid)
        sender.connect(receiver, 1, count, 1000 / count)
        wait_for_pictures(receiver, count + 1, 60)
        after, viewers_after = total(sender), Usage(receiver.process.pid)
        result = {"sender": kind.name, "arrivals": count}
        read_report(receiver, result)
        times = sorted(time for name, time in receiver.firsts.items() if name != "v0")
        return result | {
            "median": statistics.median(times), "slowest": times[-1], "gap": result["report"]["first_gap"] / 1000,
            "took": (after.at - before.at) * 1000, "cpu": (after.cpu - before.cpu) * 1000,
            "viewers_cpu": (viewers_after.cpu - viewers_before.cpu) * 1000,
        }
    finally:
        if sender:
            sender.close()
        receiver.close()


def run_arrivals(options):
    rand = random.Random(options.seed)
    results = []
    for _ in range(options.rounds):
        order = list(options.senders)
        rand.shuffle(order)
        for name in order:
            try:
                results.append(arrive(SENDERS[name], options.arrivals, options))
            except Failure as failure:
                print(f"{name}, {options.arrivals} arrivals: {failure}", file=sys.stderr)
                options.failures += 1
    print(f"{options.arrivals} viewers arrive within a second, beside one; milliseconds, medians of the rounds\n"
          f"  {'sender':<17} {'first picture: median':>22} {'slowest':>8} {'gap of the first':>17} "
          f"{'CPU of sender':>14} {'of viewers':>11}")
    for name in options.senders:
        mine = [r for r in results if r["sender"] == name]
        if mine:
            middle = {key: statistics.median(r[key] for r in mine)
                      for key in ("median", "slowest", "gap", "cpu", "viewers_cpu")}
            print(f"  {name:<17} {middle['median']:22.0f} {middle['slowest']:8.0f} {middle['gap']:17.0f} "
                  f"{middle['cpu']:14.0f} {middle['viewers_cpu']:11.0f}")
    return results


def faults(result):
    """What a viewer saw that must not be."""
    report = result["report"]
    found = [f"{report[key]} {key}" for key in ("silent", "missing", "corrupt", "refused") if report[key]]
    if report["viewers"] != result["viewers"]:
        found.append(f"{report['viewers']} viewers")
    return found


def remarks(result):
    """CPU is that of the packets that came, so it holds when the machine was too busy for all of them in time."""
    if not 0.95 * PACKETS < result["rate"] < 1.06 * PACKETS:
        return faults(result) + [f"not in time: {result['rate']:.0f} packets/s a viewer"]
    return faults(result)


# The table.

def quartiles(values):
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def ratio(results, name, viewers, to):
    pairs = []
    for round_ in {r["round"] for r in results}:
        mine = [r for r in results if (r["round"], r["sender"], r["viewers"]) == (round_, name, viewers)]
        theirs = [r for r in results if (r["round"], r["sender"], r["viewers"]) == (round_, to, viewers)]
        if mine and theirs:
            pairs.append(mine[0]["milli_cores"] / theirs[0]["milli_cores"])
    if not pairs:
        return " " * 17
    low, middle, high = quartiles(pairs)
    return f"{middle:5.2f} ({low:.2f}..{high:.2f})"


def print_table(results, names, counts):
    print(f"\n{'viewers':>7} {'sender':<17} {'milli-cores a viewer':<22} {'x raw sendto':<18} {'x raw gso':<18} "
          f"{'stream':>6} {'threads':>7} {'fds':>5} {'KB':>6}  remarks")
    for viewers in counts:
        for name in names:
            mine = [r for r in results if r["sender"] == name and r["viewers"] == viewers]
            if not mine:
                continue
            low, middle, high = quartiles([r["milli_cores"] for r in mine])
            flawed = sum(1 for r in mine if remarks(r))
            print(f"{viewers:7} {name:<17} {middle:6.3f} ({low:.3f}..{high:.3f}) "
                  f"{ratio(results, name, viewers, 'raw-sendto'):<18} {ratio(results, name, viewers, 'raw-gso'):<18} "
                  f"{statistics.median(r['stream'] for r in mine):6.1f} "
                  f"{statistics.median(r['threads'] for r in mine):7.0f} "
                  f"{statistics.median(r['descriptors'] for r in mine):5.1f} "
                  f"{statistics.median(r['kilobytes'] for r in mine):6.0f}  {f'{flawed} of {len(mine)}' if flawed else '-'}")


def run(options):
    rand = random.Random(options.seed)
    results = []
    for round_ in range(options.rounds):
        for viewers in options.viewers:
            order = list(options.senders)
            rand.shuffle(order)
            for name in order:
                try:
                    result = measure(SENDERS[name.removesuffix(NACK)], viewers, options,
                                     options.drop if name.endswith(NACK) else 0)
                except Failure as failure:
                    print(f"round {round_ + 1}: {name}, {viewers} viewers: {failure}", file=sys.stderr)
                    options.failures += 1
                    continue
                result["round"] = round_
                results.append(result)
                latency = f" latency us p50 {result['latency'][1]} p99 {result['latency'][2]} max {result['latency'][3]}" \
                    if options.latency and "latency" in result else ""
                print(f"round {round_ + 1}: {name}, {viewers} viewers: {result['milli_cores']:.3f} milli-cores a viewer"
                      f"{latency}{'; ' + ', '.join(remarks(result)) if remarks(result) else ''}", flush=True)
    return results


def drop_missing(options):
    """Janus is nobody's to have; everything else was built with this."""
    wanted = [name for name in options.senders if issubclass(SENDERS[name.removesuffix(NACK)], Janus)]
    try:
        if wanted:
            janus.find_libraries()
    except janus.Missing as error:
        print(f"without {', '.join(wanted)}: {error}", file=sys.stderr)
        options.senders = [name for name in options.senders if name not in wanted]


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--viewers", default="1,5,20,50,200")
    parser.add_argument("--senders", default=",".join(SENDERS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="that are measured of each run")
    parser.add_argument("--settle", type=float, default=1.5, help="seconds between the last picture and that")
    parser.add_argument("--empty-seconds", type=float, default=1, help="that are measured before there is a viewer")
    parser.add_argument("--slices", type=int, default=1, help="of a picture")
    parser.add_argument("--interval", type=int, default=5, help="milliseconds between viewers that arrive")
    parser.add_argument("--drop", type=float, default=0.02, help="part of the packets that viewers of a sender with "
                        "+nack behind its name ask for again")
    parser.add_argument("--arrivals", type=int, help="measure how long so many viewers take who arrive in a second")
    parser.add_argument("--latency", action="store_true", help="from the payloader to the last viewer's socket, too")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", help="file for the figures, as JSON")
    options = parser.parse_args()
    options.viewers = [int(word) for word in options.viewers.split(",")]
    options.senders = options.senders.split(",")
    options.failures = 0
    drop_missing(options)
    if options.arrivals:
        results = run_arrivals(options)
        return 1 if options.failures else 0
    results = run(options)
    print_table(results, options.senders, options.viewers)
    if options.report:
        Path(options.report).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 1 if options.failures or any(faults(r) for r in results) else 0


if __name__ == "__main__":
    sys.exit(main())
