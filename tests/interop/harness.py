# rtclink: what the tests between pipelines and other peers are made of
#
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Processes that are started, watched and ended: pipelines of gst-launch-1.0, and the peers of tests/peers."""

import json
import math
import os
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ADDRESS = os.environ.get("RTC_TEST_ADDRESS", "192.0.2.1")
PORT = 8080
URI = f"ws://{ADDRESS}:{PORT}/"
PEERS = Path(__file__).resolve().parent.parent / "peers"

RATE = 30
VIDEO = f"videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate={RATE}/1"
ENCODERS = {
    "vp8": "vp8enc deadline=1 target-bitrate=500000 keyframe-max-dist=300",
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast bitrate=500 key-int-max=300",
}
RSA_TRANSPORTS = ("webrtcbin",)  # whose DTLS certificate is not the ECDSA one that RFC 8827 wants
TONE = 440  # what pipelines send; the peers send other tones
PEER_TONE = 880
SCALED_WIDTH, SCALED_HEIGHT = 80, 60
SAMPLE_RATE = 8000


class Failure(Exception):
    """What the test found wrong."""


def check(condition, message):
    if not condition:
        raise Failure(message)


pipelines = []  # that should be running: there is nothing to wait for once one of them has crashed


def wait_until(condition, timeout, what):
    """Polls until condition() is true, and returns what it returned. Raises Failure with WHAT after TIMEOUT seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        for pipeline in pipelines:
            status = pipeline.process.poll()
            if status is not None:
                raise Failure(f"{pipeline.name} ended by itself with status {status}: {pipeline.errors()}")
        if time.monotonic() > deadline:
            raise Failure(f"{what() if callable(what) else what} (waited {timeout} s)")
        time.sleep(0.02)


def listening(address, port):
    try:
        socket.create_connection((address, port), 1).close()
        return True
    except OSError:
        return False


class Process:
    """A program whose standard output is read line by line as it comes: into lines, and to on_line, which is called on
    a thread of the process's own."""

    def __init__(self, name, command, log_folder, talk=False, on_line=None, **environment):
        self.name = name
        self.lines = []
        self._on_line = on_line
        self._log = open(log_folder / f"{name}.log", "w", encoding="utf-8")
        self._log.write("+ " + shlex.join(map(str, command)) + "\n")
        self._log.flush()
        self.process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.PIPE if talk else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            errors="replace",
            env=os.environ | environment,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self._log.write(line)
            self._log.flush()
            self.lines.append(line)
            if self._on_line:
                self._on_line(line)

    def tell(self, line):
        """Writes to its standard input, if it has one and still reads it."""
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process.poll() is None

    def end(self, number=signal.SIGTERM, timeout=10):
        """Sends the signal and returns the exit status, which is negative for a signal's."""
        if self.running():
            self.process.send_signal(number)
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failure(f"{self.name} did not end within {timeout} s of {signal.Signals(number).name}") from None
        self._reader.join(5)
        return status


class Peer(Process):
    """aiortc or pion."""

    def events(self, name=None, /, **fields):
        found = []
        for line in list(self.lines):
            if line.startswith("{"):
                event = json.loads(line)
                if name in (None, event["event"]) and all(event.get(k) == v for k, v in fields.items()):
                    found.append(event)
        return found

    def last_words(self):
        stats = {(e["kind"], e["mid"]): e for e in self.events("stats")}
        others = [e for e in self.events() if e["event"] not in ("stats", "decrypted")]
        return f"{self.name}: {others[-6:]} {list(stats.values())}"

    def wait_for(self, kind, timeout=30, **fields):
        def arrived():
            found = self.events(kind, **fields)
            if not found and not self.running():
                raise Failure(f"ended before it said {kind} {fields or ''}: {self.last_words()}")
            return found

        return wait_until(arrived, timeout, lambda: f"no {kind} {fields or ''}: {self.last_words()}")[0]

    def finish(self):
        """Asks it to leave, and checks that it is content."""
        status = self.end()
        done = self.events("done")
        check(done, f"{self.name} ended with {status} and without a word: {self.last_words()}")
        check(status == 0 and done[0]["ok"], f"{self.name}: {done[0]['reason']}")


