# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs launch lines as a person would, with a display and a loudspeaker that nobody sees or hears."""

import os
import random
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

START_DEADLINE = 30.0  # two cores, a software encoder and a browser's worth of plugins
END_DEADLINE = 5.0
FRAMES = 10
SINKS = ["autovideosink", "autoaudiosink"]
# Warnings that come by the hundred and mean nothing here
NOISE = re.compile(r"skew_slaving|Can't determine running time|not mapped")
RENDERED = re.compile(r"<(?P<sink>[\w:%+-]+)> rendering object")


# Whether the certificate is the right one is the viewer's to check.
ANYBODY = ssl.create_default_context()
ANYBODY.check_hostname = False
ANYBODY.verify_mode = ssl.CERT_NONE


class Failure(Exception):
    """The line did not do what it is printed for."""


class Skip(Exception):
    """The line needs what is not here."""


def tell(text):
    """Say why a case failed: on stderr, which meson shows (of TAP's own comments it shows nothing)."""
    for line in text.splitlines():
        print(f"# {line}", file=sys.stderr, flush=True)


def wait_until(condition, seconds, what):
    """Poll CONDITION, which may raise Failure itself."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {seconds:g} s")
        time.sleep(0.05)


class Launch:
    """One gst-launch-1.0, from its line to its end."""

    def __init__(self, command, directory, environment, number):
        self.command = command
        self.log = Path(directory) / f"{number}.log"
        self.debug = Path(directory) / f"{number}.debug"
        environment = environment | {"GST_DEBUG": "*:2,basesink:5", "GST_DEBUG_FILE": str(self.debug),
                                     "GST_DEBUG_NO_COLOR": "1"}
        with open(self.log, "wb") as log:
            # exec: the signal is for gst-launch, not for the shell that read the line.
            self.process = subprocess.Popen(["sh", "-c", f"exec {command}"], env=environment, stdout=log,
                                            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
                                            cwd=directory)

    @property
    def port(self):
        found = re.search(r"\bport=(\d+)", self.command)
        return int(found[1]) if found else 8080

    @property
    def is_listener(self):
        return "mode=listener" in self.command

    @property
    def sends(self):
        return bool(re.search(r"!\s*rtc\.(\s|$)", self.command))

    @property
    def sinks(self):
        return [name for name in SINKS if re.search(rf"\b{name}\b", self.command)]

    def output(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def alive(self):
        if self.process.poll() is not None:
            raise Failure(f"ended by itself with status {self.process.returncode}: {self.command}")
        if "Caught SIG" in self.output():  # gst-launch then waits for a debugger
            raise Failure(f"crashed: {self.command}")
        return True

    def is_playing(self):
        # gst-launch says so when the state change is done ("New clock" follows at once).
        return self.alive() and "Setting pipeline to PLAYING" in self.output() and "New clock" in self.output()

    def serves_page(self):
        self.alive()
        scheme = "https" if "tls-certificate=" in self.command else "http"
        try:
            with urllib.request.urlopen(f"{scheme}://127.0.0.1:{self.port}/", timeout=2, context=ANYBODY) as answer:
                return answer.status == 200 and b"<html" in answer.read().lower()
        except (urllib.error.URLError, OSError):
            return False

    def renders(self, kind):
        """Whether the sinks of KIND have rendered a few buffers."""
        self.alive()
        if not self.debug.exists():
            return False
        text = self.debug.read_text(encoding="utf-8", errors="replace")
        counts = {}
        for found in RENDERED.finditer(text):
            if found["sink"].startswith(kind):
                counts[found["sink"]] = counts.get(found["sink"], 0) + 1
        return any(count >= FRAMES for count in counts.values())

    def interrupt(self):
        self.alive()
        self.process.send_signal(signal.SIGINT)

    def finish(self):
        try:
            status = self.process.wait(END_DEADLINE)
        except subprocess.TimeoutExpired as e:
            raise Failure(f"still there {END_DEADLINE:g} s after Ctrl-C: {self.command}") from e
        if status != 0:
            raise Failure(f"ended with status {status} after Ctrl-C: {self.command}")
        complaint = re.search(r"^.*(?:CRITICAL|ERROR:|Caught SIG).*$", self.output(), re.M)
        if complaint:
            raise Failure(f"complained: {complaint[0].strip()}: {self.command}")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def check_needs(command):
    """Raise Skip for a line that cannot run here."""
    for host in re.findall(r"\bwss?://([^:/\s\"']+)", command):
        if host not in ("127.0.0.1", "localhost"):
            raise Skip(f"needs the server {host}")
    if re.search(r"\bv4l2src\b", command) and not list(Path("/dev").glob("video*")):
        raise Skip("needs a camera")


def with_partner(commands, sender, viewer):
    """The block's COMMANDS, and what they need at the other end."""
    listens = any("mode=listener" in c for c in commands)
    calls = any("uri=ws" in c for c in commands)
    port = re.search(r"(?:\bport=|ws://[^:/\s]+:)(\d+)", " ".join(commands))
    port = port[1] if port else "8080"
    if listens and not calls:
        uri = f"uri=ws://127.0.0.1:{port}"
        certificate = re.search(r"\btls-certificate=(\S+)", " ".join(commands))
        if certificate:
            uri = f"uri=wss://127.0.0.1:{port} tls-ca-file={certificate[1]}"
        token = re.search(r"\btoken=\S+", " ".join(commands))
        if token:
            uri += f" {token[0]}"
        return [*commands, re.sub(r"\buri=ws://127\.0\.0\.1:\d+", uri, viewer)]
    if calls and not listens:
        return [re.sub(r"\bport=\d+", f"port={port}", sender), *commands]
    return commands


def make_certificate(directory):
    """cert.pem and key.pem, as a reader of the documentation has them in the folder where the line is typed."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                    "-keyout", "key.pem", "-out", "cert.pem"], cwd=directory, check=True, stderr=subprocess.DEVNULL)


def backtrace(process):
    """Where a process that does not end stands, when there is a debugger to tell it."""
    if shutil.which("gdb") and process.poll() is None:
        done = subprocess.run(["gdb", "--batch", "-p", str(process.pid), "-ex", "thread apply all backtrace 16"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True,
                              check=False)
        tell("\n".join(line for line in done.stdout.splitlines() if line.startswith(("#", "Thread"))))


def run_block(commands, environment):
    with tempfile.TemporaryDirectory() as directory:
        launches = []
        if any("cert.pem" in command for command in commands):
            make_certificate(directory)
        try:
            for number, command in enumerate(commands):
                launch = Launch(command, directory, environment, number)
                launches.append(launch)
                wait_until(launch.is_playing, START_DEADLINE, f"PLAYING: {command}")
                if launch.is_listener:
                    wait_until(launch.serves_page, START_DEADLINE, f"the page: {command}")
            for launch in launches:
                for kind in launch.sinks:
                    if kind == "autovideosink" or has_audio(launches):
                        wait_until(lambda: launch.renders(kind), START_DEADLINE,
                                   f"{FRAMES} buffers in {kind}: {launch.command}")
            for launch in reversed(launches):
                launch.interrupt()
                launch.finish()
        except Failure:
            for launch in launches:
                tell(f"--- {launch.command}")
                tell("\n".join(launch.output().splitlines()[-30:]))
                backtrace(launch.process)
                if launch.debug.exists():
                    warnings = [line for line in launch.debug.read_text(errors="replace").splitlines()
                                if re.search(r"WARN|ERROR", line) and not NOISE.search(line)]
                    tell("\n".join(warnings[-30:]))
            raise
        finally:
            for launch in launches:
                launch.kill()


def has_audio(launches):
    """Whether any of them sends sound."""
    return any(re.search(r"\b(opusenc|alawenc|mulawenc|avenc_g722)\b", launch.command) for launch in launches)


class Desk:
    """A display and a loudspeaker that nobody sees or hears; or only one of them; or a microphone, which is silent."""

    def __init__(self, directory, display=True, sound=True, microphone=False):
        self.processes = []
        self.environment = dict(os.environ) | {"HOME": directory, "XDG_RUNTIME_DIR": directory}
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"):
            self.environment.pop(name, None)
        self.environment["PULSE_SERVER"] = "unix:/nowhere"  # or its library would start one
        if display:
            self._start_display()
        if sound or microphone:
            self._start_sound(directory, ["--load=module-null-source"] if microphone else [])

    def _start_display(self):
        read, write = os.pipe()
        # Not the first free number: the lock files in /tmp are shared with other process namespaces, where the process
        # that holds one does not seem to live. And without -noreset there is no display for a moment whenever the last
        # client goes, as autovideosink does between two sinks that it tries.
        display = f":{random.SystemRandom().randrange(1000, 60000)}"
        self.processes.append(subprocess.Popen(
            ["Xvfb", display, "-displayfd", str(write), "-noreset", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"],
            pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        os.close(write)
        with os.fdopen(read) as f:
            number = f.readline().strip()
        if not number:
            raise Failure("Xvfb did not start")
        self.environment["DISPLAY"] = f":{number}"

    def _start_sound(self, directory, modules):
        socket = Path(directory) / "pulse.socket"
        # Not by module-detect: no device of this machine is touched.
        self.processes.append(subprocess.Popen(
            ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm",
             "--load=module-null-sink", f"--load=module-native-protocol-unix auth-anonymous=1 socket={socket}", *modules],
            env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        wait_until(socket.exists, START_DEADLINE, "PulseAudio's socket")
        self.environment["PULSE_SERVER"] = f"unix:{socket}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for process in self.processes:
            process.terminate()
            process.wait()