class Pipeline(Process):
    """gst-launch-1.0 -m: its messages are in its output. With -f, so that one that crashes ends."""

    def __init__(self, name, line, log_folder, netns=None, **more):
        enter = ["nsenter", f"--net={netns}"] if netns else []
        super().__init__(name, [*enter, "gst-launch-1.0", "-m", "-f", *shlex.split(line)], log_folder, **more)
        pipelines.append(self)

    def end(self, *arguments, **more):
        if self in pipelines:
            pipelines.remove(self)
        return super().end(*arguments, **more)

    def messages(self, name):
        return [line for line in list(self.lines) if f"(element): {name}" in line]

    def wait_for_message(self, name, timeout=30):
        return wait_until(lambda: self.messages(name), timeout, f"{self.name} posted no message {name}")[0]

    def finish(self):
        """Ctrl-C, which must end it cleanly."""
        check(self.running(), f"{self.name} ended by itself with status {self.process.returncode}: {self.errors()}")
        status = self.end(signal.SIGINT)
        check(status == 0, f"{self.name} ended with status {status} after Ctrl-C")
        check(not self.errors(), f"{self.name}: {self.errors()}")

    def errors(self):
        return [line.strip() for line in self.lines if line.startswith("ERROR") or "(error)" in line]


class Bench:
    """One test: a folder for its files, and all of its processes, which end with it."""

    def __init__(self, transport, case):
        self.transport = transport
        base = os.environ.get("RTC_TEST_ARTEFACTS")
        if base:
            self.folder = Path(base) / f"{case}-{transport}"
            # What an earlier run received proves nothing about this one.
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
        else:
            self.folder = Path(tempfile.mkdtemp(prefix=f"rtclink-{case}-"))
        self.processes = []

    def _start(self, process):
        self.processes.append(process)
        return process

    def pipeline(self, name, *parts, netns=None):
        """NETNS: the path of another network's namespace (netns-run --two)."""
        return self._start(Pipeline(name, " ".join(parts), self.folder, netns, GST_DEBUG_NO_COLOR="1"))

    def listener(self, *parts, name="pipeline", signal_options=""):
        """A pipeline with the embedded server, once it listens."""
        started = self.pipeline(
            name,
            f"wssignalsrc mode=listener address={ADDRESS} port={PORT} {signal_options} !",
            f"rtcbin name=rtc transport={self.transport}",
            *parts,
        )

        wait_until(lambda: listening(ADDRESS, PORT), 15, f"{name} does not listen on {ADDRESS}:{PORT}")
        return started

    def caller(self, *parts, name="caller", signal_options="", netns=None):
        return self.pipeline(
            name, f"wssignalsrc uri={URI} {signal_options} !", f"rtcbin name=rtc transport={self.transport}", *parts,
            netns=netns)

    def aiortc(self, *arguments, name="aiortc"):
        python = os.environ.get("RTC_PEER_PYTHON", sys.executable)
        command = [python, PEERS / "aiortc" / "peer.py", "--uri", URI, "--tone", PEER_TONE]
        if self.transport in RSA_TRANSPORTS:
            command.append("--accept-rsa")
        return self._start(Peer(name, [*command, *arguments], self.folder))

    def pion(self, *arguments, codec="vp8", name="pion"):
        command = [os.environ["RTC_PEER_PION"], "--uri", URI, "--codec", codec]
        command += ["--video-file", self.video_file(codec), "--audio-file", self.audio_file()]
        return self._start(Peer(name, [*command, *arguments], self.folder))

    def peer(self, kind, codec, *arguments, **more):
        if kind == "pion":
            return self.pion(*arguments, codec=codec, **more)
        return self.aiortc("--codec", codec, *arguments, **more)

    def _encode(self, name, *parts):
        path = self.folder / name
        if not path.exists():
            line = " ".join([*parts, f"! filesink location={path}"])
            done = subprocess.run(
                ["gst-launch-1.0", "-q", *shlex.split(line)], capture_output=True, text=True, timeout=60, check=False)
            check(done.returncode == 0 and path.exists(), f"cannot make {name}: {done.stderr}")
        return path

    def video_file(self, codec):
        frames = VIDEO.replace("is-live=true", "num-buffers=150 animation-mode=frames")
        if codec == "vp8":
            return self._encode("sent.ivf", frames, f"! {ENCODERS['vp8'].replace('300', '30')} ! avmux_ivf")
        return self._encode(
            "sent.h264", frames, f"! {ENCODERS['h264'].replace('300', '30')} aud=true",
            "! video/x-h264,profile=constrained-baseline,stream-format=byte-stream")

    def audio_file(self):
        return self._encode(
            "sent.ogg", f"audiotestsrc num-buffers=250 samplesperbuffer=960 freq={PEER_TONE} volume=0.3",
            "! audio/x-raw,rate=48000,channels=2 ! opusenc ! oggmux max-delay=0 max-page-delay=0")

    def video_sink(self, pad, name):
        """Decodes what arrives on rtcbin's PAD into small grey pictures in a file."""
        path = self.folder / name
        scaled = f"video/x-raw,format=GRAY8,width={SCALED_WIDTH},height={SCALED_HEIGHT}"
        return Pictures(path), (
            f"rtc.{pad} ! decodebin ! videoconvert ! videoscale ! {scaled} ! filesink location={path} buffer-mode=2")

    def audio_sink(self, pad, name):
        path = self.folder / name
        samples = f"audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate={SAMPLE_RATE},channels=1"
        return Sound(path), f"rtc.{pad} ! decodebin ! {samples} ! filesink location={path} buffer-mode=2"

    def close(self):
        for process in self.processes:
            if process.running():
                process.process.kill()
                process.process.wait()


class Received:
    """What a pipeline wrote to a file."""

    def __init__(self, path):
        self.path = path

    def size(self):
        return self.path.stat().st_size if self.path.exists() else 0


class Pictures(Received):
    def count(self):
        return self.size() // (SCALED_WIDTH * SCALED_HEIGHT)

    def wrong(self, frames):
        """What is wrong with the last FRAMES pictures, or None: they must show something bright that moves."""
        have = self.count()
        if have < frames:
            return f"{self.path.name}: {have} of {frames} pictures"
        bright = []
        with open(self.path, "rb") as file:
            for number in range(have - frames, have):
                file.seek(number * SCALED_WIDTH * SCALED_HEIGHT)
                picture = file.read(SCALED_WIDTH * SCALED_HEIGHT)
                columns = [at % SCALED_WIDTH for at, value in enumerate(picture) if value > 160]
                bright.append(sum(columns) / len(columns) / SCALED_WIDTH if columns else None)
        seen = [at for at in bright if at is not None]
        if len(seen) < frames * 0.8:
            return f"{self.path.name}: {len(seen)} of the last {frames} pictures have anything bright in them"
        if max(seen) - min(seen) < 0.15:
            return f"{self.path.name}: the bright spot moved from {min(seen):.2f} to {max(seen):.2f} of the width only"
        moves = sum(1 for before, after in zip(seen, seen[1:]) if abs(after - before) > 0.002)
        if moves < frames / 2:
            return f"{self.path.name}: it moved in {moves} of {frames} pictures only"
        return None


class Sound(Received):
    def seconds(self):
        return self.size() / 2 / SAMPLE_RATE

    def _power(self, samples, frequency):
        """Goertzel's: the share of the samples' energy that is at this frequency."""
        energy = sum(s * s for s in samples)
        if not energy:
            return 0.0
        coefficient = 2 * math.cos(2 * math.pi * frequency / SAMPLE_RATE)
        before = last = 0.0
        for sample in samples:
            before, last = last, sample + coefficient * last - before
        return 2 * (last * last + before * before - coefficient * last * before) / (len(samples) * energy)

    def wrong(self, seconds, tone):
        """What is wrong with it, or None: SECONDS of it, and in the last half second most energy at TONE Hz."""
        if self.seconds() < seconds:
            return f"{self.path.name}: {self.seconds():.2f} of {seconds} s of sound"
        with open(self.path, "rb") as file:
            file.seek(-SAMPLE_RATE // 2 * 2, os.SEEK_END)
            content = file.read(SAMPLE_RATE // 2 * 2)
        samples = struct.unpack(f"<{len(content) // 2}h", content)
        if max(map(abs, samples)) < 300:
            return f"{self.path.name}: silence"
        share = max(self._power(samples, tone + offset) for offset in (-2, 0, 2))
        if share < 0.5:
            return f"{self.path.name}: {share:.0%} of the energy is at {tone} Hz"
        return None


def sending(codec):
    """The part of a launch line that sends a moving ball and a tone."""
    return (
        f"{VIDEO} ! {ENCODERS[codec]} ! rtc.",
        f"audiotestsrc is-live=true freq={TONE} ! opusenc ! rtc.",
    )
